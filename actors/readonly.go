package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A stream that is open for reading only is recovered as any other, over the directory as it was at one instant
// (blockio.Overlay), which has in memory what recovery writes. After that the engine is asked nothing but what
// readers are shown: the work that it has ready is left alone, and it is not told the time.

// Opening for reading beside a stream that changes: how often it is tried, and how long is waited between.
const (
	readOnlyAttempts = 50
	readOnlyWait     = 10 * time.Millisecond
)

// openReadOnly opens a stream without changing anything.
func openReadOnly(ctx context.Context, system *actor.ActorSystem, config Config) (*storeActor, error) {
	config = config.readOnly()
	for attempt := 1; ; attempt++ {
		a, err := tryReadOnly(ctx, system, config)
		if err == nil || !errors.Is(err, ErrChanged) || attempt == readOnlyAttempts {
			return a, err
		}
		wait := time.NewTimer(readOnlyWait)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// readOnly returns what of the configuration counts for a stream that is open for reading only.
func (c Config) readOnly() Config {
	return Config{
		Dir: c.Dir, Name: c.Name, Runtime: c.Runtime, Logger: c.Logger, FS: c.FS, Key: c.Key, OldKey: c.OldKey,
		MaxInFlight: c.MaxInFlight, MaxInFlightBytes: c.MaxInFlightBytes, ReadOnly: true,
		RecreateMeta: true, NoRecovery: true, IndexFrom: c.IndexFrom, CompactBelow: -1,
	}
}

// readOnlyEngine takes out of the configuration of an engine what is for streams that change.
func readOnlyEngine(c engine.Config) engine.Config {
	c.IndexFrom, c.CompactBelow, c.Compress = -1, 0, false
	c.Schedules, c.Duplicates = false, engine.IDLimits{}
	return c
}

// tryReadOnly opens a stream as it is now.
func tryReadOnly(ctx context.Context, system *actor.ActorSystem, config Config) (*storeActor, error) {
	s := newStream(system, config)
	overlay, err := blockio.NewOverlay(config.FS, s.dir)
	if err != nil {
		return nil, err
	}
	config.FS = overlay
	below := s.below
	s = newStream(system, config)
	s.below = below
	a, err := s.recover(ctx, nil)
	if err != nil {
		s.repeats.end()
		s.source.Blocks().Close()
		return nil, errors.Join(err, overlay.Close())
	}
	a.lock = overlay // closed when the store has stopped
	return a, nil
}

// checkReadOnly refuses to open for reading what is no stream, and notes what is not known of one.
func (s *stream) checkReadOnly(meta storedMeta) error {
	switch {
	case meta.isNew:
		return fmt.Errorf("%w: there is no stream in %s", fs.ErrNotExist, s.dir)
	case meta.lost != nil:
		s.log.Warn("the stream's configuration is lost; its messages are shown without any limits", "error", meta.lost)
	}
	return nil
}

// onReadOnlyTurnEnd takes what the engine has ready, whose replies are delivered. It does nothing that would change
// files, or the memory that stands for them.
func (a *storeActor) onReadOnlyTurnEnd(ctx actor.Context, ready *engine.Ready) {
	for _, w := range ready.Maintenance {
		if w.Kind == engine.WorkSubjects { // counts what is left when messages are lost
			a.maintain(ctx, w)
		}
	}
	a.notice()
	if a.stopping {
		a.maybeClose(ctx)
	}
}

// changes reports whether an operation would change the stream.
func (o *op) changes() bool {
	_, flush := o.command.(*engine.Flush)
	return !flush || o.config != nil
}
