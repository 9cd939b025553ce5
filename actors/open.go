package actors

import (
	"context"
	"errors"
	"fmt"
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
const lockFile = "millrace.lock"

// Open opens the stream Config.Dir/Config.Name, which it creates when there is
// none, and recovers it: it scans the blocks, cuts off what a crash has left of a
// commit that was not acknowledged, and applies the limits. It runs on the
// caller's goroutine until it is done or the context ends, and logs progress when
// that takes long. The store's actors belong to system, which Open does not own.
//
// Errors: ErrConfig lists every problem of the configuration; ErrLocked says who
// has the stream open; ErrCorrupt names a meta file that cannot be trusted;
// ErrUnsupported a feature of nats-server that this version cannot handle (an
// encrypted stream, compressed blocks). None of these changes anything. Damaged
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
	s := newStream(system, config)
	a, err := s.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("actors: open stream %s: %w", config.Name, err)
	}
	props := actor.PropsFromProducer(func() actor.Actor { return a },
		actor.WithMailbox(func() actor.Mailbox { return s.mailbox }),
		actor.WithGuardian(stopOnPanic{}))
	pid := system.Root.SpawnPrefix(props, "millrace/"+config.Name+"/")
	return &Store{stream: s, pid: pid}, nil
}

// newStream returns a stream that is not open yet. Its configuration has its defaults.
func newStream(system *actor.ActorSystem, config Config) *stream {
	s := &stream{
		config: config, dir: filepath.Join(config.Dir, config.Name),
		log:    config.Logger.With("stream", config.Name),
		system: system, runtime: config.Runtime,
		published: engine.NewPublished(),
		credits:   mailbox.NewCredits(config.MaxInFlight, config.MaxInFlightBytes, ErrStopped),
		reads:     mailbox.NewCredits(mostReads, config.MaxInFlightBytes, ErrStopped),
		gone:      make(chan struct{}),
	}
	s.source = read.NewSource(read.Config{
		Stream: config.Name, FS: config.FS, Dir: s.dir, Published: s.published, Shared: s.runtime.readers,
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
	if err := fsys.MkdirAll(s.dir); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(filepath.Join(s.dir, lockFile), holder())
	if err != nil {
		return nil, err
	}
	a, err := s.recover(ctx)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	a.lock = lock
	return a, nil
}

// recover brings up the store actor from the files. The directory is locked.
func (s *stream) recover(ctx context.Context) (*storeActor, error) {
	saveMeta, err := s.openMeta()
	if err != nil {
		return nil, err
	}
	files := s.newFiles()
	if err := s.config.FS.MkdirAll(files.Blocks.Dir()); err != nil {
		return nil, err
	}
	start := time.Now()
	r := disk.Recovery{
		Files: files, Config: s.engineConfig(), Published: s.published, Now: s.runtime.now(),
		Scanners: s.runtime.scans, Readable: saveMeta, MaxMsgsPer: s.serverLimits.maxMsgsPer, ServerWasHere: s.serverLimits.cannotTell,
	}
	e, err := r.Run(ctx)
	if err != nil {
		return nil, errors.Join(err, files.Blocks.Close())
	}
	state := s.published.State()
	s.log.Info("opened", "messages", state.Messages, "first", state.FirstSequence, "last", state.LastSequence,
		"lost", state.LostMessages, "elapsed", time.Since(start))
	return &storeActor{stream: s, engine: e, files: files, noticed: state.LastSequence}, nil
}

// holder says who holds a lock.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
}

// openMeta reads the stream's meta file, if there is one, and merges its limits
// with the configuration's. It returns what writes the file, which has to wait
// until the blocks are known to be readable.
func (s *stream) openMeta() (save func() error, err error) {
	c := &s.config
	if err := blockio.FinishMeta(c.FS, s.dir, c.Name); err != nil {
		return nil, err
	}
	meta, err := blockio.ReadMeta(c.FS, s.dir, c.Name)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew:
		meta = blockio.NewStreamMeta(c.Name, s.runtime.clock())
	case errors.Is(err, blockio.ErrEncrypted):
		return nil, fmt.Errorf("%w: the stream is encrypted", ErrUnsupported)
	case err != nil:
		return nil, err
	}
	if err := s.supported(meta); err != nil {
		return nil, err
	}
	changed := s.mergeLimits(meta)
	if len(c.Subjects) > 0 && !equal(meta.Subjects, c.Subjects) {
		meta.Subjects, changed = c.Subjects, true
	}
	if isNew && c.FirstSequence > 1 {
		meta.FirstSeq = c.FirstSequence
	}
	c.FirstSequence = meta.FirstSeq
	if c.BlockSize == 0 {
		c.BlockSize = blockSizeFor(s.limits.MaxBytes)
	}
	return func() error {
		if isNew || changed {
			return blockio.WriteMeta(c.FS, s.dir, c.Name, meta)
		}
		return nil
	}, nil
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// supported refuses directories that this version would misread, and warns of
// limits that it does not apply.
func (s *stream) supported(meta *blockio.StreamMeta) error {
	features, err := blockio.ReadDirectoryFeatures(s.config.FS, s.dir)
	if err != nil {
		return err
	}
	switch {
	case features.Encrypted:
		return fmt.Errorf("%w: the stream is encrypted", ErrUnsupported)
	case features.PurgeCut:
		return fmt.Errorf("%w: a purge by nats-server was cut short; let it finish the purge first", ErrUnsupported)
	}
	s.serverLimits.maxMsgsPer = meta.MaxMsgsPerSubject
	s.serverLimits.cannotTell = features.HasIndex || meta.AllowMsgTTL || meta.AllowMsgSchedules
	for name, set := range map[string]bool{
		"max_msgs_per_subject": meta.MaxMsgsPerSubject > 0,
		"allow_msg_ttl":        meta.AllowMsgTTL,
		"allow_msg_schedules":  meta.AllowMsgSchedules,
	} {
		if set {
			s.log.Warn("the stream has a limit that this version does not apply", "limit", name)
		}
	}
	return nil
}

// mergeLimits takes limits from the configuration where it has them and from the
// meta file where not. It reports whether the meta file has to change.
func (s *stream) mergeLimits(meta *blockio.StreamMeta) (changed bool) {
	c, before := &s.config, *meta
	meta.MaxMsgs = limit(meta.MaxMsgs, c.MaxMsgs, Unlimited)
	meta.MaxBytes = limit(meta.MaxBytes, c.MaxBytes, Unlimited)
	meta.MaxMsgSize = limit(meta.MaxMsgSize, int32(max(c.MaxMsgSize, Unlimited)), Unlimited)
	meta.MaxAge = limit(meta.MaxAge, c.MaxAge, 0)
	switch c.Discard {
	case DiscardOld:
		meta.Discard = "old"
	case DiscardNew:
		meta.Discard = "new"
	}
	s.limits = engine.Limits{
		MaxMsgs: meta.MaxMsgs, MaxBytes: meta.MaxBytes,
		MaxAge: meta.MaxAge, MaxMsgSize: int(meta.MaxMsgSize),
	}
	if meta.Discard == "new" {
		s.limits.Discard = engine.DiscardNew
	}
	return meta.MaxMsgs != before.MaxMsgs || meta.MaxBytes != before.MaxBytes ||
		meta.MaxMsgSize != before.MaxMsgSize || meta.MaxAge != before.MaxAge ||
		meta.Discard != before.Discard
}

// limit returns the limit that is in force: the stored one unless the
// configuration wants another, or none.
func limit[T int32 | int64 | time.Duration](stored, wanted, unlimited T) T {
	switch {
	case wanted == 0:
		return stored
	case wanted < 0:
		return unlimited
	}
	return wanted
}
