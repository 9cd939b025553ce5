package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestShortOfMemoryTheTailIsTrimmed: written chunks of the tail go when the
// process holds too many, also while the next group is being gathered, and
// readers are told.
func TestShortOfMemoryTheTailIsTrimmed(t *testing.T) {
	pool := &buffers{tight: true}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 8<<20, pool })
	for range 70 {
		s.must(t, store("a", 100_000))
	}
	require.LessOrEqual(t, pool.lent, 2)
	require.Positive(t, pool.puts, "no reader saw them: they are used again")
	require.Zero(t, pool.lost)
	tail := s.pub.View().Find(1).Tail
	offset, size, found, known := tail.Locate(1)
	require.True(t, found && known)
	require.Nil(t, tail.Bytes(offset, size), "trimmed")
	offset, size, _, _ = tail.Locate(70)
	require.NotNil(t, tail.Bytes(offset, size), "the last one is in memory")
	for sequence := range uint64(70) {
		_, ok := s.read(sequence + 1)
		require.True(t, ok)
	}
	pool.tight = false
	s.e.Abort()
	s.e.Release()
	require.Zero(t, pool.lent, "all came back")
}

// TestATrimmedChunkThatAReaderHoldsIsNotUsedAgain: a reader may go on reading the bytes
// it got, whatever becomes of the tail.
func TestATrimmedChunkThatAReaderHoldsIsNotUsedAgain(t *testing.T) {
	pool := &buffers{}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 8<<20, pool })
	s.must(t, repeat(store("a", 100_000), 20)...)
	lent := pool.lent
	require.Greater(t, lent, 2, "several chunks")
	tail := s.pub.View().Find(1).Tail
	var held [][]byte
	for sequence := range uint64(20) {
		offset, size, found, known := tail.Locate(sequence + 1)
		require.True(t, found && known)
		held = append(held, tail.Bytes(offset, size))
		require.NotNil(t, held[sequence])
	}
	pool.tight = true
	s.must(t, repeat(store("b", 100_000), 20)...)
	require.GreaterOrEqual(t, pool.lost, lent-1, "trimmed")
	require.Zero(t, pool.puts, "a slice that a reader holds was put back")
	for i, data := range held {
		r, ok := decode(1, data)
		require.True(t, ok && r.sequence == uint64(i+1), "the bytes of message %d changed under a reader", i+1)
	}
}

// TestATrimLeavesWhatIsNotWritten: while a group is written the next one is gathered, and its
// bytes, and the mark that its frame begins with, are in the same memory.
func TestATrimLeavesWhatIsNotWritten(t *testing.T) {
	pool := &buffers{tight: true}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 64<<20, pool })
	const rounds = 60
	for range rounds {
		for range 3 { // a frame of several records
			s.step(store("a", 100_000))
		}
		for s.runCommit() { // the group before
		}
		s.turn()
	}
	s.settle()
	if err := s.e.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	require.Greater(t, pool.puts, rounds/3, "trimmed")
	require.Equal(t, uint64(3*rounds), s.pub.Last())
	for sequence := range uint64(3 * rounds) {
		_, ok := s.disk.find(1, sequence+1)
		require.True(t, ok, "message %d is not in the file as it was stored", sequence+1)
	}
	s.reopen()
	require.Len(t, s.live(), 3*rounds)
}

// TestWhatAReaderHoldsStaysWhenTheBlockIsFull: the bytes of its records, and their table.
func TestWhatAReaderHoldsStaysWhenTheBlockIsFull(t *testing.T) {
	pool := &buffers{}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 2<<20, pool })
	s.must(t, repeat(store("a", 100_000), 19)...)
	tail := s.pub.View().Find(1).Tail
	records, known := tail.Table()
	require.True(t, known)
	require.Equal(t, 19, records.Len())
	var held [][]byte
	for i := range records.Len() {
		r := records.At(i)
		held = append(held, tail.Bytes(r.Offset, r.Size))
	}
	for range 100 { // several blocks, one after the other
		s.must(t, store("b", 100_000))
	}
	require.Nil(t, tail.Bytes(records.At(0).Offset, records.At(0).Size), "nobody else finds them any more")
	for i, data := range held {
		sequence := uint64(i + 1)
		r, ok := decode(1, data)
		require.True(t, ok && r.sequence == sequence, "the bytes of message %d changed under a reader", sequence)
		require.Equal(t, sequence, records.Sequence(i), "the table changed under a reader")
		require.Equal(t, len(data), records.At(i).Size)
	}
}

// TestBytesThatAreNotInOneChunkAreNotInMemory.
func TestBytesThatAreNotInOneChunkAreNotInMemory(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 10))
	tail := s.pub.View().Find(1).Tail
	offset, size, _, _ := tail.Locate(1)
	require.Len(t, tail.Bytes(offset, size), size)
	require.Nil(t, tail.Bytes(offset, 1<<20))
	require.Nil(t, tail.Bytes(1<<30, size))
}
