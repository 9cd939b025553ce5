package actors

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// crashLife is a store from its opening to a crash: the engine, the lanes and the
// recovery that the actors use, run one operation at a time and without actors.
type crashLife struct {
	plan  *crashPlan
	mem   *blocktest.MemFS
	fs    *blocktest.FaultFS
	model *crashModel
	plant plant

	stream *stream
	store  *storeActor // never started
	now    int64
	errors errorLog
	// rewrite counts how often the meta file had to be written again.
	rewrite int
	// highest is the last block file there was before the store was opened.
	highest uint32

	commit *engine.Commit
	op     int // of commit
	work   []engine.Work
	closed bool
}

// errorLog keeps the first error that was logged.
type errorLog struct{ first string }

func (l *errorLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l *errorLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *errorLog) WithGroup(string) slog.Handler                    { return l }
func (l *errorLog) Handle(_ context.Context, r slog.Record) error {
	if l.first == "" {
		l.first = r.Message
		r.Attrs(func(a slog.Attr) bool {
			l.first += " " + a.String()
			return true
		})
	}
	return nil
}

// crashBuffers are shared by all lives: their memory is large.
var crashBuffers = &bufferPool{most: 64}

// newLife prepares a store on a file system; open opens it.
func newLife(plan *crashPlan, mem *blocktest.MemFS, model *crashModel, now int64) *crashLife {
	return &crashLife{plan: plan, mem: mem, fs: blocktest.NewFaultFS(mem), model: model, now: now}
}

// open recovers the store from its files.
func (l *crashLife) open() error {
	runtime := NewRuntime(RuntimeConfig{MaxOpenFiles: 4, Clock: func() time.Time { return time.Unix(0, l.now) }})
	runtime.buffers, runtime.scans = crashBuffers, 1
	config := l.plan.config
	config.Runtime, config.FS, config.Logger = runtime, l.plant.wrap(l.fs), slog.New(&l.errors)
	config.MaxMsgSize = 1<<20 + l.rewrite
	config = config.withDefaults()
	l.stream = newStream(nil, config)
	l.stream.mailbox = nil // there is no actor
	l.commit, l.work, l.op, l.closed, l.highest = nil, nil, 0, false, 0
	list, err := l.stream.newFiles().Blocks.List()
	if n := len(list); err == nil && n > 0 {
		l.highest = list[n-1].ID
	}
	if l.store, err = l.stream.open(context.Background()); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return l.store.engine.CheckInvariants()
}

// end is what the death of the process does to its handles.
func (l *crashLife) end() {
	_ = l.store.files.Blocks.Close()
	_ = l.store.lock.Close()
	l.stream.source.Blocks().Close()
}

// do carries out one step of the script.
func (l *crashLife) do(step *crashStep) error {
	switch step.kind {
	case stepCommand:
		return l.command(step)
	case stepReady:
		return l.ready()
	case stepCommit:
		return l.runCommit()
	case stepWork:
		return l.runWork()
	case stepSettle:
		return l.settle()
	case stepTick:
		l.now += int64(step.pass)
		l.store.engine.Tick(l.now)
		return nil
	case stepRestart:
		return l.restart()
	default:
		return l.kill()
	}
}

// command hands a command to the engine, and spoils its bytes afterwards.
func (l *crashLife) command(step *crashStep) error {
	var wanted uint64
	switch step.relate {
	case right:
		wanted = l.model.last() + 1
	case wrong:
		wanted = l.model.last() + 4
	}
	tag := l.model.submit(step.command(wanted), l.now)
	l.store.engine.Tick(l.now)
	c := step.command(wanted)
	l.store.engine.Step(tag, c)
	spoil(c)
	return l.plant.afterCommand(l)
}

