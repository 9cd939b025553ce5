package consumer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// pull is one who waits for messages.
type pull struct {
	op       *op
	batch    int
	maxBytes int
	expires  int64
	got      []Delivery
	bytes    int
	full     bool  // the next message is too large for it
	goes     int64 // when it goes with what it has, though more is being read; 0 while it has nothing
}

func (p *pull) wants() bool { return !p.full && len(p.got) < p.batch }

// subscriber is an actor that messages are sent to.
type subscriber struct {
	pid    *actor.PID
	tag    any
	credit int
	got    []Delivery
}

// mostBatch bounds what a pull can ask for, and mostCredit what a subscriber can have.
const (
	mostBatch  = 1 << 16
	mostCredit = 1 << 20
)

// handle carries a request out, or begins to.
func (a *consumerActor) handle(o *op) {
	switch m := o.request.(type) {
	case *InfoRequest:
		a.info(o, m)
		return
	case *StopRequest:
		a.stops = append(a.stops, o)
		a.stop(nil)
		return
	case *DeleteRequest:
		a.stops = append(a.stops, o)
		a.stop(nil)
		a.deleting = max(a.deleting, toDelete)
		return
	}
	if a.stopping {
		a.finish(o, refusal(o.request, ErrStopped))
		return
	}
	switch m := o.request.(type) {
	case *PullRequest:
		a.pull(o, m)
	case *SubscribeRequest:
		a.subscribe(o, m)
	case *CreditRequest:
		a.credit(o, m)
	case *UnsubscribeRequest:
		if s := a.subscribers[keyOf(o.sender)]; s != nil {
			a.unsubscribe(s)
			a.ctx.Unwatch(s.pid)
			a.send(s.pid, &Pushed{Err: ErrUnsubscribed, Tag: s.tag})
		}
		a.finish(o, nil)
	case *NoticesRequest:
		a.noticeOps = append(a.noticeOps, o)
		a.told = 0
	case *SettleRequest, *PauseRequest:
		a.change(o)
	default:
		a.log.Error("unknown request", "type", fmt.Sprintf("%T", m))
		a.finish(o, refusal(m, nil))
	}
}

// info answers with the figures when all that they show is durable. While the stream with the state takes no writes, it
// answers at once.
func (a *consumerActor) info(o *op, m *InfoRequest) {
	if a.stopping || a.mode == failed {
		a.finish(o, &InfoReply{Stats: a.stats(), Tag: m.Tag})
		return
	}
	a.change(o)
}

func keyOf(pid *actor.PID) string {
	if pid == nil {
		return ""
	}
	return pidKey(pid)
}

func (a *consumerActor) pull(o *op, m *PullRequest) {
	switch {
	case o.done == nil && o.sender == nil: // nobody would get the messages
		a.finish(o, nil)
	case m.Batch < 0 || m.Batch > mostBatch || m.MaxBytes < 0 || m.Expires < 0:
		a.finish(o, refusal(m, fmt.Errorf("%w: a batch of %d, %d bytes, %v", ErrRequest, m.Batch, m.MaxBytes, m.Expires)))
	case len(a.pulls) >= a.maxWaiting:
		a.finish(o, refusal(m, ErrTooManyPulls))
	case a.mode == failed && m.Expires == 0:
		a.finish(o, refusal(m, a.failure))
	default:
		p := &pull{op: o, batch: max(m.Batch, 1), maxBytes: m.MaxBytes, expires: math.MaxInt64}
		if m.MaxBytes == 0 {
			p.maxBytes = math.MaxInt
		}
		if m.Expires == 0 {
			p.expires = 0
		} else if now := a.now(); int64(m.Expires) < math.MaxInt64-now {
			p.expires = now + int64(m.Expires)
		}
		a.pulls = append(a.pulls, p)
	}
}

func (a *consumerActor) subscribe(o *op, m *SubscribeRequest) {
	switch {
	case o.sender == nil || m.Credit < 0 || m.Credit > mostCredit:
		a.finish(o, refusal(m, fmt.Errorf("%w: a subscription with a credit of %d", ErrRequest, m.Credit)))
		return
	case len(a.ring) >= a.maxWaiting && a.subscribers[pidKey(o.sender)] == nil:
		a.finish(o, refusal(m, ErrTooManyPulls))
		return
	}
	if s := a.subscribers[pidKey(o.sender)]; s != nil {
		a.unsubscribe(s)
		a.send(s.pid, &Pushed{Err: ErrUnsubscribed, Tag: s.tag})
	}
	s := &subscriber{pid: o.sender, tag: m.Tag, credit: m.Credit}
	a.subscribers[pidKey(o.sender)] = s
	a.ring = append(a.ring, s)
	a.ctx.Watch(o.sender)
	a.finish(o, nil)
}

func (a *consumerActor) credit(o *op, m *CreditRequest) {
	if s := a.subscribers[keyOf(o.sender)]; s != nil && m.Credit > 0 {
		s.credit = min(s.credit+min(m.Credit, mostCredit), mostCredit)
	}
	a.finish(o, nil)
}

// unsubscribe drops a subscriber. What it was to be sent, and was not, comes again at once.
func (a *consumerActor) unsubscribe(s *subscriber) {
	delete(a.subscribers, pidKey(s.pid))
	a.ring = slices.DeleteFunc(a.ring, func(other *subscriber) bool { return other == s })
	a.giveBack(s.got)
	s.got = nil
}

