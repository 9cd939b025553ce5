package engine_test

import (
	"errors"
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
	s.e.Abort(errors.New("test"))
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
