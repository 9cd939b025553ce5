package disk

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Recovery brings up an engine from the files of a stream. It is used once.
type Recovery struct {
	*Files
	Config    engine.Config
	Published *engine.Published
	Now       int64 // nanoseconds since the epoch
	Scanners  int   // goroutines that scan blocks at a time
	// Readable, if not nil, is called when all blocks have turned out to be readable, before anything
	// is removed.
	Readable func() error
	// Frugal is set when an attempt before this one had no room for what it had to write, see engine.Recovery.Frugal.
	Frugal bool
	// After is what is known of the failure that the stream recovers from, nil at Open.
	After *Failure
	// Intended is a truncation that this process has written down for this recovery to carry out, nil if there is none.
	Intended *IntendedTruncation
	// Highest is the highest number that a block of the stream ever had, as far as is known. Readers
	// may still hold the files of blocks that were cut off, so no number is used twice.
	Highest uint32

	// MaxMsgsPer is how many messages of a subject a server that had the directory kept; 0 or less for
	// any number.
	MaxMsgsPer int64
	// ServerWasHere tells that a nats-server has had the directory since, or has limits that cannot be told
	// from loss: messages that are gone are then taken for removed.
	ServerWasHere bool
	// ServerHad tells that a nats-server has had the directory since, as far as can be seen.
	ServerHad bool
	// ServerRemoves tells that a nats-server removes messages that no limit would, such as those that were
	// consumed, and may leave no trace of that.
	ServerRemoves bool
	// Described is set when what is written of the stream beside its blocks is so, whoever has written it.
	Described bool
	// Restored is set when Millrace has, and the stream was opened from that: no block was read.
	Restored bool
	// Summed is set when that has a sum of the last block, which is as it was.
	Summed bool
	// Then, if not nil, has the limits that replace those of Config when the stream is open.
	Then *NewLimits

	evidence evidence
	unshown  uint32        // the last block, when nothing that can be read of it shows a sequence
	losses   []engine.Loss // of messages that the engine counts, see scanFromIndex
	damaged  []damagedBlock

	seen   look            // when the recovery began
	mended map[string]bool // files that it has changed since

	// exposed is the last block so far that holds anything, if it was not scanned as the one that may
	// be torn.
	exposed uint32
}

// Failure is what a store knows when it recovers from a failed write or sync.
type Failure struct {
	// Cut is where the log is cut: what lies beyond may be in the page cache only.
	Cut engine.Position
	// CutAgain is set when an attempt before this one may have cut the log there and could not sync
	// that: it is done once more, although the file shows nothing to cut.
	CutAgain bool
	// First and Last are the first and the last sequence that readers have seen.
	First, Last uint64
}

