package actors

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// What is known of the stream is written beside its blocks (internal/disk/state.go): some time after a change, soon
// after many messages were removed at once, and at a stop. The store actor captures it, as of one instant, and the
// indexer writes it. Nobody waits for it, and that it cannot be written changes nothing: it is made again
// from the blocks.

const (
	// stateEvery is how long after a change what is known of the stream is written, and stateJitter by how much longer
	// it may take, so that many streams do not do it at once.
	stateEvery  = 2 * time.Minute
	stateJitter = stateEvery / 4
	// stateSoon is how long after a purge, a compaction or a truncation that is, and stateRest the least time between
	// two writes, which is also statePace times as long as the last one took.
	stateSoon = time.Second
	stateRest = 10 * time.Second
	statePace = 20
	// stateHold is how long commands wait at most for the engine to come to rest, and statePatience how many turns may
	// pass before they do.
	stateHold     = 20 * time.Millisecond
	statePatience = 3
)

// stateLoop is what a store actor knows of that.
type stateLoop struct {
	due     int64 // when to capture next, see storeActor.now; 0 for not at all
	rest    int64 // not before this time
	tries   int   // turns that have passed since it was due
	holding int64 // since when commands wait, or 0

	// What was captured last: the group that the engine had written, and the epoch of the files. current tells that
	// the next opening can go on from what was written of that.
	group, epoch uint64
	current      bool
	soon         bool // many messages are being removed at once
	ours         bool // what was written is not a nats-server's
	summed       bool // it has a sum of the last block, which is of use only at a stop
	lost         bool // messages were lost since, so that nothing can be written at the stop

	writing  bool            // the indexer has what was captured
	captured *disk.StateWork // waits until what it speaks of is durable, or for the end of the stop
}

// stateWork asks the indexer to write what was captured.
type stateWork struct {
	files *disk.Files
	work  disk.StateWork
}

// stateDone completes it.
type stateDone struct {
	whole bool
	err   error
	took  time.Duration
}

func (m *stateWork) run() any {
	start := time.Now()
	whole, err := m.files.WriteState(m.work)
	return &stateDone{whole, err, time.Since(start)}
}

func (m *stateWork) failed(err error) any { return &stateDone{err: err} }

// removesMany reports whether a command can remove very many messages.
func removesMany(c engine.Command) bool {
	switch c.(type) {
	case *engine.Purge, *engine.Compact, *engine.Truncate:
		return true
	}
	return false
}

// keepState goes on with writing what is known of the stream. It comes before the engine hands out work: commands
// that it has made wait go on then.
func (a *storeActor) keepState(ctx actor.Context) {
	s := &a.state
	if a.config.ReadOnly {
		return
	}
	if a.stopping || a.engine.Failed() != nil || a.truncation.work != nil {
		a.leaveState()
		return
	}
	switch now := a.now; {
	case s.writing:
	case s.captured != nil:
		a.writeState(ctx)
	case s.due == 0 || s.soon:
		a.planState(now)
	case now >= s.due || s.holding > 0:
		a.captureState(ctx, now)
	}
}

// planState decides when to capture next.
func (a *storeActor) planState(now int64) {
	s := &a.state
	if a.engine.WrittenGroup() == s.group && a.files.StateEpoch() == s.epoch {
		return
	}
	at := now + int64(stateEvery) + rand.Int64N(int64(stateJitter))
	if s.soon {
		at = now + int64(stateSoon)
	}
	at = max(at, s.rest)
	if s.due == 0 || at < s.due {
		s.due = at
	}
	s.soon = false
}

// leaveState gives up what is under way, but for what is being written.
func (a *storeActor) leaveState() {
	s := &a.state
	s.due, s.captured, s.tries = 0, nil, 0
	if s.holding > 0 {
		s.holding = 0
		a.engine.HoldCommands(false)
	}
}

// captureState captures the stream when it is at rest.
func (a *storeActor) captureState(ctx actor.Context, now int64) {
	s := &a.state
	epoch := a.files.StateEpoch()
	c, ok := a.engine.Capture()
	if !ok {
		switch s.tries++; {
		case s.holding > 0 && now-s.holding >= int64(stateHold):
			a.leaveState()
			s.due = now + int64(stateRest)
		case s.holding == 0 && s.tries > statePatience:
			s.holding = now
			a.engine.HoldCommands(true)
		}
		return
	}
	a.leaveState()
	s.group, s.epoch, s.current, s.ours, s.summed = a.engine.WrittenGroup(), epoch, false, true, false
	if c != nil {
		s.captured = &disk.StateWork{Capture: c, Epoch: epoch}
		a.writeState(ctx)
	}
}

// writeState has written what was captured, once that is durable.
func (a *storeActor) writeState(ctx actor.Context) {
	s := &a.state
	w := s.captured
	if w.Sync = a.syncing.level != SyncNever; !a.engine.CaptureDurable(w.Capture) {
		if !w.Sync { // nobody knows when it will be: a loss of power could leave the file, and not what it speaks of
			s.captured = nil
		}
		return
	}
	s.captured = nil
	s.writing = true
	a.assign(ctx, &a.indexer, &task{job: &stateWork{a.files, *w}})
}

// onStateDone takes the end of that.
func (a *storeActor) onStateDone(m *stateDone) {
	s := &a.state
	s.writing = false
	if a.ended {
		return
	}
	s.rest = a.now + int64(m.took) + max(int64(stateRest), int64(statePace*m.took))
	switch s.current = m.whole && m.err == nil; {
	case errors.Is(m.err, disk.ErrOutdated):
		s.group-- // it is to be written
		a.log.Debug("what is known of the stream is written later", "error", m.err)
	case m.err != nil:
		a.log.Warn("cannot write what is known of the stream; the next opening reads the blocks", "error", m.err)
	}
}

// stateWake returns when keepState has something to do, or 0.
func (s *stateLoop) stateWake() int64 {
	if s.holding > 0 {
		return s.holding + int64(stateHold)
	}
	if s.writing || s.captured != nil {
		return 0
	}
	return s.due
}

// captureLast captures the stream when it stops, if it is at rest, unless what is written says the same.
func (a *storeActor) captureLast() {
	s := &a.state
	if a.config.ReadOnly || a.engine.Failed() != nil || a.truncation.work != nil || a.inTurn {
		return
	}
	a.leaveState()
	epoch := a.files.StateEpoch()
	c, ok := a.engine.Capture()
	switch {
	case !ok:
	case c == nil:
		s.lost = s.current && s.ours
	case !s.current || s.group != a.engine.WrittenGroup() || s.epoch != epoch || !s.summed && disk.WantsSum(c):
		if a.engine.CaptureDurable(c) {
			s.captured = &disk.StateWork{Capture: c, Epoch: epoch, Sync: a.syncing.level != SyncNever, Last: true}
		}
	}
}

// stateAtStop writes what was captured when the stream stopped.
func (a *storeActor) stateAtStop() {
	defer a.survive()
	a.captureLast() // once more, as SyncNever has written the rest only now
	var err error
	switch s := &a.state; {
	case a.failure.reason != nil:
	case s.captured != nil:
		_, err = a.files.WriteState(*s.captured)
	case s.lost:
		err = a.files.Blocks.RemoveDerived(blockio.StateFile, blockio.TTLFile, blockio.SchedulesFile)
	}
	if err != nil {
		a.log.Warn("cannot write what is known of the stream; the next opening reads the blocks", "error", err)
	}
}
