package raftstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/hashicorp/raft"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Config says where a Store is and how it works. Stream.Dir is required.
type Config struct {
	// Stream is the configuration of both streams: Dir is the folder that has them, and Name, "raft" if it is empty, what
	// their names begin with: "raft-log" and "raft-stable". Limits are not allowed: what a limit removes is lost to raft.
	// Whatever else there is counts: Sync, Key, Cipher, Compression, Runtime, Logger and so on.
	Stream actors.Config
	// System is what the actors of the streams belong to. Default: one of its own, which Close shuts down.
	System *actor.ActorSystem
	// Patience is how long an operation waits for a stream that has failed to recover, and tries again, before it
	// returns the error. Raft's main loop waits for it. Default 1 s; below zero it does not.
	Patience time.Duration
	// AcceptLoss has Open take a log with missing entries. See ErrLoss.
	AcceptLoss bool
}

// logBlockSize is the size of the blocks of the log: what a truncation reads, and writes anew, is mostly one of them. A
// quarter of what a stream has otherwise makes it four times as fast, and an append no slower that can be measured.
const logBlockSize = 2 << 20

// defaultPatience is short enough that a leader whose disk is gone steps down before anybody calls.
const defaultPatience = time.Second

// Store is the log and the stable store of a raft server. It is safe for concurrent use.
type Store struct {
	log, stable *actors.Store
	patience    time.Duration
	shutDown    func()
	closing     sync.Once
	closed      error

	// tail is held by whoever changes the end of the log.
	tail sync.Mutex
	// unsure is 0, or one more than the last index that is certain: a store has failed, and what is behind it may be
	// there or not. It is set and cleared with tail held.
	unsure atomic.Uint64
	// staged is the commit index for the next entries.
	staged atomic.Uint64
}

var (
	_ raft.LogStore               = (*Store)(nil)
	_ raft.StableStore            = (*Store)(nil)
	_ raft.MonotonicLogStore      = (*Store)(nil)
	_ raft.CommitTrackingLogStore = (*Store)(nil)
)

// Open opens both streams, which it creates when there are none. Errors are ErrConfig, ErrLoss, and those of actors.Open.
func Open(ctx context.Context, config Config) (*Store, error) {
	log, stable, err := config.streams()
	if err != nil {
		return nil, err
	}
	s := &Store{patience: config.Patience, shutDown: func() {}}
	if s.patience == 0 {
		s.patience = defaultPatience
	}
	system := config.System
	if system == nil {
		system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(slog.DiscardHandler) // the streams log by themselves
		}))
		s.shutDown = system.Shutdown
	}
	if s.log, err = actors.Open(ctx, system, log); err != nil {
		s.shutDown()
		return nil, err
	}
	if s.stable, err = actors.Open(ctx, system, stable); err != nil {
		err = errors.Join(err, s.log.Stop(ctx))
		s.shutDown()
		return nil, err
	}
	if err := s.inspect(ctx, config.AcceptLoss); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// streams returns the configurations of the two streams.
func (c Config) streams() (log, stable actors.Config, err error) {
	s := c.Stream
	switch {
	case s.MaxMsgs > 0 || s.MaxBytes > 0 || s.MaxMsgsPer > 0 || s.MaxAge > 0:
		return log, stable, fmt.Errorf("%w: a raft log has no limits", ErrConfig)
	case s.StreamConfig != nil || s.FirstSequence > 1 || s.ReadOnly:
		return log, stable, fmt.Errorf("%w: StreamConfig, FirstSequence and ReadOnly cannot be had", ErrConfig)
	}
	if s.Name == "" {
		s.Name = "raft"
	}
	log, stable = s, s
	log.Name, stable.Name = s.Name+"-log", s.Name+"-stable"
	stable.MaxMsgsPer = 1
	if s.BlockSize == 0 {
		log.BlockSize, stable.BlockSize = logBlockSize, stableBlockSize
	}
	return log, stable, nil
}

// inspect looks at what was opened: a log without limits and without gaps. It takes up the commit index where it was.
func (s *Store) inspect(ctx context.Context, acceptLoss bool) error {
	if l := s.log.Limits(); l.MaxMsgs > 0 || l.MaxBytes > 0 || l.MaxMsgsPer > 0 || l.MaxAge > 0 {
		return fmt.Errorf("%w: the stream %s has limits, and a raft log must have none", ErrConfig, s.log.Name())
	}
	state, err := s.log.State(ctx)
	if err != nil {
		return err
	}
	lost, err := s.log.Lost(ctx)
	if err != nil {
		return err
	}
	if !acceptLoss && (len(lost) > 0 || len(state.DeletedRanges) > 0) {
		return fmt.Errorf("%w: of %d to %d, %d are not there, in %d ranges, and %d ranges are lost through damage",
			ErrLoss, state.FirstSequence, state.LastSequence, state.Deleted, len(state.DeletedRanges), len(lost))
	}
	committed, err := s.GetCommitIndex()
	if err != nil && !acceptLoss {
		return err
	}
	s.staged.Store(committed)
	return nil
}

// Log returns the stream of the log, for metrics, snapshots and tools. Whoever changes it changes what raft relies on.
func (s *Store) Log() *actors.Store { return s.log }

// Stable returns the stream of the stable store.
func (s *Store) Stable() *actors.Store { return s.stable }

// Close stops both streams. It may be called repeatedly; raft has to be shut down before it.
func (s *Store) Close() error {
	s.closing.Do(func() {
		ctx := context.Background()
		s.closed = errors.Join(s.log.Stop(ctx), s.stable.Stop(ctx))
		s.shutDown()
	})
	return s.closed
}

// failed tells an error of storage that fails from a refusal: the operation may have happened, and the stream recovers.
func failed(err error) bool {
	return err != nil && !errors.Is(err, actors.ErrStopped) &&
		(errors.Is(err, actors.ErrFailed) || errors.Is(err, actors.ErrOutcomeUnknown))
}

// unreadablePause is the time between two attempts to do what needs a block that cannot be read at the moment.
const unreadablePause = 10 * time.Millisecond

// patiently carries out what may be done twice, again after each recovery, until it does not fail for the storage or the
// patience is over.
func (s *Store) patiently(stream *actors.Store, do func(ctx context.Context) error) error {
	err := do(context.Background())
	if s.patience < 0 || !failed(err) && !errors.Is(err, actors.ErrUnreadable) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	for {
		switch {
		case failed(err):
			if stream.Ready(ctx) != nil {
				return err
			}
		case errors.Is(err, actors.ErrUnreadable):
			select {
			case <-time.After(unreadablePause):
			case <-ctx.Done():
				return err
			}
		default:
			return err
		}
		again := do(ctx)
		if ctx.Err() != nil && again != nil {
			return errors.Join(err, again)
		}
		err = again
	}
}