// Run scans the blocks, mends the tail, and returns an engine that serves.
func (r *Recovery) Run(ctx context.Context) (*engine.Engine, error) {
	config := r.Config
	if r.ReadOnly {
		config.Limits = config.Limits.Timeless()
	}
	rec := r.begin(config)
	truncation, err := r.carryOutTruncation()
	if err != nil {
		return nil, err
	}
	if truncation != nil {
		r.afterTruncation(truncation)
	}
	list, found, err := r.Blocks.ListAll()
	if err != nil {
		return nil, err
	}
	if n := len(list); n > 0 {
		r.Highest = max(r.Highest, list[n-1].ID)
	}
	r.Intended.forgetUnindexed(r.Blocks.Path, found)
	if r.After == nil && r.Intended == nil { // else the store has the directory, and other work of it may be under way
		r.seen = blocksAmong(found)
	}
	if r.After != nil {
		if list, err = r.cutLog(list); err != nil {
			return nil, err
		}
	}
	if truncation == nil { // else the names are durable
		// As far as the disk knows, a block that a crashed process made may not be in the directory yet.
		if err := blockio.SyncDir(r.FS, r.Blocks.Dir()); err != nil {
			return nil, err
		}
	}
	r.noteOpened(list)
	if r.After == nil {
		r.readState()
	}
	if s := r.evidence.own; s != nil && truncation == nil {
		if r.restore(rec, s, list, found) {
			if err := r.checkUnchanged(); err != nil {
				return nil, err
			}
			return r.serve(ctx, rec, list)
		}
		rec = r.begin(config) // it may have taken some of it
		r.noteGone(s, list)
		r.readOwnIndex()
	}
	r.evidence.own = nil
	if r.After != nil {
		rec.AtLeast(r.After.Last)
		rec.RemoveBelow(r.After.First)
	}
	if r.After != nil {
		r.evidence.told = r.Published.LostWithin(1, blockio.MaxSequence)
		if truncation != nil {
			r.evidence.told = r.Published.LostWithin(1, truncation.Last)
		}
	} else {
		r.gather(found)
	}
	r.weighServerState(list)
	err = r.scanAll(ctx, list, rec)
	r.reportDamage(rec)
	if err != nil {
		if changed := r.checkUnchanged(); errors.Is(changed, blockio.ErrChanged) {
			err = errors.Join(changed, err)
		}
		return nil, err
	}
	keep := r.judge(rec, list)
	if r.unshown > 0 && rec.Last() == 0 {
		return nil, fmt.Errorf("%w: nothing that can be read of %s shows which sequences were used", errUnshown, r.Blocks.Path(r.unshown))
	}
	if err := r.checkUnchanged(); err != nil {
		return nil, err
	}
	if r.Readable != nil {
		if err := r.Readable(); err != nil {
			return nil, err
		}
	}
	if r.After != nil || truncation != nil {
		rec.NextBlockAfter(r.Highest)
	}
	r.keepTold(rec.Lost(), keep)
	if empty := rec.EmptyBlocks(); len(empty) > 0 {
		if err := r.Blocks.Remove(empty...); err != nil {
			return nil, err
		}
	}
	if r.Intended == nil { // else there is what was just cut off, which whoever has begun this sweeps
		r.removeUnknown(keep)
	}
	e := rec.Finish(r.Now)
	if err := r.finish(ctx, e); err != nil {
		return e, err
	}
	if err := r.loseDamaged(ctx, e); err != nil {
		return e, err
	}
	if err := r.setLimits(ctx, e); err != nil {
		return e, err
	}
	if truncation != nil {
		if err := r.endTruncation(); err != nil {
			return e, err
		}
	}
	r.restLast(list)
	// Readers of the failed engine's blocks take a new snapshot from now on. Not before: as long as
	// recovery can still fail, the old one is all that they have.
	if r.Source.SupersedeAtOnce(r.Generation); r.Intended == nil { // else who sweeps closes the files
		r.Source.CloseSuperseded()
	}
	return e, nil
}

// begin begins to build an engine.
func (r *Recovery) begin(config engine.Config) *engine.Recovery {
	rec := engine.NewRecovery(config, r.Published)
	r.Generation = rec.Generation()
	if r.Frugal {
		rec.Frugal()
	}
	return rec
}

// serve returns the engine of a recovery from what was written of the stream.
func (r *Recovery) serve(ctx context.Context, rec *engine.Recovery, list []blockio.BlockInfo) (*engine.Engine, error) {
	if r.Readable != nil {
		if err := r.Readable(); err != nil {
			return nil, err
		}
	}
	r.Described, r.Restored = true, true
	e := rec.Finish(r.Now)
	if err := r.finish(ctx, e); err != nil {
		return e, err
	}
	if err := r.setLimits(ctx, e); err != nil {
		return e, err
	}
	r.readEndProof()
	r.restLast(list)
	r.Source.Supersede(r.Generation)
	return e, nil
}

