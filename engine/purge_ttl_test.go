package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestAMessageIsDueWhileAPurgeGoesOn in pieces: its removal waits for the purge, and is known to be under way.
func TestAMessageIsDueWhileAPurgeGoesOn(t *testing.T) {
	defer engine.SetPurgePieces(1, 1, 1)()
	s := open(func(c *engine.Config) {
		c.Level = engine.SyncNever
		c.Limits.MsgTTL = engine.TTLOn
	})
	for range 6 {
		s.must(t, store("a", 10))
	}
	s.must(t, sent{"ends", &engine.Store{Message: engine.Message{Subject: "b", Header: withTTL(nil, "1")}}})
	set := subject.NewSet(subject.Compile("a"))
	s.step(sent{"purge", &engine.Purge{Filter: &set}})
	s.e.Tick(s.now + int64(time.Second))
	require.NoError(t, s.e.CheckInvariants())
	s.tick(s.now + int64(time.Second))
	s.settle()
	require.Empty(t, s.live())
}
