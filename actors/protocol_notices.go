package actors

import "github.com/asynkron/protoactor-go/actor"

type (
	// NoticesRequest makes its sender a taker of notices, see Store.Notices, and asks for those that wait, or
	// for the next ones when none do. Reply: *Notices. Whoever has handled these asks again: what happens
	// meanwhile waits in the store, within the same bounds. While such a request waits, notices are sent
	// before the replies to the requests that caused them. A second request takes the place of one that
	// waits, which is answered without notices. An EndNoticesRequest of the same sender, or its end, stops it.
	NoticesRequest struct{ Tag any }
	// EndNoticesRequest ends what NoticesRequest began. It has no reply, unless it is refused; a NoticesRequest
	// that waits is answered without notices.
	EndNoticesRequest struct{}
	// Notices answers NoticesRequest. The last one comes unasked when the store stops, with Stopped and all
	// notices that wait.
	Notices struct {
		Notices []Notice
		Stopped bool
		Err     error
		Tag     any
	}
)

// IgnoreDeadLetterLogging keeps subjects out of the actor library's log.
func (*Notices) IgnoreDeadLetterLogging() {}

// noticePID is an actor that takes notices. It implements noticeSink.
type noticePID struct {
	stream *stream
	pid    *actor.PID
	queue  noticeQueue
	asks   *NoticesRequest // that waits
}

func (p *noticePID) add(list []Notice) {
	p.queue.add(list)
	p.answer()
}

func (p *noticePID) end(stopped bool) {
	switch {
	case stopped:
		last := &Notices{Notices: p.queue.take(), Stopped: true}
		if p.asks != nil {
			last.Tag = p.asks.Tag
		}
		p.stream.respond(p.pid, last)
	case p.asks != nil:
		p.stream.respond(p.pid, &Notices{Tag: p.asks.Tag})
	}
	p.asks = nil
}

// answer sends what waits to one who has asked for it.
func (p *noticePID) answer() {
	if p.asks == nil || len(p.queue.list) == 0 {
		return
	}
	p.stream.respond(p.pid, &Notices{Notices: p.queue.take(), Tag: p.asks.Tag})
	p.asks = nil
}

func (a *storeActor) noticesBy(ctx actor.Context, m *NoticesRequest, pid *actor.PID) {
	if pid == nil {
		return
	}
	k := &a.takers
	p, known := k.pids[pidKey(pid)]
	if known && p.asks != nil {
		a.respond(pid, &Notices{Tag: p.asks.Tag})
	}
	if known {
		p.asks = m
		p.answer()
		return
	}
	if k.pids == nil {
		k.pids = make(map[string]*noticePID)
	}
	p = &noticePID{stream: a.stream, pid: pid, asks: m}
	k.pids[pidKey(pid)] = p
	ctx.Watch(pid)
	a.addTaker(p)
}

func (a *storeActor) endNoticesBy(ctx actor.Context, pid *actor.PID) {
	if pid != nil && a.forgetTaker(pid) && a.pids[pidKey(pid)] == nil {
		ctx.Unwatch(pid)
	}
}

// forgetTaker drops an actor that takes notices. It reports whether there was one.
func (a *storeActor) forgetTaker(pid *actor.PID) bool {
	key := pidKey(pid)
	p, ok := a.takers.pids[key]
	if ok {
		delete(a.takers.pids, key)
		a.removeTaker(p)
		p.end(false)
	}
	return ok
}

// pidKey names an actor.
func pidKey(pid *actor.PID) string { return pid.Address + "/" + pid.Id }
