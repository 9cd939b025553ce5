package consumer

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// group is what one message to the stream with the state makes true.
type group struct {
	changes []change
	handed  []handed
	outputs []actors.BatchMessage
	authors int    // of outputs
	bytes   int64  // of those, about
	notices uint64 // number of the latest notice

	batch   []actors.BatchMessage // that is stored
	journal journal               // when it is, but for the last sequence
}

// change is an op that has changed the state, and its reply. Outputs of it begin at first.
type change struct {
	op             *op
	reply          any
	outputs, first int
}

// handed is messages that go to a pull or to a subscriber.
type handed struct {
	pull       *pull
	subscriber *subscriber
	list       []Delivery
}

// mostGroupBytes bounds the outputs of a group: far below what a batch can hold.
const mostGroupBytes = 8 << 20

// full reports whether an op has outputs for which the group has no room.
func (g *group) full(o *op) bool {
	return isAuthor(o) && g.authors > 0 && g.bytes+o.bytes > mostGroupBytes
}

// isAuthor reports whether an op has outputs.
func isAuthor(o *op) bool {
	m, settles := o.request.(*SettleRequest)
	return settles && len(m.Outputs) > 0
}

// waits reports whether somebody waits for the group.
func (g *group) waits() bool { return len(g.changes) > 0 || len(g.handed) > 0 }

// commit has the group that has gathered stored, if none is on its way.
func (a *consumerActor) commit() {
	if a.flight != nil || a.mode != running || a.deleting > toDelete {
		return
	}
	g := a.current
	if g.notices = a.core.Noticed(); !a.core.Changed() {
		if g.waits() { // for what is durable already
			a.current = &group{}
			a.complete(g, actors.BatchAck{})
			a.commit() // that what nobody has got is given back
		}
		return
	}
	m, journal := a.journal.record(a.core, a.state.Limits().MaxMsgsPer)
	g.batch, g.journal = append([]actors.BatchMessage{m}, g.outputs...), journal
	a.current, a.flight = &group{}, g
	for _, c := range g.changes {
		c.op.staged = true
	}
	a.storeFlight()
}

// storeFlight sends the group that is on its way.
func (a *consumerActor) storeFlight() {
	g := a.flight
	if len(g.batch) > 1 {
		a.ask(a.state, &actors.StoreBatchRequest{Messages: g.batch, Tag: g})
		return
	}
	m := &g.batch[0]
	a.ask(a.state, &actors.StoreRequest{Subject: m.Subject, Payload: m.Payload, Options: m.Options, Tag: g})
}

// resend has the group stored that the store had no room for.
type resend struct{ group *group }

// Control implements mailbox.Control.
func (*resend) Control() {}

// resendAfter is how long a group waits that the store had no room for.
const resendAfter = 5 * time.Millisecond

// onCommitted is told what became of the group.
func (a *consumerActor) onCommitted(ack actors.BatchAck, err error, tag any) {
	g := a.flight
	if g == nil || tag != any(g) {
		return
	}
	switch {
	case err == nil:
		a.flight = nil
		a.journal = g.journal
		a.journal.last = ack.First
		if a.failed > 0 {
			a.log.Info("the state of a consumer is stored again", "attempts", a.failed)
			a.failed = 0
		}
		a.complete(g, ack)
		a.unpark()
	case errors.Is(err, ErrOverloaded):
		box := a.inbox
		time.AfterFunc(resendAfter, func() { box.PostUserMessage(&resend{g}) })
	case errors.Is(err, actors.ErrStopped):
		a.stop(ErrStreamStopped)
		a.fail(err)
	case errors.Is(err, actors.ErrFailed), errors.Is(err, ErrOutcomeUnknown):
		a.fail(err)
		a.readyAt = 0
	default:
		a.refused(err)
	}
}

// complete answers all who wait for a group.
func (a *consumerActor) complete(g *group, ack actors.BatchAck) {
	a.durable = max(a.durable, g.notices)
	for _, c := range g.changes {
		if r, ok := c.reply.(*SettleReply); ok && c.outputs > 0 {
			first := ack.First + 1 + uint64(c.first)
			r.Ack = actors.BatchAck{First: first, Last: first + uint64(c.outputs) - 1, Time: ack.Time}
		}
		a.finish(c.op, c.reply)
	}
	for _, h := range g.handed {
		switch {
		case h.pull != nil:
			m := h.pull.op.request.(*PullRequest)
			if !a.finish(h.pull.op, &PullReply{Deliveries: h.list, Tag: m.Tag}) {
				a.giveBack(h.list)
			}
		case a.subscribers[pidKey(h.subscriber.pid)] == h.subscriber:
			a.send(h.subscriber.pid, &Pushed{Deliveries: h.list, Tag: h.subscriber.tag})
		default:
			a.giveBack(h.list)
		}
	}
}

