package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// nearly returns how many of the sequences 1..last of the first block Near knows the place of. Where it knows one, that
// has to be where the message is.
func nearly(t *testing.T, s *shell, last uint64) (known int) {
	t.Helper()
	tail := s.pub.View().Find(1).Tail
	for sequence := range last + 2 {
		bytes, at := tail.Near(sequence)
		if bytes == nil {
			continue
		}
		known++
		offset, size, found, _ := tail.Locate(sequence)
		require.True(t, found, "message %d", sequence)
		require.Equal(t, offset, at, "message %d", sequence)
		require.Equal(t, tail.Bytes(offset, size), bytes[:size], "message %d", sequence)
	}
	return known
}

func TestTheRecordsOfABlockInMemoryAreKnownByTheirPlaces(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 8 << 20 })
	for i := range 1000 {
		s.must(t, store(fmt.Sprint("a.", i%7), i%300))
	}
	// All up to the last chunk of the table, but for those behind which the memory goes on elsewhere.
	assert.InDelta(t, 768, nearly(t, s, 1000), 8)

	// Removals write between the records of messages, and the messages stay in the table.
	for sequence := range uint64(100) {
		s.must(t, sent{"remove", &engine.Remove{Sequence: 3*sequence + 1}})
		s.must(t, store("b", 10))
	}
	assert.InDelta(t, 1024, nearly(t, s, 1100), 8)
}

// TestPlacesSayNothingBehindAGap: a sequence without a message takes no place in the table.
func TestPlacesSayNothingBehindAGap(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 8 << 20 })
	s.must(t, repeat(store("a", 10), 700)...)
	s.must(t, skip(701, 3))
	s.must(t, repeat(store("a", 10), 900)...)
	// The chunk in the middle of which the gap is counts as a whole: it ends with another sequence than its place.
	assert.InDelta(t, 512, nearly(t, s, 1603), 8)
}

// TestPlacesInMemoryThatIsGone: the table stays when the bytes are trimmed.
func TestPlacesInMemoryThatIsGone(t *testing.T) {
	pool := &buffers{tight: true}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 4<<20, pool })
	for range 7 {
		s.must(t, repeat(store("a", 10_000), 50)...)
	}
	tail := s.pub.View().Find(1).Tail
	bytes, _ := tail.Near(1)
	assert.Nil(t, bytes, "trimmed")
	_, _, found, known := tail.Locate(1)
	assert.True(t, found && known, "the table has it")
	nearly(t, s, 350)
	s.must(t, repeat(store("a", 10_000), 100)...)
	bytes, _ = tail.Near(1)
	assert.Nil(t, bytes, "the block is full")
	_, _, _, known = tail.Locate(1)
	assert.False(t, known)
}

// TestTheSizesOfMessagesWhoseTimesGoBack: a table marks those in what it has of their sizes.
func TestTheSizesOfMessagesWhoseTimesGoBack(t *testing.T) {
	s := open(nil)
	s.must(t, raw(1, 20*second), raw(2, 10*second), raw(3, 30*second))
	table, known := s.pub.View().Find(1).Tail.Table()
	require.True(t, known)
	for i := range table.Len() {
		assert.Equal(t, table.At(0).Size, table.At(i).Size, "record %d", i)
	}
	_, size, _, _ := s.pub.View().Find(3).Tail.Locate(3)
	assert.Equal(t, table.At(0).Size, size)
	require.NoError(t, s.e.CheckInvariants())
}
