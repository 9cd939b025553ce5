package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestTombstonesBesideDamageStay: what is missing around damage is lost, unless something says that it was removed.
func TestTombstonesBesideDamageStay(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		s := open(compacting)
		for i := range 35 {
			s.must(t, store([]string{"a", "b"}[i%2], 100))
		}
		for sequence := uint64(8); sequence <= 14; sequence++ { // all of block 2
			s.must(t, removal(sequence))
		}
		s.reopen()
		want := []uint64(nil)
		if damaged {
			require.EqualValues(t, 1, s.lose(t, 1, 3, 3, nil))
			want = []uint64{8, 9, 10, 11, 12, 13, 14}
		}
		require.Equal(t, want, kept(t, s, 4, []uint64{22, 23, 24}, 8, 14))
	}
}

// TestALossIsToldOfWhenTheRestOfItsBlockIsRemoved from the head of a stream without limits, until it is removed, too.
func TestALossIsToldOfWhenTheRestOfItsBlockIsRemoved(t *testing.T) {
	s := lostWorld(t)
	require.EqualValues(t, 2, s.lose(t, 1, 4, 5, nil))
	for _, sequence := range []uint64{1, 2, 3, 6, 7} {
		s.must(t, removal(sequence))
	}
	s.settle()
	require.NotEmpty(t, s.pub.LostWithin(4, 5))
	s.must(t, sent{"compact", &engine.Compact{Sequence: 10}}, removal(10)) // the floor takes them
	s.settle()
	require.EqualValues(t, 11, s.pub.First())
	require.Equal(t, uint32(2), s.pub.View().Blocks()[0].ID)
	require.Empty(t, s.pub.LostWithin(4, 5))
}
