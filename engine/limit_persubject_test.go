package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestLimitOfSubjectBehindACompaction: what a compaction has removed with whole blocks counts no more, before
// that is published.
func TestLimitOfSubjectBehindACompaction(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) {
		sevenABlock(c)
		c.Limits.MaxMsgsPer = 10
	})
	s.must(t, repeat(store("b", 100), 8)...) // in the blocks whose tables are in memory
	s.must(t, repeat(store("c", 100), 8)...)
	s.must(t, repeat(store("a", 100), 10)...)
	s.must(t, repeat(store("d", 100), 4)...)
	s.reopen()
	s.step(sent{new(int), &engine.Compact{Sequence: 25}})
	workOnly := func() {
		for s.turn(); s.runWork(); s.turn() {
		}
	}
	workOnly()
	require.NotNil(t, s.commit)
	s.step(store("a", 100))
	workOnly()
	s.settle()
	require.Equal(t, uint64(31), s.pub.Last())
	require.Zero(t, s.pub.Counts().RemovedPer)
	require.Equal(t, uint64(25), s.pub.First())
}
