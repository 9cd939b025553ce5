package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// lockFile is held while a stream is open.
const lockFile = blockio.LockFile

// Open opens the stream Config.Dir/Config.Name, which it creates when there is
// none, and recovers it: it scans the blocks, cuts off what a crash has left of a
// commit that was not acknowledged, and applies the limits. It runs on the
// caller's goroutine until it is done or the context ends, and logs progress when
// that takes long. The store's actors belong to system, which Open does not own.
//
// Errors: ErrConfig lists every problem of the configuration; ErrLocked says who
// has the stream open; ErrCorrupt names a meta file that cannot be trusted;
// ErrUnsupported a feature of nats-server that this version cannot handle (blocks that
// are compressed in another way than S2); ErrKey says that the stream is encrypted, and there is no
// Key or the wrong one. None of these changes anything. Damaged
// records are no error: they are logged, counted in State, and the rest is
// served.
func Open(ctx context.Context, system *actor.ActorSystem, config Config) (*Store, error) {
	if system == nil {
		return nil, fmt.Errorf("%w: the actor system is nil", ErrConfig)
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	a, err := open(ctx, system, config)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", config.Name, blockio.NameCause(err))
	}
	s := a.stream
	s.repeats.begin()
	if !config.ReadOnly {
		s.patience.begin()
	}
	props := actor.PropsFromProducer(func() actor.Actor { return a },
		actor.WithMailbox(func() actor.Mailbox { return s.mailbox }),
		actor.WithGuardian(stopOnPanic{}))
	pid := system.Root.SpawnPrefix(props, "millrace/"+config.Name+"/")
	return &Store{stream: s, pid: pid}, nil
}

// open opens a stream in the way that its configuration wants. It has its defaults.
func open(ctx context.Context, system *actor.ActorSystem, config Config) (*storeActor, error) {
	if config.ReadOnly {
		return openReadOnly(ctx, system, config)
	}
	return newStream(system, config).open(ctx)
}

// newStream returns a stream that is not open yet. Its configuration has its defaults.
func newStream(system *actor.ActorSystem, config Config) *stream {
	log, repeats := countRepeats(config.Logger)
	s := &stream{
		config: config, syncing: syncing{config.Sync, config.SyncEvery}, dir: filepath.Join(config.Dir, config.Name), below: config.FS,
		log: log.With("stream", config.Name), repeats: repeats,
		system: system, runtime: config.Runtime,
		published: engine.NewPublished(),
		credits:   mailbox.NewCredits(config.MaxInFlight, config.MaxInFlightBytes, ErrStopped),
		reads:     mailbox.NewCredits(mostReads, config.MaxInFlightBytes, ErrStopped),
		gone:      make(chan struct{}),
	}
	s.bePatient()
	s.encrypt()
	s.source = read.NewSource(read.Config{
		Stream: config.Name, FS: s.config.FS, Dir: s.dir, Published: s.published, Shared: s.runtime.readers,
		Stopped: &s.stopped, Log: s.log, BadIndex: s.reindex, Lose: s.lose, Renew: s.renewIndex, IndexFrom: config.IndexFrom,
	})
	s.mailbox = mailbox.New(mailbox.Options{
		MaxData: 2 * config.MaxInFlight, Share: config.Sync == SyncNever, Reject: s.reject,
	})
	return s
}

// stopOnPanic is the strategy for the store actor: a panic is a bug, after which
// nothing in memory can be trusted. The store stops, and all that wait are told.
type stopOnPanic struct{}

// HandleFailure implements actor.SupervisorStrategy.
func (stopOnPanic) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any,
) {
	system.Logger().Error("panic in a store actor; it stops", "actor", child.Id, "reason", reason)
	supervisor.StopChildren(child)
}

// open locks the directory, reads the meta file, and recovers.
func (s *stream) open(ctx context.Context) (_ *storeActor, err error) {
	fsys := s.config.FS
	if err := s.lookAtKeys(); err != nil {
		return nil, err
	}
	if err := s.refuseUntouched(); err != nil {
		return nil, err
	}
	lock, note, err := s.takeLock(fsys)
	if err != nil {
		return nil, err
	}
	s.finishDeletion(ctx)
	a, err := s.recover(ctx, note)
	if err != nil {
		s.repeats.end()
		return nil, errors.Join(err, lock.Close())
	}
	a.lock = lock
	return a, nil
}

// takeLock makes the directory, if there is none, and locks it. One that is deleted meanwhile is made again.
func (s *stream) takeLock(fsys blockio.FS) (lock io.Closer, note func(), err error) {
	for range 10 {
		if err := fsys.MkdirAll(s.dir); err != nil {
			return nil, nil, err
		}
		lock, note, err = s.lockQuietly(filepath.Join(s.dir, lockFile))
		if !errors.Is(err, fs.ErrNotExist) {
			return lock, note, err
		}
	}
	return nil, nil, err
}

