package actors

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"
)

// watch is a caller that wants to know when the last sequence has advanced.
type watch struct {
	last chan uint64 // of capacity 1; holds the latest
}

// watchOp adds or removes a watch.
type watchOp struct {
	watch  *watch
	remove bool
	done   chan struct{} // closed when it is in force
}

func (*watchOp) control() {}

// Watch returns a channel that gives the last sequence: the current one at once,
// and a later one whenever it has advanced. Notices are coalesced, so that a slow
// receiver finds only the latest. The channel is closed when the context ends or
// the store stops. Nothing is read from disk.
func (s *Store) Watch(ctx context.Context) (<-chan uint64, error) {
	w := &watch{last: make(chan uint64, 1)}
	added := &watchOp{watch: w, done: make(chan struct{})}
	if err := s.postControl(added); err != nil {
		return nil, err
	}
	select {
	case <-added.done:
	case <-s.gone:
		return nil, ErrStopped
	}
	// The watch lasts as long as the context.
	context.AfterFunc(ctx, func() {
		// A store that is gone has closed the channel.
		_ = s.postControl(&watchOp{watch: w, remove: true, done: make(chan struct{})})
	})
	return w.last, nil
}

func (a *storeActor) onWatch(m *watchOp) {
	defer close(m.done)
	if m.remove {
		if _, ok := a.watches[m.watch]; ok {
			delete(a.watches, m.watch)
			close(m.watch.last)
		}
		return
	}
	if a.watches == nil {
		a.watches = make(map[*watch]struct{})
	}
	a.watches[m.watch] = struct{}{}
	m.watch.notify(a.published.Last())
}

// notify leaves the latest sequence in the channel.
func (w *watch) notify(last uint64) {
	for {
		select {
		case w.last <- last:
			return
		default:
		}
		select {
		case <-w.last:
		default:
		}
	}
}

// notice tells all watches when the last sequence has advanced.
func (a *storeActor) notice() {
	last := a.published.Last()
	if last == a.noticed {
		return
	}
	a.noticed = last
	for w := range a.watches {
		w.notify(last)
	}
	for _, pid := range a.pids {
		a.system.Root.Send(pid, &Advanced{Last: last})
	}
}

func (a *storeActor) watchBy(ctx actor.Context, pid *actor.PID) {
	if pid == nil {
		return
	}
	if a.pids == nil {
		a.pids = make(map[string]*actor.PID)
	}
	a.pids[pid.Address+"/"+pid.Id] = pid
	ctx.Watch(pid)
	a.respond(pid, &Advanced{Last: a.published.Last()})
}

func (a *storeActor) unwatchBy(pid *actor.PID) {
	if pid != nil {
		delete(a.pids, pid.Address+"/"+pid.Id)
	}
}

// endWatches tells all watches that the store has stopped.
func (a *storeActor) endWatches() {
	for w := range a.watches {
		close(w.last)
	}
	for _, pid := range a.pids {
		a.respond(pid, &Advanced{Last: a.published.Last(), Stopped: true})
	}
	a.watches, a.pids = nil, nil
}