// spoil overwrites the bytes of a command.
func spoil(c engine.Command) {
	switch c := c.(type) {
	case *engine.Store:
		clear(c.Header)
		clear(c.Payload)
	case *engine.StoreRaw:
		clear(c.Header)
		clear(c.Payload)
	case *engine.StoreBatch:
		for i := range c.Messages {
			clear(c.Messages[i].Header)
			clear(c.Messages[i].Payload)
		}
	}
}

func (l *crashLife) replies(replies []engine.Reply) error {
	for _, r := range replies {
		if r.Tag == stopTag {
			l.closed = true
			continue
		}
		if err := l.model.reply(r, l.stream.published.Durable()); err != nil {
			return err
		}
	}
	l.model.durable = max(l.model.durable, l.model.upTo(l.stream.published.Durable()))
	if l.plan.config.Sync == SyncAlways {
		l.model.durable = max(l.model.durable, l.model.acked)
	}
	return nil
}

// ready takes what the engine has ready.
func (l *crashLife) ready() error {
	ready := l.store.engine.Ready()
	if ready.Commit != nil {
		l.commit, l.op = ready.Commit, 0
		if l.model.marks {
			if err := l.model.staged(l.commit); err != nil {
				return err
			}
		}
	}
	l.work = append(l.work, ready.Maintenance...)
	if err := l.store.engine.CheckInvariants(); err != nil {
		return err
	}
	return l.replies(ready.Replies)
}

// runCommit runs the next operation of the commit.
func (l *crashLife) runCommit() error {
	if l.commit == nil {
		return nil
	}
	op := l.plant.change(l.commit.Ops[l.op])
	if err := l.store.files.Op(op); err != nil {
		return err
	}
	if l.op++; l.op < len(l.commit.Ops) {
		return nil
	}
	done := engine.Done{ID: l.commit.ID}
	l.commit = nil
	l.store.engine.Done(done)
	return l.replies(l.store.engine.Settled())
}

// runWork runs the next piece of maintenance.
func (l *crashLife) runWork() error {
	if len(l.work) == 0 {
		return nil
	}
	w := l.work[0]
	l.work = l.work[1:]
	done := l.store.files.Work(w)
	l.store.engine.Done(done)
	return done.Err
}

// settle runs everything there is to do at this time.
func (l *crashLife) settle() error {
	for {
		if err := l.ready(); err != nil {
			return err
		}
		if l.commit == nil && len(l.work) == 0 {
			return nil
		}
		for l.commit != nil {
			if err := l.runCommit(); err != nil {
				return err
			}
		}
		if err := l.runWork(); err != nil {
			return err
		}
	}
}

// stop ends the store as Stop does.
func (l *crashLife) stop() error {
	l.store.engine.Step(stopTag, &engine.Stop{})
	if err := l.settle(); err != nil {
		return err
	}
	if !l.closed {
		return fmt.Errorf("a stop was not answered")
	}
	l.model.acked, l.model.durable = len(l.model.events), len(l.model.events)
	l.end()
	return nil
}

func (l *crashLife) restart() error {
	if err := l.stop(); err != nil {
		return err
	}
	l.rewrite++
	return l.reopen(killed)
}

// kill is the end of the process, while the machine goes on.
func (l *crashLife) kill() error {
	l.end()
	return l.reopen(killed)
}

func (l *crashLife) reopen(c crashKind) error {
	if err := l.open(); err != nil {
		return err
	}
	return l.check(c)
}

// records reads all records of the files, as recovery does.
func (l *crashLife) records(visit func(block uint32, offset int64, r blockio.Record)) error {
	list, err := l.store.files.Blocks.List()
	if err != nil {
		return err
	}
	for _, b := range list {
		data, err := l.store.files.Blocks.ReadAll(b.ID, nil)
		if err != nil {
			return err
		}
		blockio.ScanBlock("", b.ID, l.store.files.Blocks.Codec(b.ID), data, false, func(offset int64, r blockio.Record) {
			visit(b.ID, offset, r)
		})
	}
	return nil
}
