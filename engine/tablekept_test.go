package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestAFullStreamLoadsNoTables: where MaxMsgs comes round soon, the tables of its blocks stay until it does, unless
// memory is short; when nobody has stored anything for a while, only those near the head do.
func TestAFullStreamLoadsNoTables(t *testing.T) {
	for _, tight := range []bool{false, true} {
		cfg := testConfig()
		cfg.BlockSize, cfg.Limits = 400, engine.Limits{MaxMsgs: 30}
		cfg.Buffers.(*buffers).tight = tight
		s := newShell(cfg, newDisk(), engine.NewPublished(), start)
		loads := 0
		s.trace = func(what string) {
			if strings.Contains(what, "load") {
				loads++
			}
		}
		for i := range 100 {
			if s.must(t, store("a", 69)); i == 60 { // twice what the stream holds
				loads = 0
			}
		}
		require.Equal(t, tight, loads > 0, "%d loads", loads)
		require.Equal(t, uint64(71), s.pub.First())
		if tight {
			continue
		}
		require.Greater(t, s.e.Tables(), 3)
		s.tick(s.now + int64(time.Minute))
		s.settle()
		require.LessOrEqual(t, s.e.Tables(), 3)
		s.must(t, store("a", 69))
		require.Equal(t, uint64(72), s.pub.First())
	}
}
