package engine

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// Engine is one stream. See the package comment for who may call it and when.
type Engine struct {
	cfg       Config
	emptySize int // of a record without subject, header and payload
	pub       *Published

	blocks []*block // ascending; the last one may be the tail
	tail   *block   // takes records; nil when the next record starts a block
	lastID uint32   // highest block number ever used

	fenced  bool // no command is carried out before the current group is published
	holding bool // see HoldCommands
	// generation is that of all blocks of this engine.
	generation uint64

	numbers                  // state and totals, staged commands included
	subjects *subjects.Index // of what is published; what is staged waits in it
	now      int64           // time of this turn
	steady   int64           // the same, for pauses: see TickAfter
	stamp    int64           // the time given to the last message
	staging  staging
	per      perSubject
	ids      idWindow
	floor    floor             // the highest one in the log
	emptied  []*block          // that have lost their last message and are still in the list
	finds    map[findKey]*find // by block, for the command that waits for them
	purges   *purges           // that are under way, nil when there are none

	groups
	out   []Reply // for the next Ready
	sent  []Reply // of the last Settled, which the shell may be reading
	ready Ready

	work        []Work          // of the maintenance lane, to hand out
	pending     map[WorkID]Work // handed out, or about to be
	nextID      WorkID
	parked      []parked // in order
	derivedGone bool     // the files of Config.Derived are removed
	viewChanged bool     // see setBlocks
	lostChanged bool     // what is lost has changed since readers were shown it
	stopped     bool
	viewEpoch   uint64   // goes up when readers may hold views of blocks
	opening     *opening // what is left to do before the stream serves, or nil

	durability durability
	truncating *truncating // nil when no truncation waits or is out
	expiry     expiry
	change     *change // of the limits, that is under way, or noChange
	indexing   indexing
	compacting compacting
	ttl        *ttls // nil when TTLs mean nothing
	notices    notices
	recount    recount

	fetched    uint64       // see fetchRemovals
	chunkHint  int          // see memory.room
	spareSlots []*slotChunk // of tables, for the next block

	lostAtOpen uint64   // lost messages that recovery found
	lost       lostList // what was lost, for readers; it is deleted, too
	telling    telling

	schedules *schedules // nil when they are turned off

	failed error
}

const (
	// MaxBatchBytes bounds the records of one batch, in bytes.
	MaxBatchBytes = 32 << 20
	// idleAfter is how long a stream must not have been written to until the
	// memory of its tail is dropped.
	idleAfter = int64(10 * time.Second)
	// retryLoad is how long after a failed attempt to read a table the next one
	// comes.
	retryLoad = int64(time.Second)
	// retryRemove is how long after a failed attempt to remove a block file the
	// next one comes.
	retryRemove = int64(time.Second)
	// never is a time that does not come.
	never = int64(math.MaxInt64)
)

// New returns the engine of a stream that has no blocks. It publishes into pub.
func New(cfg Config, pub *Published, now int64) *Engine {
	return NewRecovery(cfg, pub).Finish(now)
}

func newEngine(cfg Config, pub *Published) *Engine {
	e := &Engine{
		cfg: cfg, emptySize: cfg.Codec.EmptySize(), pub: pub, generation: pub.nextGeneration(), numbers: noNumbers(), subjects: subjects.New(cfg.Seed),
		groups:    newGroups(),
		pending:   make(map[WorkID]Work),
		chunkHint: smallestChunk,
	}
	e.ids, e.schedules = newIDWindow(&e.cfg), newSchedules(&e.cfg)
	e.ttl = newTTLs(&e.cfg.Limits)
	e.staging.tracks, e.staging.deltas = e.perLimited(), make(map[uint32]delta)
	e.expiry.due, e.expiry.retry, e.durability.due = never, never, never
	e.expiry.ran, e.change = math.MinInt64, noChange
	for _, c := range outliving {
		e.counts[c] = pub.counts[c].Load()
	}
	return e
}

// Published returns where the engine publishes.
func (e *Engine) Published() *Published { return e.pub }

// Generation returns the generation of the engine's blocks, see BlockView.
func (e *Engine) Generation() uint64 { return e.generation }

// Level returns the sync level that is in force.
func (e *Engine) Level() SyncLevel { return e.cfg.Level }

// Failed returns what commands are refused with since the engine failed or was aborted, or
// nil.
func (e *Engine) Failed() error { return e.failed }

func (e *Engine) last() uint64 { return e.counts[countLast] }

// schedule has the maintenance lane do something: the next Ready hands it out.
func (e *Engine) schedule(kind WorkKind, block uint32, size int64) WorkID {
	e.nextID++
	w := Work{ID: e.nextID, Kind: kind, Block: block, Size: size}
	e.work = append(e.work, w)
	e.pending[w.ID] = w
	return w.ID
}

