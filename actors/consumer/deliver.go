package consumer

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// pump has messages delivered as long as somebody wants them.
func (a *consumerActor) pump(now int64) {
	if a.stopping {
		return
	}
	for wanted := a.wanted() - a.loads; wanted > 0; {
		sequence, pick := a.core.Next(now)
		switch pick {
		case cursor.PickNone:
			return
		case cursor.PickAgain, cursor.PickHeld:
			if now < a.retryAt {
				a.core.Putback(sequence)
				return
			}
			a.load(sequence)
			wanted--
		case cursor.PickNew:
			took, more := a.deliverNew(now)
			if !more {
				return
			}
			if took {
				wanted--
			}
		}
	}
}

// wanted returns how many messages are asked for.
func (a *consumerActor) wanted() (n int) {
	for _, p := range a.pulls {
		if !p.full {
			n += p.batch - len(p.got)
		}
	}
	for _, s := range a.ring {
		n += s.credit
	}
	return n
}

// deliverNew delivers or holds the next message that was read. It reports whether somebody took it, and whether another
// one may follow.
func (a *consumerActor) deliverNew(now int64) (took, more bool) {
	if len(a.buffer) == 0 {
		a.read(now)
		return false, false
	}
	m := &a.buffer[0]
	key := a.key(m.Subject)
	if a.core.Blocked(key) {
		a.core.Hold(m.Sequence, key)
		a.shift()
		return false, true
	}
	to := a.taker(sizeOf(m))
	if to == nil {
		return false, false
	}
	number, ok := a.core.Deliver(m.Sequence, key, now)
	if ok {
		to.take(Delivery{Message: *m, Token: Token{m.Sequence, number}, Deliveries: 1}, now)
	}
	a.shift()
	return ok, true
}

// shift drops the first message of the buffer.
func (a *consumerActor) shift() {
	a.buffer[0] = actors.Message{}
	if a.buffer = a.buffer[1:]; len(a.buffer) == 0 {
		a.buffer = nil
	}
}

// key is what messages have in common whose order is kept. Two subjects that happen to have the same key wait for each
// other; that costs time and nothing else.
func (a *consumerActor) key(subject string) uint64 {
	if !a.core.Ordered {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(subject)) // it never fails
	return h.Sum64()
}

func sizeOf(m *actors.Message) int { return len(m.Subject) + len(m.HeaderBlock) + len(m.Payload) }

// taker takes messages: a pull or a subscriber.
type taker interface{ take(d Delivery, now int64) }

// pullPatience is how long a pull that has messages waits for more that are being read: where the filters select little,
// that can take long.
const pullPatience = 2 * time.Millisecond

func (p *pull) take(d Delivery, now int64) {
	if len(p.got) == 0 {
		p.goes = now + int64(pullPatience)
	}
	p.got = append(p.got, d)
	p.bytes += sizeOf(&d.Message)
}

func (s *subscriber) take(d Delivery, _ int64) {
	s.got = append(s.got, d)
	s.credit--
}

// taker returns who is to have the next message, of a size; nil when nobody wants it. Pulls come first, in their order;
// subscribers take turns.
func (a *consumerActor) taker(size int) taker {
	for _, p := range a.pulls {
		if !p.wants() {
			continue
		}
		if len(p.got) > 0 && p.bytes+size > p.maxBytes {
			p.full = true
			continue
		}
		return p
	}
	for i, s := range a.ring {
		if s.credit > 0 {
			a.ring = append(slices.Delete(a.ring, i, i+1), s)
			return s
		}
	}
	return nil
}

// completePulls ends the pulls that have all that they get.
func (a *consumerActor) completePulls(now int64) {
	idle := a.loads == 0 && !a.reading && a.mode == running // nothing more comes in this round
	a.pulls = slices.DeleteFunc(a.pulls, func(p *pull) bool {
		expired := p.expires <= now
		switch {
		case len(p.got) > 0 && (idle || !p.wants() || p.goes <= now || expired && p.expires > 0 || a.stopping):
			a.hand(handed{pull: p, list: p.got})
		case len(p.got) == 0 && a.stopping:
			a.finish(p.op, refusal(p.op.request, ErrStopped))
		case len(p.got) == 0 && expired && (idle || p.expires > 0 || a.mode == failed):
			a.finish(p.op, refusal(p.op.request, a.failure))
		default:
			return false
		}
		return true
	})
}

// completeSubscribers passes on what subscribers have got.
func (a *consumerActor) completeSubscribers() {
	for _, s := range a.ring {
		if len(s.got) > 0 {
			a.hand(handed{subscriber: s, list: s.got})
			s.got = nil
		}
	}
}

// hand has messages handed out when it is durable that they are. They are sorted: loads answer in any order.
func (a *consumerActor) hand(h handed) {
	slices.SortFunc(h.list, func(a, b Delivery) int { return cmp.Compare(a.Sequence, b.Sequence) })
	a.current.handed = append(a.current.handed, h)
}

// load has a message loaded that is not new.
func (a *consumerActor) load(sequence uint64) {
	a.loads++
	a.ask(a.source, &actors.LoadRequest{Sequence: sequence, Tag: loadTag{a.era, a.view, sequence}})
}

// loadTag says what a load was for.
type loadTag struct{ era, view, sequence uint64 }

// onLoad delivers a message that was loaded.
func (a *consumerActor) onLoad(m *actors.LoadReply) {
	tag, ours := m.Tag.(loadTag)
	if !ours || tag.era != a.era || a.mode != running {
		return
	}
	a.loads--
	now := a.now()
	switch what := outcomeOf(m.Err); {
	case tag.view != a.view: // it may have been another message of this sequence
		a.core.Putback(tag.sequence)
	case what == readGone:
		a.core.Removed(tag.sequence, now)
	case what == readSector:
		a.log.Warn("a message cannot be delivered again at the moment", "sequence", tag.sequence, "error", m.Err)
		a.core.PutOff(tag.sequence, later(now, sectorPatience))
		a.retryAt = later(now, retryRead)
	case what == readDamaged:
		a.log.Warn("a message cannot be delivered again", "sequence", tag.sequence, "error", m.Err)
		a.core.Damaged(tag.sequence, now)
	case what == readStopped:
		a.stop(ErrStreamStopped)
	case what == readLater:
		a.core.Putback(tag.sequence)
		a.retryAt = later(now, retryRead)
	default:
		a.deliverLoaded(&m.Message, now)
	}
}

func (a *consumerActor) deliverLoaded(m *actors.Message, now int64) {
	var to taker
	if !a.stopping {
		to = a.taker(sizeOf(m))
	}
	if to == nil {
		a.core.Putback(m.Sequence)
		return
	}
	if number, deliveries, ok := a.core.Loaded(m.Sequence, a.key(m.Subject), now); ok {
		to.take(Delivery{Message: *m, Token: Token{m.Sequence, number}, Deliveries: deliveries}, now)
	}
}
