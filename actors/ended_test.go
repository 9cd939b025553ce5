package actors_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestNothingIsBegunAfterItsContextHasEnded: whoever has no time left changes nothing, and is told so, however fast the
// store would have been.
func TestNothingIsBegunAfterItsContextHasEnded(t *testing.T) {
	s := fooStream(t, actors.Config{Sync: actors.SyncNever}, 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	for name, change := range map[string]func() error{
		"store":        func() error { _, err := s.StoreMsg(ctx, "foo", nil, nil); return err },
		"batch":        func() error { _, err := s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "foo"}}); return err },
		"raw":          func() error { _, err := s.StoreRaw(ctx, actors.RawMessage{Subject: "foo"}); return err },
		"skip":         func() error { _, err := s.Skip(ctx, 4, 1); return err },
		"remove":       func() error { _, err := s.RemoveMsg(ctx, 1); return err },
		"erase":        func() error { _, err := s.EraseMsg(ctx, 1); return err },
		"purge":        func() error { _, err := s.Purge(ctx); return err },
		"compact":      func() error { _, err := s.Compact(ctx, 3); return err },
		"truncate":     func() error { _, err := s.Truncate(ctx, 1); return err },
		"sync deleted": func() error { _, err := s.SyncDeleted(ctx, []actors.SequenceRange{{First: 1, Last: 3}}); return err },
		"limits":       func() error { return s.UpdateConfig(ctx, actors.Config{MaxMsgs: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				err := change()
				require.ErrorIs(t, err, enough)
				require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
			}
			state := stateOf(t, s)
			require.EqualValues(t, 3, state.Messages)
			require.EqualValues(t, 3, state.LastSequence)
		})
	}
	pipeline := s.Pipeline(10, func(actors.PipelineResult) {})
	for range 200 {
		_, err := pipeline.Store(ctx, "foo", nil, nil)
		require.ErrorIs(t, err, enough)
	}
	require.NoError(t, pipeline.Wait(t.Context()))
	require.EqualValues(t, 3, stateOf(t, s).LastSequence)
}