// lockQuietly takes a lock. What is written down of who has it waits, where it can, until it is known that the directory is
// one to be opened: then note does that. It is nil where it could not wait.
func (s *stream) lockQuietly(name string) (_ io.Closer, note func(), err error) {
	quiet, ok := s.below.(blockio.QuietLocker)
	if !ok {
		lock, err := s.config.FS.Lock(name, holder())
		return lock, nil, err
	}
	lock, err := quiet.LockQuietly(name, holder())
	if err != nil {
		return nil, nil, err
	}
	return lock, lock.Note, nil
}

// recover brings up the store actor from the files. The directory is locked; note, if not nil, writes down who has it.
func (s *stream) recover(ctx context.Context, note func()) (*storeActor, error) {
	if err := s.lookAtKeys(); err != nil {
		return nil, err
	}
	meta, err := s.openMeta()
	if err != nil {
		return nil, err
	}
	meta.save = notedBefore(note, meta.save)
	if meta.purgeCut {
		if _, err := blockio.FinishServerPurge(s.config.FS, s.dir); err != nil {
			return nil, err
		}
		s.log.Warn("a purge by nats-server was cut short, and is finished now")
	}
	if err := s.makeBlocksDir(meta.hasBlocks && !meta.purgeCut); err != nil {
		return nil, err
	}
	if err := s.prepareKeys(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	e, r, err := s.runRecovery(ctx, meta, false)
	if errors.Is(blockio.NameCause(err), ErrNoSpace) {
		s.log.Warn("the disk is full; the stream is opened again without what can wait", "error", err)
		e, r, err = s.runRecovery(ctx, meta, true)
	}
	if err != nil {
		return nil, err
	}
	state := s.published.State()
	s.log.Info("opened", "messages", state.Messages, "first", state.FirstSequence, "last", state.LastSequence,
		"lost", state.LostMessages, "elapsed", time.Since(start))
	return &storeActor{
		stream: s, engine: e, files: r.Files, noticed: advance{state.LastSequence, state.Messages}, state: stateLoop{current: r.Described, ours: r.Restored, summed: r.Summed || r.Described && !r.Restored},
		aside: make(asideGate, 1),
	}, nil
}

// makeBlocksDir makes the directory of the blocks, if there is none. That of the stream was made durable before, with all
// above it: to sync those again is a sixth of what it takes to open a small stream.
func (s *stream) makeBlocksDir(there bool) error {
	if there {
		return s.config.FS.SyncDir(s.dir)
	}
	return s.config.FS.MkdirAll(blockio.BlocksDir(s.dir))
}

// runRecovery recovers the stream from its files once, see disk.Recovery.
func (s *stream) runRecovery(ctx context.Context, meta openedMeta, frugal bool) (*engine.Engine, *disk.Recovery, error) {
	r := &disk.Recovery{
		Files: s.newFiles(), Config: s.engineConfig(), Published: s.published, Now: s.runtime.now(), Frugal: frugal,
		Scanners: s.runtime.scans, Readable: meta.save, MaxMsgsPer: s.serverLimits.maxMsgsPer, ServerWasHere: s.serverLimits.cannotTell,
		ServerRemoves: s.serverLimits.removes, ServerHad: s.serverLimits.had,
	}
	if meta.then != nil {
		r.Config.Limits, r.Then = meta.limits, meta.then
	}
	e, err := r.Run(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, r.Blocks.Close())
	}
	return e, r, nil
}

// notedBefore returns save, which is the first change of the directory, with a note before it of who makes it.
func notedBefore(note func(), save func() error) func() error {
	if save == nil || note == nil {
		return save
	}
	return func() error {
		note()
		return save()
	}
}

// refuseUntouched refuses a directory that a store of ours has never had open as openMeta would, but without
// leaving a lock file in it.
func (s *stream) refuseUntouched() error {
	if locked, err := s.everLocked(); locked || err != nil {
		return err
	}
	_, refusal := s.readMeta()
	if refusal == nil {
		return nil
	}
	// A store that opens the directory meanwhile may be writing the meta files.
	if locked, err := s.everLocked(); locked || err != nil {
		return err
	}
	return refusal
}

// everLocked reports whether the directory has a lock file, which nobody ever removes.
func (s *stream) everLocked() (bool, error) {
	file, err := s.config.FS.OpenFile(filepath.Join(s.dir, lockFile), blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, file.Close()
}

// holder says who holds a lock.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
}
