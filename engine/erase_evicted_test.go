package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestErasingWhatALimitRemovedBringsNothingBack: with the tombstone of the erased message MaxBytes would have room for
// the one before it when the stream is opened.
func TestErasingWhatALimitRemovedBringsNothingBack(t *testing.T) {
	cfg := testConfig()
	cfg.BlockSize, cfg.Limits = 8<<20, engine.Limits{MaxBytes: 3000}
	s := newShell(cfg, newDisk(), engine.NewPublished(), start)
	s.must(t, store("a", 40), store("a", 1540), store("a", 1540))
	require.Equal(t, []uint64{3}, s.live())
	s.do(sent{"erase", &engine.Erase{Sequence: 2}})
	s.reopen()
	require.Equal(t, []uint64{3}, s.live())
}