// loseDamaged takes messages out of the stream that an index has and that are damaged in the block.
func (r *Recovery) loseDamaged(ctx context.Context, e *engine.Engine) error {
	for _, l := range r.losses {
		l.Generation = e.Generation()
		if n := e.Lose(l); n > 0 {
			r.Log.Error("messages are lost", "path", r.Blocks.Path(l.Block), "block", l.Block,
				"first", l.First, "last", l.Last, "messages", n)
		}
	}
	if len(r.losses) == 0 {
		return nil
	}
	r.keepTold(e.Lost(), nil)
	return r.finish(ctx, e)
}

// cutLog removes from the files what was not known to be safe when a write or a sync failed. It
// returns the blocks that are left.
func (r *Recovery) cutLog(list []blockio.BlockInfo) ([]blockio.BlockInfo, error) {
	cut := r.After.Cut
	// Else a nats-server could take what describes the longer log for right once the end of it is where it was.
	if err := r.Blocks.RemoveDerived(r.Derived...); err != nil {
		return nil, err
	}
	for n := len(list); n > 0 && list[n-1].ID > cut.Block; n-- {
		id := list[n-1].ID
		r.setAside(id, 0, list[n-1].Size)
		// Emptied first: if the name came back after a loss of power, records must not come with it.
		if err := r.Blocks.Truncate(id, 0); err != nil {
			return nil, err
		}
		if err := r.Blocks.Remove(id); err != nil {
			return nil, err
		}
		list = list[:n-1]
	}
	if n := len(list); n > 0 && list[n-1].ID == cut.Block &&
		(list[n-1].Size > cut.Offset || r.After.CutAgain && list[n-1].Size == cut.Offset) {
		r.setAside(cut.Block, cut.Offset, list[n-1].Size)
		var err error
		if list[n-1].Size, err = r.truncate(list[n-1], cut.Offset); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// setAside keeps a copy of what is about to be cut off. A failure is logged and no more: the way back
// from a full disk must not depend on room for the copy.
func (r *Recovery) setAside(id uint32, from, to int64) {
	if from == to {
		return
	}
	if err := r.Blocks.SetAside(id, from, to); err != nil {
		r.Log.Warn("cannot set aside what is cut off", "path", r.Blocks.Path(id), "offset", from, "error", err)
	}
}

// work carries out work of the maintenance lane. Tables are loaded without patience: whoever opens a stream
// waits for them.
func (r *Recovery) work(w engine.Work) engine.Done {
	if w.Kind != engine.WorkLoad {
		return r.Work(w)
	}
	table, err := r.loadTable(w.Block, w.Size, false)
	return engine.Done{ID: w.ID, Table: table, Err: err}
}

// errUnshown: the stream can go on only when the disk reads its block.
var errUnshown = fmt.Errorf("the only block cannot be read: %w", syscall.EIO)

// finish does what the engine asks for before it serves: it applies deletions and limits. After a
// failure it leaves what can wait, such as the removal of files, to who takes the engine: once the
// engine serves, readers have been shown the recovered stream, and the recovery has succeeded.
func (r *Recovery) finish(ctx context.Context, e *engine.Engine) error {
	for r.After == nil || e.Opening() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		ready := e.Ready()
		if ready.Commit == nil && len(ready.Maintenance) == 0 && !e.Opening() {
			return nil
		}
		if err := r.carryOut(e, ready); err != nil {
			return err
		}
	}
	return nil
}

// carryOut does the work that the engine has ready.
func (r *Recovery) carryOut(e *engine.Engine, ready *engine.Ready) error {
	work := ready.Maintenance
	if c := ready.Commit; c != nil {
		err := r.Commit(c)
		e.Done(engine.Done{ID: c.ID, Err: err})
		if err != nil {
			return err
		}
	}
	for _, w := range work {
		done := r.work(w)
		e.Done(done)
		switch {
		case done.Err == nil:
		case w.Kind == engine.WorkRemove:
			r.Log.Error("cannot remove a block; it will be tried again", "path", r.Blocks.Path(w.Block), "error", done.Err)
		case w.Kind == engine.WorkTell:
			r.Log.Warn("cannot write down what is lost", "error", done.Err)
		default:
			return done.Err
		}
	}
	return nil
}
