package actors

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"
)

// watch is a caller that wants to know when the last sequence has advanced, or messages were removed.
type watch struct {
	last    chan uint64 // of capacity 1; holds the latest
	release func() bool // takes the watch off its context, which would keep the store in memory
	ended   bool        // the context ended before the actor heard of the watch
}

// watchOp adds or removes a watch.
type watchOp struct {
	watch  *watch
	remove bool
	done   chan struct{} // closed when it is in force
}

func (*watchOp) Control() {}

// crashed carries it out, if that has not been done.
func (m *watchOp) crashed(a *storeActor, _ error) {
	select {
	case <-m.done:
	default:
		a.onWatch(m)
	}
}

// Watch returns a channel that gives the last sequence: the current one at once,
// and a later one whenever it has advanced; and the same again when messages were
// removed, by a limit or their age, too. They are coalesced, so that a slow
// receiver finds only the latest. The channel is closed when the context ends or
// the store stops. Nothing is read from disk.
func (s *Store) Watch(ctx context.Context) (<-chan uint64, error) {
	w := &watch{last: make(chan uint64, 1)}
	// The end of the context is registered before the watch is, and may reach the actor first: onWatch
	// takes both orders.
	w.release = context.AfterFunc(ctx, func() {
		// A store that is gone has closed the channel.
		_ = s.postControl(&watchOp{watch: w, remove: true, done: make(chan struct{})})
	})
	added := &watchOp{watch: w, done: make(chan struct{})}
	err := s.postControl(added)
	if err == nil {
		select {
		case <-added.done:
			return w.last, nil
		case <-s.gone:
			err = ErrStopped
		}
	}
	w.release()
	return nil, err
}

func (a *storeActor) onWatch(m *watchOp) {
	defer close(m.done)
	defer a.countWatches()
	if m.remove {
		m.watch.ended = true
		if _, ok := a.watches[m.watch]; ok {
			delete(a.watches, m.watch)
			close(m.watch.last)
		}
		return
	}
	m.watch.notify(a.published.Last())
	if m.watch.ended {
		close(m.watch.last)
		return
	}
	if a.watches == nil {
		a.watches = make(map[*watch]struct{})
	}
	a.watches[m.watch] = struct{}{}
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

// advance is what watches are told of: when it has changed, messages were stored or removed.
type advance struct{ last, messages uint64 }

// notice tells all watches when messages were stored or removed.
func (a *storeActor) notice() {
	last := a.published.Last()
	now := advance{last, a.published.Messages()}
	if now == a.noticed {
		return
	}
	a.noticed = now
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
	a.pids[pidKey(pid)] = pid
	a.countWatches()
	ctx.Watch(pid)
	a.respond(pid, &Advanced{Last: a.published.Last()})
}

func (a *storeActor) unwatchBy(ctx actor.Context, pid *actor.PID) {
	if pid != nil && a.forgetWatcher(pid) && a.takers.pids[pidKey(pid)] == nil {
		ctx.Unwatch(pid)
	}
}

// forgetWatcher drops an actor that watches. It reports whether there was one.
func (a *storeActor) forgetWatcher(pid *actor.PID) bool {
	key := pidKey(pid)
	_, ok := a.pids[key]
	delete(a.pids, key)
	a.countWatches()
	return ok
}

// endWatches tells all watches that the store has stopped. Neither their contexts
// nor the actors hold on to it any more.
func (a *storeActor) endWatches(ctx actor.Context) {
	for w := range a.watches {
		w.release()
		close(w.last)
	}
	for _, pid := range a.pids {
		ctx.Unwatch(pid)
		a.respond(pid, &Advanced{Last: a.published.Last(), Stopped: true})
	}
	a.watches, a.pids = nil, nil
	a.countWatches()
}

// countWatches tells Stats how many watches there are.
func (a *storeActor) countWatches() { a.meters.watches.Store(int64(len(a.watches) + len(a.pids))) }