// giveBack has messages that nobody has got come again at once, as if they had not been delivered.
func (a *consumerActor) giveBack(list []Delivery) {
	if a.mode != running {
		return // they were not delivered, or come again in time
	}
	now := a.now()
	for i := range list {
		a.core.Returned(list[i].Token.Sequence, list[i].Token.Number, now)
	}
}

// change carries out what changes or shows the state, when that is there.
func (a *consumerActor) change(o *op) {
	switch {
	case a.mode == failed:
		a.finish(o, refusal(o.request, a.failure))
	case a.mode == reloading || len(a.parked) > 0 || a.current.full(o):
		a.parked = append(a.parked, o)
	default:
		a.apply(o)
	}
}

// apply carries out what changes or shows the state.
func (a *consumerActor) apply(o *op) {
	switch m := o.request.(type) {
	case *InfoRequest:
		a.current.changes = append(a.current.changes, change{op: o, reply: &InfoReply{Stats: a.stats(), Tag: m.Tag}})
	case *SettleRequest:
		a.settle(o, m)
	case *PauseRequest:
		until := int64(0)
		if !m.Until.IsZero() {
			if m.Until.Before(time.Unix(0, 0)) || m.Until.After(time.Unix(0, math.MaxInt64)) {
				a.finish(o, refusal(m, fmt.Errorf("%w: a pause until %v", ErrRequest, m.Until)))
				return
			}
			until = m.Until.UnixNano()
		}
		a.core.Pause(until)
		a.current.changes = append(a.current.changes, change{op: o, reply: &PauseReply{Tag: m.Tag}})
	}
}

// settle carries out a verdict.
func (a *consumerActor) settle(o *op, m *SettleRequest) {
	if err := a.checkSettle(m); err != nil {
		a.finish(o, refusal(m, err))
		return
	}
	now := a.now()
	reply := &SettleReply{Tag: m.Tag}
	var errs []error
	for _, t := range m.Tokens {
		var v cursor.Verdict
		switch m.Verdict {
		case Ack:
			v = a.core.Acked(t.Sequence, t.Number)
		case Nak:
			v = a.core.Delayed(t.Sequence, t.Number, later(now, m.Delay))
		case InProgress:
			v = a.core.Extended(t.Sequence, t.Number, now)
		case Term:
			v = a.core.Terminated(t.Sequence, t.Number, now)
		}
		if len(errs) < mostErrors {
			errs = appendVerdict(errs, v, t)
		}
	}
	reply.Err = errors.Join(errs...)
	c := change{op: o, reply: reply, outputs: len(m.Outputs), first: len(a.current.outputs)}
	a.current.outputs = append(a.current.outputs, m.Outputs...)
	if len(m.Outputs) > 0 {
		a.current.authors++
		a.current.bytes += o.bytes
	}
	a.current.changes = append(a.current.changes, c)
}

// mostErrors is how many tokens an error names.
const mostErrors = 8

func appendVerdict(errs []error, v cursor.Verdict, t Token) []error {
	switch v {
	case cursor.NotPending:
		return append(errs, fmt.Errorf("%w: %v", ErrNotPending, t))
	case cursor.Stale:
		return append(errs, fmt.Errorf("%w: %v", ErrStale, t))
	}
	return errs
}

// checkSettle refuses a verdict that makes no sense, and one with outputs that cannot happen as a whole.
func (a *consumerActor) checkSettle(m *SettleRequest) error {
	switch {
	case m.Verdict > Term || m.Delay < 0 || m.Delay > 0 && m.Verdict != Nak:
		return fmt.Errorf("%w: verdict %d with a delay of %v", ErrRequest, m.Verdict, m.Delay)
	case len(m.Tokens) == 0:
		return fmt.Errorf("%w: no tokens", ErrRequest)
	case len(m.Outputs) > 0 && m.Verdict != Ack:
		return fmt.Errorf("%w: outputs without an acknowledgement", ErrRequest)
	case len(m.Outputs) == 0:
		return nil
	}
	seen := make(map[uint64]struct{}) // there may be as many as may be pending
	for _, t := range m.Tokens {
		if _, twice := seen[t.Sequence]; twice || !a.core.IsPending(t.Sequence, t.Number) {
			return fmt.Errorf("%w: %v", ErrNotPending, t)
		}
		seen[t.Sequence] = struct{}{}
	}
	return nil
}

func later(now int64, delay time.Duration) int64 {
	if int64(delay) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + int64(delay)
}

// onAbandoned forgets an op whose caller does not wait any more, if it only waits.
func (a *consumerActor) onAbandoned(o *op) {
	for i, p := range a.pulls {
		if p.op == o {
			a.pulls = slices.Delete(a.pulls, i, i+1)
			a.giveBack(p.got)
			a.finish(o, nil)
			return
		}
	}
	if i := slices.Index(a.noticeOps, o); i >= 0 {
		a.noticeOps = slices.Delete(a.noticeOps, i, i+1)
		a.finish(o, nil)
	}
}

// tellNotices answers those who wait for notices.
func (a *consumerActor) tellNotices() {
	if len(a.noticeOps) == 0 || a.told == a.durable {
		return
	}
	a.told = a.durable
	a.noticeOps = slices.DeleteFunc(a.noticeOps, func(o *op) bool {
		m := o.request.(*NoticesRequest)
		list := a.core.Notices(m.After)
		list = slices.DeleteFunc(list, func(n cursor.Notice) bool { return n.Number > a.durable })
		if len(list) == 0 && !a.stopping {
			return false
		}
		a.finish(o, &NoticesReply{Notices: noticesOf(list), Tag: m.Tag})
		return true
	})
}