// fail gives up what is not durable: the state is read again when the store takes writes. Who waits for a verdict is
// told; who waits for messages goes on waiting.
func (a *consumerActor) fail(err error) {
	a.mode, a.failure = failed, err
	if errors.Is(err, ErrOutcomeUnknown) {
		a.failure = actors.ErrFailed // what was not on its way has not happened
	}
	if a.flight != nil {
		for _, c := range a.flight.changes {
			a.failOp(c.op, err)
		}
	}
	for _, c := range a.current.changes {
		a.failOp(c.op, a.failure)
	}
	for _, o := range a.parked {
		a.failOp(o, a.failure)
	}
	a.tellBlamed()
	a.takeBack(a.flight, a.current)
	a.flight, a.current, a.parked = nil, &group{}, nil
	a.readyAt = later(a.now(), retryReady)
	if a.failed++; a.failed == 1 && !a.stopping {
		a.log.Warn("the state of a consumer cannot be stored; deliveries wait", "error", err)
	}
}

// failOp tells somebody who has waited that it is in vain.
func (a *consumerActor) failOp(o *op, err error) {
	if m, ok := o.request.(*InfoRequest); ok {
		a.finish(o, &InfoReply{Stats: a.stats(), Tag: m.Tag})
		return
	}
	a.finish(o, refusal(o.request, err))
}

// retryReady is how long after a refusal the store is asked again.
const retryReady = 250 * time.Millisecond

// takeBack has those wait on who were to be handed messages of groups that are not stored.
func (a *consumerActor) takeBack(groups ...*group) {
	var again []*pull
	for _, g := range groups {
		if g == nil {
			continue
		}
		for _, h := range g.handed {
			if h.pull != nil {
				again = append(again, h.pull)
			} else {
				h.subscriber.credit += len(h.list)
			}
		}
	}
	a.pulls = append(again, a.pulls...)
	for _, p := range a.pulls {
		p.got, p.bytes, p.full, p.goes = nil, 0, false, 0
	}
	for _, s := range a.ring {
		s.credit += len(s.got)
		s.got = nil
	}
}

// refused is told that the store has changed nothing. Outputs may be the reason, or that somebody else has opened the
// consumer: to read the state again tells.
func (a *consumerActor) refused(err error) {
	g := a.flight
	full := errors.Is(err, actors.ErrMaxMsgs) || errors.Is(err, actors.ErrMaxBytes) || errors.Is(err, actors.ErrNoSpace) ||
		errors.Is(err, actors.ErrNoDescriptors)
	if full || g.authors == 0 && !errors.Is(err, actors.ErrSequenceMismatch) {
		a.fail(err)
		return
	}
	var again []*op
	for _, c := range slices.Concat(g.changes, a.current.changes) {
		c.op.staged = false
		if c.outputs > 0 && g.authors == 1 && c.op == g.author() {
			a.blamed, a.blame = c.op, err
			continue
		}
		again = append(again, c.op)
	}
	a.parked = append(again, a.parked...)
	a.takeBack(g, a.current)
	a.flight, a.current, a.isolating = nil, &group{}, true
	a.reload(true)
}

// tellBlamed tells whose outputs the store has refused.
func (a *consumerActor) tellBlamed() {
	if a.blamed != nil {
		a.finish(a.blamed, refusal(a.blamed.request, a.blame))
		a.blamed, a.blame = nil, nil
	}
}

// author returns the first op of the group that has outputs.
func (g *group) author() *op {
	for _, c := range g.changes {
		if c.outputs > 0 {
			return c.op
		}
	}
	return nil
}

// unpark carries out what has waited. After a refusal each acknowledgement with outputs has a group of its own, so that it
// is known which of them the store refuses.
func (a *consumerActor) unpark() {
	for len(a.parked) > 0 && a.mode == running && a.flight == nil {
		o := a.parked[0]
		if a.current.full(o) || a.isolating && isAuthor(o) && a.current.waits() {
			return
		}
		a.parked = a.parked[1:]
		a.apply(o)
		if a.isolating && a.current.authors > 0 {
			break
		}
	}
	if len(a.parked) == 0 {
		a.isolating, a.parked = false, nil
	}
}
