package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/rawblock"
)

// step is something done to a stream through the server. The state is compared after each.
type step struct {
	name string
	run  func(t *testing.T, r *trial)
}

// observation is what is compared between the stream with marks and the one without.
type observation struct {
	State    oracle.State
	Messages []oracle.Message
}

// markCase is an image and what is done to it.
type markCase struct {
	name   string
	blocks []blockImage
	config map[string]any
	steps  []step
}

// bigBlock is a block of about 3 MiB: large enough for the server to compact it at a delete.
func bigBlock(first uint64) blockImage {
	var image blockImage
	for start := first; start < first+300; start += 10 {
		image.groups = append(image.groups, messages(start, start+9, 10<<10))
	}
	return image
}

func markCases() []markCase {
	small := blockImage{groups: []group{messages(1, 5, 40), messages(6, 7, 40), messages(8, 20, 40)}}
	second := blockImage{groups: []group{messages(21, 25, 40), messages(26, 40, 40)}}
	third := blockImage{groups: []group{messages(41, 42, 40), messages(43, 60, 40)}}
	tailed := small
	tailed.tailMark = true
	torn := tailed
	torn.torn = rawblockPrefix()
	onlyMark := blockImage{tailMark: true}
	group41 := messages(41, 44, 40)
	restarts := []step{restart(false), restart(true), publish(3), restart(true), restart(false)}

	return []markCase{
		{name: "start-between-last", blocks: []blockImage{tailed}, steps: restarts},
		{name: "torn-group", blocks: []blockImage{torn}, steps: restarts},
		{name: "only-block-only-mark", blocks: []blockImage{onlyMark}, steps: restarts},
		{name: "last-block-only-mark", blocks: []blockImage{small, second, onlyMark}, steps: restarts},
		{name: "middle-block-only-mark", blocks: []blockImage{small, onlyMark, second}, steps: restarts},
		{name: "first-block-only-mark", blocks: []blockImage{onlyMark, small}, steps: restarts},
		{name: "purged-block", blocks: []blockImage{{groups: []group{tombstones(40)}, tailMark: true}}, steps: restarts},
		{name: "tombstones-and-skips", blocks: []blockImage{
			small,
			{groups: []group{tombstones(3, 7, 9), skips(21, 22), messages(23, 30, 40), tombstones(25)}, tailMark: true},
		}, steps: restarts},
		{name: "deletes", blocks: []blockImage{small, second, third}, steps: []step{
			remove(2, 6, 8, 20, 21, 26, 40, 41, 43, 59), publish(5), restart(true),
			erase(9, 44), removeRange(1, 20), restart(true), publish(2), restart(false),
			removeRange(21, 60), restart(true), publish(1), restart(true),
		}},
		{name: "delete-everything", blocks: []blockImage{small, second, third}, steps: []step{
			removeRange(1, 60), restart(true), publish(3), restart(false),
		}},
		{name: "delete-backwards", blocks: []blockImage{small, second, third}, steps: []step{
			removeBackwards(60, 1), restart(true), publish(3), restart(true),
		}},
		{name: "purge-all", blocks: []blockImage{small, second, tailed3(third)}, steps: []step{
			purge(nats.StreamPurgeRequest{}), publish(4), restart(true), restart(false),
		}},
		{name: "purge-to-sequence", blocks: []blockImage{small, second, tailed3(third)}, steps: []step{
			purge(nats.StreamPurgeRequest{Sequence: 27}), publish(4), restart(true),
			purge(nats.StreamPurgeRequest{Keep: 5}), restart(true), restart(false),
		}},
		{name: "purge-subject", blocks: []blockImage{small, second, tailed3(third)}, steps: []step{
			purge(nats.StreamPurgeRequest{Subject: "marks.1"}), restart(true),
			purge(nats.StreamPurgeRequest{Subject: "marks.0", Keep: 1}), publish(4), restart(true),
		}},
		{name: "limits", blocks: []blockImage{small, second, tailed3(third)},
			config: map[string]any{"max_msgs": 35}, steps: []step{publish(10), restart(true), publish(1), restart(false)}},
		{name: "limits-per-subject", blocks: []blockImage{small, second, tailed3(third)},
			config: map[string]any{"max_msgs_per_subject": 2}, steps: []step{publish(10), restart(true), publish(1), restart(false)}},
		{name: "max-age-all-expired", blocks: []blockImage{small, second, tailed3(third)},
			config: map[string]any{"max_age": time.Hour}, steps: []step{publish(3), restart(true), restart(false)}},
		{name: "stale-index", blocks: []blockImage{small, second}, steps: []step{
			restart(true), appendOffline(2, &group41), restart(true), appendOffline(2, nil), restart(true),
			publish(2), appendOffline(2, nil), appendOffline(3, nil), restart(true), publish(1), restart(false),
		}},
		{name: "compressed", blocks: []blockImage{small, second, tailed3(third)},
			config: map[string]any{"compression": "s2"}, steps: []step{
				purge(nats.StreamPurgeRequest{Subject: "marks.1"}), publish(3), restart(true), restart(false)}},
		{name: "compaction-at-delete", blocks: []blockImage{bigBlock(1), bigBlock(301), bigBlock(601), tailed3(blockImage{groups: []group{messages(901, 920, 40)}})}, steps: []step{
			removeAlternating(1, 550), restart(true), publish(3), removeAlternating(601, 700), restart(true), restart(false),
		}},
	}
}

