package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/rawblock"
)

// compactionCase is a stream of one large block and a small one behind it, since the server never
// compacts the last.
func compactionCase() markCase {
	return markCase{blocks: []blockImage{
		bigBlock(1),
		{groups: []group{messages(301, 303, 40), tombstones(2, 5), messages(304, 310, 40)}, tailMark: true},
	}}
}

// TestCompactionMayOrphanMarks shows what the server's own compaction makes of marks: a delete
// that compacts the block at once copies them, although the records behind them go. So a mark in
// a block that the server rewrote announces more than there is, and is no proof of a torn group.
func TestCompactionMayOrphanMarks(t *testing.T) {
	t.Parallel()
	c := compactionCase()
	marked, control := newRun(t, c, withMarks), newRun(t, c, withoutMarks)
	image := marked.blockFiles(t)["1.blk"]
	before := len(image)
	marks, wrong := countMarks(t, image)
	require.NotZero(t, marks)
	require.Zero(t, wrong)
	for _, r := range []*trial{marked, control} {
		removeAlternating(7, 299).run(t, r)
	}
	compare(t, "compacted", control.observe(t), marked.observe(t))

	marked.server.Stop()
	after := marked.blockFiles(t)["1.blk"]
	require.Less(t, len(after), before/2, "the server did not compact the block")
	marks, wrong = countMarks(t, after)
	t.Logf("after compaction at a delete: %d marks, %d of them not followed by what they announce", marks, wrong)
	require.NotZero(t, wrong, "the server no longer copies marks: the note in docs can go")
}

// TestBackgroundCompactionDropsMarks shows the other compaction, of the background pass.
func TestBackgroundCompactionDropsMarks(t *testing.T) {
	t.Parallel()
	small := markCase{blocks: []blockImage{
		{groups: []group{messages(1, 50, 40), messages(51, 100, 40)}},
		{groups: []group{messages(101, 110, 40)}},
	}}
	const interval = 200 * time.Millisecond
	marked := newRunSyncing(t, small, withMarks, interval)
	control := newRunSyncing(t, small, withoutMarks, interval)
	for _, r := range []*trial{marked, control} {
		before := len(r.blockFiles(t)["1.blk"])
		removeAlternating(1, 99).run(t, r)
		require.Eventually(t, func() bool {
			return len(r.blockFiles(t)["1.blk"]) < before/2
		}, time.Minute, interval/4)
	}
	compare(t, "compacted", control.observe(t), marked.observe(t))
	marks, _ := countMarks(t, marked.blockFiles(t)["1.blk"])
	t.Logf("after background compaction: %d marks", marks)
	require.Zero(t, marks)
	for _, r := range []*trial{marked, control} {
		restart(false).run(t, r)
	}
	compare(t, "restarted", control.observe(t), marked.observe(t))
}

// TestServerAppendsBehindMarks wants the server to leave the marks of the last block alone, and to
// append its own records without any.
func TestServerAppendsBehindMarks(t *testing.T) {
	t.Parallel()
	marked := newRun(t, compactionCase(), withMarks)
	before, _ := countMarks(t, marked.blockFiles(t)["2.blk"])
	publish(3).run(t, marked)
	remove(301, 303).run(t, marked)
	marked.server.Stop()
	after, _ := countMarks(t, marked.blockFiles(t)["2.blk"])
	require.Equal(t, before, after)
}

// TestMarkOfLiveMessageHarms shows that these tests can tell harm: a mark whose target is a live
// message deletes it.
func TestMarkOfLiveMessageHarms(t *testing.T) {
	t.Parallel()
	c := markCase{blocks: []blockImage{{groups: []group{messages(1, 5, 40)}, tailMark: true}}}
	harmed := newRun(t, c, withTarget(3))
	require.EqualValues(t, 4, harmed.observe(t).State.Messages)
}

// TestOtherMarkTargets compares other forms of mark with none: they are the fallbacks, should a
// later server mind target 0.
func TestOtherMarkTargets(t *testing.T) {
	forms := map[string]marker{
		"below-first": withTarget(99),
		"dead-target": withTarget(110),
	}
	c := markCase{blocks: []blockImage{
		{groups: []group{messages(100, 105, 40), messages(106, 120, 40), tombstones(110)}},
		{groups: []group{messages(121, 130, 40)}, tailMark: true},
	}}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marked, control := newRun(t, c, form), newRun(t, c, withoutMarks)
			compare(t, "opened", control.observe(t), marked.observe(t))
			for i, s := range []step{publish(2), restart(true), restart(false), removeRange(100, 115), restart(false)} {
				s.run(t, control)
				s.run(t, marked)
				compare(t, fmt.Sprintf("step %d, %s", i+1, s.name), control.observe(t), marked.observe(t))
			}
		})
	}
}

// countMarks returns how many frame marks a block has, and how many of them are not followed by
// records of the size that they announce.
func countMarks(t *testing.T, data []byte) (marks, wrong int) {
	t.Helper()
	records, err := rawblock.Scan(data)
	require.NoError(t, err)
	for i, record := range records {
		if record.Kind != rawblock.KindMark {
			continue
		}
		marks++
		sizeBytes := 0
		for _, follower := range records[i+1:] {
			if follower.Kind == rawblock.KindMark || sizeBytes >= record.MarkedBytes() {
				break
			}
			sizeBytes += follower.Length
		}
		if sizeBytes != record.MarkedBytes() {
			wrong++
		}
	}
	return marks, wrong
}

// TestMain prints the server's version, so that a run says what it judged by.
func TestMain(m *testing.M) {
	fmt.Println("nats-server", oracle.Version())
	m.Run()
}
