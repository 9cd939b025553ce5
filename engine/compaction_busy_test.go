package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// sparseBlocks opens a stream of blocks of four messages at SyncNever, in which keys are overwritten so that half of
// each block goes, and notes the work on blocks.
func sparseBlocks(t *testing.T) (s *shell, work *[]string) {
	cfg := testConfig()
	cfg.BlockSize, cfg.CompactBelow, cfg.Level = 500, 70, engine.SyncNever
	cfg.Limits = engine.Limits{MaxMsgsPer: 1}
	s = newShell(cfg, newDisk(), engine.NewPublished(), start)
	s.e.Tick(start)
	work = &[]string{}
	s.trace = func(what string) {
		if _, kind, found := strings.Cut(what, ": "); found && (strings.HasPrefix(kind, "compact") || strings.HasPrefix(kind, "index")) {
			*work = append(*work, kind)
		}
	}
	return s, work
}

// TestABusyStreamIsCompacted: although something is always in flight, and no block is full meanwhile, which would
// make durable what a compaction waits for.
func TestABusyStreamIsCompacted(t *testing.T) {
	s, work := sparseBlocks(t)
	s.cfg.BlockSize = 8000
	s.disk, s.pub = newDisk(), engine.NewPublished()
	s.recover(0, 0)
	s.e.Tick(s.now)
	key := func(i int) sent { return store(fmt.Sprintf("%03d", i), 68) }
	for i := range 100 { // a block, and a few more
		s.step(key(i))
	}
	s.settle()
	before := s.pub.Counts().Blocks
	*work = nil
	for i := 0; i < 25 && len(*work) == 0; i++ {
		s.step(key(2 * i))
		s.tick(s.now + millisecond)
		s.turn()
		require.NotNil(t, s.commit)
		for s.runWork() {
		}
		s.step(key(2*i + 1))
		for s.runCommit() {
		}
	}
	require.Equal(t, before, s.pub.Counts().Blocks)
	require.Equal(t, []string{"compact 1"}, *work)
	s.settle()
	require.NoError(t, s.e.CheckInvariants())
}

// TestABlockThatIsCompactedIsIndexedThen, and not before.
func TestABlockThatIsCompactedIsIndexedThen(t *testing.T) {
	s, work := sparseBlocks(t)
	for _, name := range []string{"a", "b", "c", "d", "x", "a", "b", "y"} { // half of the first block goes
		s.step(store(name, 69))
	}
	s.settle()
	require.Equal(t, []string{"compact 1", "index 1"}, *work)
}

// TestABlockThatHasToWaitForItsCompactionIsIndexed: it alone shows the last sequence until something is stored.
func TestABlockThatHasToWaitForItsCompactionIsIndexed(t *testing.T) {
	s, work := sparseBlocks(t)
	s.cfg.Limits = engine.Limits{}
	s.disk, s.pub = newDisk(), engine.NewPublished()
	s.recover(0, 0)
	s.e.Tick(s.now)
	for range 8 {
		s.step(store("a", 69))
	}
	for sequence := uint64(5); sequence < 8; sequence++ {
		s.step(removal(sequence))
	}
	s.settle()
	require.ElementsMatch(t, []string{"index 1", "index 2"}, *work)
	require.Zero(t, s.pub.Counts().Unindexed)
	*work = nil
	s.step(store("a", 69))
	s.settle()
	require.Equal(t, []string{"compact 2", "index 2"}, *work)
}

// TestABlockThatStaysAsItIsIsIndexed: its turn had come while it was to be compacted.
func TestABlockThatStaysAsItIsIsIndexed(t *testing.T) {
	s, work := sparseBlocks(t)
	for _, name := range []string{"a", "b", "c", "d", "x", "a", "b", "y"} {
		s.step(store(name, 69))
	}
	for !strings.Contains(strings.Join(*work, " "), "compact") {
		s.turn()
		if len(s.work) > 0 && s.work[0].Kind == engine.WorkCompact {
			break
		}
		if !s.runAny() {
			require.True(t, s.linger(s.tick))
		}
	}
	for s.work[0].Kind != engine.WorkCompact {
		s.runWork()
	}
	w := s.work[0]
	s.work = s.work[1:]
	s.e.Done(engine.Done{ID: w.ID}) // the block is damaged
	s.settle()
	require.Equal(t, []string{"compact 1", "index 1"}, *work)
}

// TestACompactionIsWorthIt: a block that loses one message after the other is compacted whenever a third of what is
// left goes, but not for less than a sixteenth of a block, although that third is less in the end.
func TestACompactionIsWorthIt(t *testing.T) {
	s, work := sparseBlocks(t)
	s.cfg.BlockSize = 16 * 300
	s.disk = newDisk()
	s.pub = engine.NewPublished()
	s.recover(0, 0)
	s.e.Tick(s.now)
	key := func(i int) sent { return store(fmt.Sprintf("%02d", i), 68) } // records of 100 bytes, and their marks
	for i := range 40 {
		s.must(t, key(i))
	}
	compactions := 0
	for i := range 34 {
		*work = nil
		s.must(t, key(i))
		if strings.Contains(strings.Join(*work, " "), "compact 1") {
			compactions++
		}
	}
	require.Equal(t, 6, compactions, "the seventh would win less than 300 bytes")
}
