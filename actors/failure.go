package actors

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// failure is what a store actor knows of the way back after a failed write.
type failure struct {
	cut        engine.Position // what is safe ends here
	highest    uint32          // number of a block
	wait       time.Duration   // before the next attempt
	armed      bool            // a retry is on its way
	attempting bool
	childless  bool // a child is gone: only a new Open helps
	reason     error
	timer      *time.Timer
	cancel     context.CancelFunc
}

func (f *failure) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.cancel != nil {
		f.cancel()
	}
}

// safeAfter returns where the log can be trusted to end after an error. A failed
// sync says that pages are lost which a read may still show, and a later sync
// would not tell of them; any other error leaves earlier writes as they are.
func (a *storeActor) safeAfter(err error) engine.Position {
	var c *disk.OpError
	if errors.As(err, &c) {
		switch c.Op.Kind {
		case engine.OpCreate, engine.OpRemoveDerived:
			return a.engine.WrittenTo()
		case engine.OpWrite:
			if !c.Op.Sync {
				return a.engine.WrittenTo()
			}
		}
	}
	return a.engine.SyncedTo()
}

// failedToo notes an error of what was still out when the engine failed.
func (a *storeActor) failedToo(err error) {
	if at, f := a.safeAfter(err), &a.failure; at.Before(f.cut) {
		f.cut = at
	}
	a.log.Error("and another failure", "error", err)
}

// failed notes that the engine has failed, and why.
func (a *storeActor) failed(err error) {
	a.failing.Store(true)
	a.meters.failures.Add(1)
	f := &a.failure
	f.cut = a.safeAfter(err)
	// It goes on where it was when no commit has succeeded since.
	f.wait = max(f.wait, a.config.RetryMin)
	a.log.Error("storage failed; reads go on, writes are refused until it has recovered", "error", err)
}

// maybeRecover plans the next attempt to recover, once nothing of the failed
// engine's work is out any more.
func (a *storeActor) maybeRecover(ctx actor.Context) {
	f := &a.failure
	if a.engine.Failed() == nil || a.stopping || a.config.NoRecovery || f.childless ||
		f.armed || f.attempting || a.commits > 0 || a.works > 0 || a.indexing > 0 {
		return
	}
	f.armed = true
	a.log.Info("will try to recover", "in", f.wait)
	post := a.mailbox.PostUserMessage
	f.timer = time.AfterFunc(f.wait, func() { post(&retry{}) })
	f.wait = min(2*f.wait, a.config.RetryMax)
}

// onRetry lets the flusher recover the stream from its files.
func (a *storeActor) onRetry(ctx actor.Context) {
	f := &a.failure
	f.armed = false
	if a.stopping || a.engine.Failed() == nil {
		return
	}
	f.attempting = true
	var background context.Context
	background, f.cancel = context.WithCancel(context.Background())
	old := a.files.Blocks
	r := disk.Recovery{
		Files: a.newFiles(), Config: a.engineConfig(), Published: a.published, Now: a.runtime.now(),
		Scanners: a.runtime.scans, Highest: f.highest,
		After: &disk.Failure{Cut: f.cut, First: a.published.First(), Last: a.published.Last()},
	}
	ctx.Send(a.flusher, &recoveryWork{func() *recovered {
		// Its handles are broken; an error of closing them says no more than that.
		_ = old.Close()
		e, err := r.Run(background)
		return &recovered{e, r.Files, r.Highest, err}
	}})
}

// onRecovered goes on with the recovered engine, or plans another attempt.
func (a *storeActor) onRecovered(ctx actor.Context, m *recovered) {
	if a.ended {
		// Nobody will use what the attempt has opened; an error of closing it says
		// nothing of the stream.
		_ = m.files.Blocks.Close()
		return
	}
	f := &a.failure
	f.attempting = false
	f.cancel()
	a.files, f.highest = m.files, m.highest
	if m.err != nil {
		a.log.Error("cannot recover yet", "error", m.err)
		return
	}
	// The failed engine has refused what came since the last turn.
	a.deliver(a.engine.Settled())
	a.engine.Release()
	a.engine = m.engine
	a.failing.Store(false)
	a.meters.recoveries.Add(1)
	s := a.published.State()
	a.log.Info("recovered", "messages", s.Messages, "first", s.FirstSequence, "last", s.LastSequence)
	a.engine.Tick(a.runtime.now())
	if a.stopping {
		a.stopEngine()
	}
	a.arm(ctx)
}

// newFiles returns the files of the stream for the lanes and for recovery. It opens none.
func (s *stream) newFiles() *disk.Files {
	return &disk.Files{
		Log: s.log, FS: s.config.FS, Derived: derivedFiles, Source: s.source.Blocks(),
		Blocks: blockio.NewBlocks(s.config.FS, s.dir, s.config.Name, blockio.BlocksOptions{
			BlockSize: s.config.BlockSize, NoZeroAhead: s.config.NoPreallocation, Beside: []string{blockindex.Suffix},
			Source: s.source.Blocks(),
			OnStray: func(name string) {
				s.log.Warn("a name that looks like a block; nats-server would refuse the directory", "name", name)
			},
		}),
	}
}

// engineConfig returns the configuration of the stream's engine.
func (s *stream) engineConfig() engine.Config {
	return engine.Config{
		Limits: s.limits, BlockSize: s.config.BlockSize, Level: s.config.Sync,
		SyncEvery: s.config.SyncEvery, Codec: disk.Codec(s.config.Name), Buffers: s.runtime.buffers,
		Linger: lingerMost, FirstSequence: s.config.FirstSequence, MaxUnwritten: s.config.MaxUnwritten,
		Derived: derivedFiles, Seed: s.runtime.seed, IndexFrom: s.config.IndexFrom,
	}
}

// lingerMost is how long SyncNever keeps an acknowledged message in memory.
const lingerMost = time.Millisecond

// derivedFiles describe the blocks and are wrong after the first change.
var derivedFiles = []string{blockio.StateFile}
