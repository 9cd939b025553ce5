package actors

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"
)

// takers are those whom the store actor tells of what is stored and removed.
type takers struct {
	all []noticeSink
	// registering are those of whose registration the engine has not told yet, in order; nil for one that has gone.
	registering []noticeSink
	pids        map[string]*noticePID
}

// noticesOp adds or removes a taker.
type noticesOp struct {
	taker  *NoticeTaker
	remove bool
}

func (*noticesOp) Control() {}

// crashed carries it out, if that has not been done.
func (m *noticesOp) crashed(a *storeActor, _ error) {
	k := &a.takers
	if m.remove || !slices.Contains(k.all, noticeSink(m.taker)) && !slices.Contains(k.registering, noticeSink(m.taker)) {
		a.onNotices(m)
		return
	}
	a.tellTakers()
}

func (a *storeActor) onNotices(m *noticesOp) {
	switch {
	case m.remove:
		m.taker.left = true
		if a.removeTaker(m.taker) {
			m.taker.end(false)
		}
	case m.taker.left:
		m.taker.end(false)
	default:
		a.addTaker(m.taker)
	}
}

func (a *storeActor) addTaker(t noticeSink) {
	a.takers.registering = append(a.takers.registering, t)
	a.engine.Notify()
	a.tellTakers()
}

// removeTaker drops a taker. It reports whether there was such a one.
func (a *storeActor) removeTaker(t noticeSink) bool {
	k := &a.takers
	i, j := slices.Index(k.all, t), slices.Index(k.registering, t)
	switch {
	case i >= 0:
		k.all = slices.Delete(k.all, i, i+1)
	case j >= 0:
		k.registering[j] = nil
	default:
		return false
	}
	a.engine.Unnotify()
	return true
}

// tellTakers passes on the notices that are due. It comes before the replies that are.
func (a *storeActor) tellTakers() {
	k := &a.takers
	if len(k.all) == 0 && len(k.registering) == 0 {
		return
	}
	list := a.engine.Notices()
	from := 0
	for i := range list {
		if list[i].Reason == NoticeRegistered {
			a.pass(list[from:i])
			a.registered(list[i])
			from = i + 1
		}
	}
	a.pass(list[from:])
	if a.engine.Failed() != nil {
		// The engine does not come to tell of them any more. What readers see stays as it is.
		for len(k.registering) > 0 {
			a.registered(Notice{Reason: NoticeRegistered, Bytes: int64(a.published.State().Bytes)}, a.failureNotice()...)
		}
	}
}

// registered begins to pass notices on to the next of those that wait for it.
func (a *storeActor) registered(n Notice, more ...Notice) {
	k := &a.takers
	t := k.registering[0]
	if k.registering = k.registering[1:]; t != nil {
		t.add(append([]Notice{n}, more...))
		k.all = append(k.all, t)
	}
}

func (a *storeActor) pass(list []Notice) {
	if len(list) == 0 {
		return
	}
	for _, t := range a.takers.all {
		t.add(list)
	}
}

// endTakers tells all takers that the store has stopped.
func (a *storeActor) endTakers(ctx actor.Context) {
	a.tellTakers()
	if bytes := int64(a.published.State().Bytes); bytes > 0 {
		a.pass([]Notice{{Reason: NoticeStopped, Bytes: -bytes}})
	}
	for _, t := range a.takers.all {
		t.end(true)
	}
	for _, p := range a.takers.pids {
		ctx.Unwatch(p.pid)
	}
	a.takers = takers{}
}
