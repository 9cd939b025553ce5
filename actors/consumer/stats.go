package consumer

import (
	"context"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Stats are the figures of a consumer. Totals count since it was made, over stops and crashes.
type Stats struct {
	Name
	Config Config // what it has; Start is not kept

	Position     uint64    // where it reads on
	Floor        uint64    // up to this sequence every message is settled or not selected
	Lag          uint64    // messages that the filters select and that were never delivered
	Pending      int       // messages delivered and not settled
	Held         int       // of those that count for Lag: read, and waiting for one of their subject
	Redelivering int       // of those that are pending: delivered more than once
	Waiting      int       // pulls that wait
	Subscribers  int       // actors that messages are sent to
	PausedUntil  time.Time // zero when it is not paused

	Delivered   uint64 // deliveries
	Redelivered uint64 // of them: not the first of their message
	Acked       uint64
	Naked       uint64
	InProgress  uint64
	Terminated  uint64 // messages settled with Term
	Exhausted   uint64 // messages given up after MaxDeliver deliveries
	Removed     uint64 // messages that the stream has lost before they were settled
	Damaged     uint64 // messages that could not be read to be delivered again
	Notices     uint64 // number of the latest notice

	lasts uint64 // up to here only the last message of each subject is read

	// Failed: the stream with the state takes no writes, and nothing is delivered.
	Failed error
}

// Stats returns the figures. Lag is counted on the caller's goroutine, and costs what Store.NumPending does.
func (c *Consumer) Stats(ctx context.Context) (Stats, error) {
	reply, err := c.ask(ctx, &InfoRequest{})
	if err != nil {
		return Stats{}, err
	}
	r := reply.(*InfoReply)
	if r.Err != nil {
		return Stats{}, r.Err
	}
	lag, err := c.lag(ctx, r.Stats.Position, r.Stats.lasts)
	r.Stats.Lag = lag + uint64(r.Stats.Held)
	return r.Stats, err
}

// lag counts the messages from a position on, of those up to lasts only the last of each subject.
func (c *Consumer) lag(ctx context.Context, position, lasts uint64) (lag uint64, err error) {
	if lasts > 0 {
		filters := c.filters
		if len(filters) == 0 {
			filters = []actors.Filters{actors.Filter(">")}
		}
		sequences, err := c.source.LastSeqs(ctx, lasts, 0, filters...)
		if err != nil {
			return 0, err
		}
		i, _ := slices.BinarySearch(sequences, position)
		lag, position = uint64(len(sequences)-i), max(position, lasts+1)
	}
	more, _, err := c.source.NumPending(ctx, position, c.filters...)
	return lag + more, err
}

// stats are the figures but for Lag.
func (a *consumerActor) stats() Stats {
	k := a.core.Counts()
	s := Stats{
		Name: Name{a.source.Name(), a.name}, Config: a.has.config(a.name, a.maxWaiting),
		Floor: a.core.Floor(), Pending: a.core.Pending(), Held: a.core.Held(), Redelivering: a.core.Redelivering(),
		Waiting: len(a.pulls), Subscribers: len(a.ring),
		Delivered: a.core.Delivered(), Redelivered: k.Redelivered, Acked: k.Acked, Naked: k.Delayed, InProgress: k.Extended,
		Terminated: k.Terminated, Exhausted: k.Exhausted, Removed: k.Removed, Damaged: k.Damaged, Notices: a.core.Noticed(),
		Failed: a.failure,
	}
	s.Position, s.lasts = a.core.Position()
	if until := a.core.PausedUntil(); until > a.now()-a.ahead {
		s.PausedUntil = time.Unix(0, until).UTC()
	}
	return s
}

// config returns the configuration of a consumer that is there.
func (s stored) config(name string, maxWaiting int) Config {
	c := Config{
		Name: name, Filters: slices.Clone(s.Filters), OrderPerSubject: actors.Off, AckWait: s.AckWait,
		BackOff: slices.Clone(s.BackOff), MaxDeliver: Unlimited, MaxAckPending: s.MaxAckPending, MaxWaiting: maxWaiting,
	}
	if s.OrderPerSubject {
		c.OrderPerSubject = actors.On
	}
	if s.MaxDeliver > 0 {
		c.MaxDeliver = s.MaxDeliver
	}
	return c
}