// Done takes the completion of one piece of work.
func (e *Engine) Done(d Done) {
	if e.inflight != nil && d.ID == e.inflight.commit.ID {
		if d.Err != nil {
			e.Fail(d.Err)
			return
		}
		e.committed()
		e.goOn()
		return
	}
	w, ok := e.pending[d.ID]
	if !ok {
		return
	}
	delete(e.pending, d.ID)
	if e.failed != nil {
		return
	}
	switch {
	case w.Kind == WorkLoad:
		e.loaded(w, d)
		return
	case w.Kind == WorkFind || w.Kind == WorkSubjects:
		e.found(w, d)
		return
	case w.Kind == WorkIDs:
		e.tookIDs(w, d)
		return
	case w.Kind == WorkFetch || w.Kind == WorkSchedules || w.Kind == WorkZone:
		e.tookSchedules(w, d)
		return
	case w.Kind == WorkLives:
		e.tookLives(w, d)
		return
	case w.Kind == WorkTombstones:
		e.tombstonesMoved(w, d)
		return
	case w.Kind == WorkCompact && d.Err == nil:
		e.compacted(w, d.Scan, d.Indexed)
		e.goOn()
		return
	case w.Kind == WorkIndex:
		e.indexing.done(e, d.Err)
		e.goOn()
		return
	case w.Kind == WorkTell:
		e.told()
		return
	case w.Kind == WorkRemove && d.Err != nil:
		// Nothing is lost by it: the removal is tried again, and until then the file stays.
		e.durability.notRemoved(e, w.Block, d.Err)
		e.goOn()
		return
	}
	if d.Err != nil {
		e.Fail(fmt.Errorf("%v: %w", w, d.Err))
		return
	}
	e.maintained(w)
	e.goOn()
}

// fail makes the engine refuse everything from now on, with an error that says why, and
// answers all that wait. It does not know what became of commands that it had accepted:
// they are answered with unknown. The others have changed nothing, and are refused: those
// that were refused already on account of what is not known any more, and those that were
// parked.
func (e *Engine) fail(refusal, unknown error) {
	e.failed = refusal
	answer := func(r Reply) {
		if r.Err == nil {
			r.Err = unknown
		} else {
			r.Err = refusal
		}
		e.reply(Reply{Tag: r.Tag, Err: r.Err})
	}
	for _, g := range [...]*group{e.inflight, e.current} {
		if g == nil {
			continue
		}
		for _, r := range g.replies {
			answer(r)
		}
		for _, r := range g.flushes {
			answer(r)
		}
		for _, r := range g.written {
			answer(r)
		}
		for _, x := range g.erasures {
			answer(x.reply)
		}
	}
	for _, x := range e.durability.erasures {
		answer(x.reply)
	}
	for i := range e.durability.going {
		answer(e.durability.going[i].reply)
	}
	e.durability.erasures, e.durability.going = nil, nil
	for _, w := range e.durability.waiting {
		answer(w.reply)
	}
	if e.durability.stop != nil {
		answer(*e.durability.stop)
	}
	if e.held() {
		answer(e.truncating.reply)
		e.truncating = nil
	}
	answer(Reply{Tag: e.change.tag})
	e.change = noChange
	for i := range e.parked {
		e.reply(Reply{Tag: e.parked[i].tag, Err: e.parked[i].refusal(refusal, unknown)})
	}
	e.failPurges(refusal, unknown)
	e.tellParts()
	e.groups = groups{}
	e.parked, e.durability.waiting, e.durability.stop = nil, nil, nil
	e.work = e.work[:0]
	clear(e.pending)
}

// Settled returns the replies that may leave now, without handing out work. A
// shell that delivers them first, and lets the callers come back before it takes
// the next Ready, gathers larger groups. They are valid until the next call of
// Settled or Ready.
func (e *Engine) Settled() []Reply {
	// Two slices take turns, so that the shell may read one while the engine
	// fills the other.
	clear(e.sent)
	e.sent, e.out = e.out, e.sent[:0]
	return e.sent
}

// Release gives back the memory of an engine that is no longer used: one that was
// aborted, or that another has taken over from.
func (e *Engine) Release() {
	for _, b := range e.blocks {
		b.memory.drop(b.appended, e.cfg.Buffers, &e.spareSlots, false)
		b.forgetTables()
	}
	e.spareSlots = nil
}

// Ready returns what has to happen now.
func (e *Engine) Ready() *Ready {
	e.ready = Ready{}
	if e.failed == nil {
		e.goOnPurging()
		e.open()
		if e.serving() && !e.held() {
			e.goOnChanging()
			e.livesFound()
			e.dropAllEmptied()
			e.goOnCounting()
		}
		if e.cfg.Level == SyncNever && e.serving() {
			e.publishStaged()
			for e.goOn() {
				e.publishStaged()
			}
		}
		// The group of a stop closes the file of the tail, which a background sync
		// may still be using.
		if e.inflight == nil && e.mayCommit() && !(e.current.stop && e.durability.syncing) && !e.lingers() {
			for e.ready.Commit = e.closeGroup(); e.ready.Commit == nil && e.goOn(); {
				e.ready.Commit = e.closeGroup()
			}
		}
		if e.serving() {
			e.durability.settle(e)
			if !e.held() { // else the engine that takes over publishes
				e.publishAtOnce()
			}
			if e.schedules != nil {
				e.schedules.handOut(e)
			}
		}
	}
	e.ready.Replies = e.Settled()
	if len(e.work) > 0 {
		e.ready.Maintenance, e.work = e.work, nil
	}
	return &e.ready
}

// Fail makes the engine fail as after an error of its work: something outside has gone
// wrong that the work depends on.
func (e *Engine) Fail(err error) {
	if e.failed == nil {
		e.fail(&FailedError{Cause: err}, &FailedError{Cause: err, Unknown: true})
	}
}

// errAborted is what accepted commands are answered with when the stream is stopped from
// outside.
var errAborted = fmt.Errorf("%w: the stream was stopped meanwhile", ErrOutcomeUnknown)

// Abort ends the engine at once, without an error of the storage. Commands that were
// accepted are answered with ErrOutcomeUnknown, all others are refused with ErrStopped.
func (e *Engine) Abort() {
	if e.failed == nil {
		e.fail(ErrStopped, errAborted)
	}
}
