package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestATruncationKnowsPlainBlocks: those of few subjects that stay as they are need not be read, also when the stream was
// opened or truncated before. The shell holds what is known of each against a scan.
func TestATruncationKnowsPlainBlocks(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 700 })
	const messages = 60
	for i := range messages {
		s.must(t, store(fmt.Sprint("s", i%3), 10))
	}
	blocks := len(s.pub.View().Blocks())
	require.Greater(t, blocks, 6)
	s.must(t, truncateTo(messages-2))
	require.Equal(t, blocks-1, s.known)
	s.must(t, truncateTo(messages-3))
	require.Equal(t, 2*(blocks-1), s.known)
	s.reopen()
	s.must(t, truncateTo(messages/2))
	require.Greater(t, s.known, 2*(blocks-1)+blocks/3)
	require.NoError(t, s.e.CheckInvariants())
	require.Len(t, s.live(), messages/2)
	for i := range 3 {
		info, _ := s.pub.Subjects().Get(fmt.Sprint("s", i))
		require.EqualValues(t, messages/2/3, info.Count)
	}
	s.must(t, store("s0", 10))
	require.EqualValues(t, messages/2+1, s.pub.Last())
}

// TestWhatATruncationHasToRead: a block that has anything but messages of few subjects.
func TestWhatATruncationHasToRead(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, s *shell){
		"a removal": func(t *testing.T, s *shell) {
			s.must(t, sent{"remove", &engine.Remove{Sequence: 2}})
		},
		"a removal that another block tells of": func(t *testing.T, s *shell) {
			for len(s.pub.View().Blocks()) < 2 {
				s.must(t, store("a", 100))
			}
			s.must(t, sent{"remove", &engine.Remove{Sequence: 1}})
		},
		"many subjects": func(t *testing.T, s *shell) {
			for i := range 10 {
				s.must(t, store(fmt.Sprint("t", i), 10))
			}
		},
		"a skip":       func(t *testing.T, s *shell) { s.must(t, sent{"skip", &engine.Skip{Count: 2}}, store("a", 10)) },
		"what is gone": func(t *testing.T, s *shell) { s.must(t, sent{"compact", &engine.Compact{Sequence: 3}}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = 2000 })
			s.must(t, store("a", 10), store("a", 10), store("a", 10))
			spoil(t, s)
			for len(s.pub.View().Blocks()) < 2 {
				s.must(t, store("a", 100))
			}
			s.must(t, store("a", 10))
			s.must(t, truncateTo(s.pub.Last()-1))
			require.Zero(t, s.known)
		})
	}
}
