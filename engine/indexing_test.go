package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestBlocksOfSkipsAreNotHeld: they get no index that their memory would wait for.
func TestBlocksOfSkipsAreNotHeld(t *testing.T) {
	cfg := testConfig()
	cfg.IndexFrom = 100
	e := engine.New(cfg, engine.NewPublished(), start)
	run := func() {
		for ready := e.Ready(); ready.Commit != nil || len(ready.Maintenance) > 0; ready = e.Ready() {
			work := ready.Maintenance
			if ready.Commit != nil {
				e.Done(engine.Done{ID: ready.Commit.ID})
			}
			for _, w := range work {
				e.Done(engine.Done{ID: w.ID})
			}
		}
	}
	e.Tick(start)
	run()
	for range 500 {
		e.Step(nil, &engine.Skip{Count: 1})
		run()
	}
	e.Tick(start + 60*second)
	run()
	require.Zero(t, e.MemoryBlocks())
}

// TestAnIndexThatCannotBeWrittenIsLeftForAWhile: the disk may be full, and nothing waits
// for the index.
func TestAnIndexThatCannotBeWrittenIsLeftForAWhile(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 200 })
	attempts := 0
	s.disk.fault = func(_ int, what string) error {
		if what[:5] != "index" {
			return nil
		}
		if attempts++; attempts > 2 {
			return nil // were there no pause, this test would never end
		}
		return errDisk
	}
	s.tick(start)
	s.must(t, store("a", 100), store("a", 100))
	require.Equal(t, 1, attempts)
	require.Equal(t, uint64(1), s.pub.Counts().Unindexed)
	s.tick(start + 3*second)
	s.must(t, store("a", 100))
	require.Equal(t, 1, attempts, "another block is no reason to try again")
	for attempt := 2; attempt <= 3; attempt++ {
		s.wakeForIndex(t, start+int64(attempt-1)*10*second)
	}
	require.Equal(t, 4, attempts, "block 1 fails twice; block 2 waits with it")
	require.Zero(t, s.pub.Counts().Unindexed)
}

// wakeForIndex ticks at every time that the engine asks for until then, and settles.
func (s *shell) wakeForIndex(t *testing.T, until int64) {
	t.Helper()
	for {
		at, ok := s.e.NextTick()
		require.True(t, ok, "an index is waiting")
		require.LessOrEqual(t, at, until)
		s.tick(at)
		s.settle()
		if at == until {
			return
		}
	}
}

// TestAMemoryHeldForAnIndexGoesWithItsFailure: readers use the file meanwhile.
func TestAMemoryHeldForAnIndexGoesWithItsFailure(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 200 })
	s.tick(start)
	for range 2 {
		s.step(store("a", 100))
		s.runCommits()
	}
	index := s.hold(t, engine.WorkIndex, 1)
	require.Equal(t, 2, s.e.MemoryBlocks(), "that of block 1 is held until it has an index")
	s.e.Done(engine.Done{ID: index.ID, Err: errDisk})
	s.runCommits()
	require.Equal(t, 1, s.e.MemoryBlocks())
	_, ok := s.read(1)
	require.True(t, ok)
}

// TestTheMemoryOfABlockGoesToWhoMakesItsIndex: all of it, unless the block was begun before the stream was opened.
func TestTheMemoryOfABlockGoesToWhoMakesItsIndex(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.IndexFrom = 400, 1 })
	s.tick(start)
	s.must(t, store("a", 100))
	s.reopen()
	s.tick(start)
	for range 3 {
		s.step(store("a", 100))
		s.runCommits()
	}
	index := s.hold(t, engine.WorkIndex, 1)
	require.Nil(t, index.Data, "the first message is in the file alone")
	s.e.Done(engine.Done{ID: index.ID})
	for range 2 {
		s.step(store("a", 100))
		s.runCommits()
	}
	index = s.hold(t, engine.WorkIndex, 2)
	require.Equal(t, s.disk.current[2], slices.Concat(index.Data...))
}

// TestMemoryThatIsReadIsNotUsedAgain: an index of other bytes would be a false witness.
func TestMemoryThatIsReadIsNotUsedAgain(t *testing.T) {
	ends := map[string]func(s *shell){
		"the engine fails": func(s *shell) { s.e.Fail(errDisk); s.e.Release() },
		"the block is evicted": func(s *shell) {
			for range 2 {
				s.step(store("a", 300_000))
				s.runCommits()
			}
		},
	}
	for name, end := range ends {
		pool := &buffers{}
		s := open(func(c *engine.Config) { c.BlockSize, c.Buffers, c.Limits.MaxMsgs = 400_000, pool, 2 })
		s.tick(start)
		for range 2 {
			s.step(store("a", 300_000)) // a block each
			s.runCommits()
		}
		index := s.hold(t, engine.WorkIndex, 1)
		want := slices.Concat(index.Data...)
		require.NotEmpty(t, want, name)
		end(s)
		require.Equal(t, want, slices.Concat(index.Data...), name)
	}
}

// TestMoreBlocksAreHeldWhereTheyAreSmall: two, or up to eight as far as there is room for them in 16 MiB, and they are large
// enough that their memory is counted.
func TestMoreBlocksAreHeldWhereTheyAreSmall(t *testing.T) {
	for size, held := range map[int]int{300_000: 2, 600_000: 8, 5_500_000: 3, 9_000_000: 2} {
		s := open(func(c *engine.Config) { c.BlockSize = int64(size) + 100 })
		s.tick(start)
		for range 10 {
			s.step(store("a", size)) // a block each
			s.runCommits()
		}
		s.hold(t, engine.WorkIndex, 1)
		require.Equal(t, held+1, s.e.MemoryBlocks(), "of %d bytes, with the tail", size)
	}
}

// TestBlocksInMemoryGetTheirIndexesFirst: those that are not have to be read, and nobody has to wait for that to keep up.
func TestBlocksInMemoryGetTheirIndexesFirst(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 600_100 })
	s.tick(start)
	one := func() {
		s.step(store("a", 600_000)) // a block
		s.runCommits()
	}
	for range 10 {
		one()
	}
	index := s.hold(t, engine.WorkIndex, 1)
	require.Equal(t, 9, s.e.MemoryBlocks(), "blocks 1 to 8 and the tail")
	var order []string
	s.trace = func(what string) {
		if _, block, found := strings.Cut(what, ": index "); found {
			order = append(order, block)
		}
	}
	s.e.Done(engine.Done{ID: index.ID})
	one()
	s.settle()
	require.Equal(t, []string{"2", "3", "4", "5", "6", "7", "8", "10", "9"}, order)
	require.Zero(t, s.pub.Counts().Unindexed)
}

// TestAnEvictedBlockIsNoLongerHeld: the index that its memory waits for will not be written.
func TestAnEvictedBlockIsNoLongerHeld(t *testing.T) {
	pool := &buffers{}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers, c.Limits.MaxMsgs = 400_000, pool, 3 })
	s.tick(start)
	for range 3 {
		s.step(store("a", 300_000)) // a block each
		s.runCommits()
	}
	index := s.hold(t, engine.WorkIndex, 1)
	require.Equal(t, 3, pool.lent, "two blocks are held, and the tail")
	for range 2 {
		s.step(store("a", 300_000))
		s.runCommits()
	}
	require.Equal(t, uint64(3), s.pub.First(), "both are evicted")
	s.e.Done(engine.Done{ID: index.ID})
	s.settle()
	require.Equal(t, 1, pool.lent, "the tail")
}
