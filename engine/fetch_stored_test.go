package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestManySubjectsAreCountedInOneGroup: in an index of many subjects, what a group has stored is read ahead before it is counted,
// whether a subject is new, known, or none.
func TestManySubjectsAreCountedInOneGroup(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 64 << 20 })
	const n = 100_000
	batch := func(from, to int) sent {
		var messages []engine.Message
		for i := from; i < to; i++ {
			messages = append(messages, engine.Message{Subject: fmt.Sprint("kv.", i)})
		}
		return sent{"batch", &engine.StoreBatch{Messages: messages}}
	}
	for from := 0; from < n; from += 10_000 {
		s.must(t, batch(from, from+10_000))
	}
	s.must(t, batch(n-50, n+55), sent{"none", &engine.Store{}}, batch(n-20, n), store("a", 5))

	tree := s.pub.Snapshot().Subjects
	require.Equal(t, n+55+1, tree.Len())
	require.Equal(t, uint64(n+105+20+1), tree.Messages(), "all that have a subject")
	for i, count := range map[int]uint64{0: 1, n - 51: 1, n - 50: 2, n - 20: 3, n - 1: 3, n: 1, n + 54: 1} {
		info, ok := tree.Get(fmt.Sprint("kv.", i))
		assert.True(t, ok)
		assert.Equal(t, count, info.Count, "subject %d", i)
	}
	require.NoError(t, s.e.CheckInvariants())
}