func tailed3(image blockImage) blockImage {
	image.tailMark = true
	return image
}

// rawblockPrefix is the first half of a record: what a crash leaves of a group.
func rawblockPrefix() []byte {
	block := rawblock.New(imageStream, 1)
	messages(21, 21, 40).write(block)
	return block.Bytes()[:block.Len()/2]
}

// TestMarksChangeNothing runs every case with marks of either kind and without on a real server, and wants
// the same state and the same messages after every step.
func TestMarksChangeNothing(t *testing.T) {
	for _, c := range markCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			control := newRun(t, c, withoutMarks)
			runs := map[string]*trial{"marks": newRun(t, c, withMarks), "first marks": newRun(t, c, withFirstMarks)}
			same := func(when string) {
				want := control.observe(t)
				for kind, r := range runs {
					compare(t, when+", "+kind, want, r.observe(t))
				}
			}
			same("opened")
			for i, s := range c.steps {
				s.run(t, control)
				for _, r := range runs {
					s.run(t, r)
				}
				same(fmt.Sprintf("step %d, %s", i+1, s.name))
			}
		})
	}
}

// compare wants equal observations. Messages published during the test have their own times.
func compare(t *testing.T, when string, want, got observation) {
	t.Helper()
	for _, o := range []*observation{&want, &got} {
		o.State.FirstTime = imageTime(o.State.FirstTime)
		o.State.LastTime = imageTime(o.State.LastTime)
		for i := range o.Messages {
			o.Messages[i].Time = imageTime(o.Messages[i].Time)
		}
	}
	require.Equal(t, want.State, got.State, when)
	require.Equal(t, len(want.Messages), len(got.Messages), when)
	for i := range want.Messages {
		if !reflect.DeepEqual(want.Messages[i], got.Messages[i]) {
			require.Failf(t, "messages differ", "%s: sequence %d and %d, subject %s and %s", when,
				want.Messages[i].Sequence, got.Messages[i].Sequence, want.Messages[i].Subject, got.Messages[i].Subject)
		}
	}
}

// imageTime is the time itself for messages of the image, and one fixed time for any that were
// published by the test, since the two servers run at different moments.
func imageTime(at time.Time) time.Time {
	if at.After(imageStart.AddDate(1, 0, 0)) {
		return imageStart.AddDate(1, 0, 0)
	}
	return at
}

// trial is one server over one image.
type trial struct {
	storeDir string
	mark     marker
	server   *oracle.Server
}

func newRun(t *testing.T, c markCase, mark marker) *trial {
	t.Helper()
	return newRunSyncing(t, c, mark, time.Hour)
}

// newRunSyncing sets the server's background pass, which syncs and compacts, to the interval.
func newRunSyncing(t *testing.T, c markCase, mark marker, interval time.Duration) *trial {
	t.Helper()
	r := &trial{storeDir: t.TempDir(), mark: mark}
	writeImage(t, r.storeDir, c.blocks, mark, c.config)
	var err error
	r.server, err = oracle.Start(r.storeDir, oracle.WithSyncInterval(interval))
	require.NoError(t, err)
	t.Cleanup(r.server.Stop)
	return r
}

func (r *trial) observe(t *testing.T) observation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var o observation
	var err error
	o.State, err = r.server.State(ctx, imageStream)
	require.NoError(t, err)
	for message, err := range r.server.Messages(ctx, imageStream, max(o.State.First, 1), o.State.Last) {
		require.NoError(t, err)
		o.Messages = append(o.Messages, message)
	}
	require.EqualValues(t, o.State.Messages, len(o.Messages))
	return o
}

func (r *trial) streamDir() string {
	return oracle.StreamDir(r.storeDir, imageStream)
}

// blockFiles returns the content of the stream's block files by name.
func (r *trial) blockFiles(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.streamDir(), "msgs", "*.blk"))
	require.NoError(t, err)
	files := make(map[string][]byte)
	for _, path := range paths {
		files[filepath.Base(path)], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	return files
}
