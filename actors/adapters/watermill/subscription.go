package pubsub

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-d8b58eba/millrace/actors"
)

// subscription is what a member of a group has of a topic, until its context ends or the stream is stopped.
type subscription struct {
	pubsub *PubSub
	group  *group
	news   <-chan uint64 // of the stream; closed at the end of the context, and when it is stopped
	out    chan *message.Message
}

// takeTurn waits for the turn of this member, and gives it a message. It is false at the end of the subscription.
func (s *subscription) takeTurn(ctx context.Context) bool {
	if !s.group.enter(ctx) {
		return false
	}
	defer s.group.leave()
	stored, ok := s.await(ctx)
	if !ok {
		return false
	}
	m, err := fromStream(&stored)
	if err != nil {
		s.pubsub.config.Logger.Error("a message is passed over", err, s.group.fields().Add(map[string]any{"sequence": stored.Sequence}))
		s.group.advance(stored.Sequence + 1)
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.SetContext(ctx)
	switch s.hand(m) {
	case acknowledged:
		s.group.advance(stored.Sequence + 1)
		return true
	case refused:
		return pause(ctx, s.pubsub.config.NackDelay)
	}
	return false
}

// outcome is what became of a message.
type outcome int

const (
	unknown outcome = iota // the subscription is over
	acknowledged
	refused
)

// hand gives a message out, and waits for what becomes of it.
func (s *subscription) hand(m *message.Message) outcome {
	for out := s.out; ; {
		select {
		case out <- m:
			out = nil
		case <-m.Acked():
			return acknowledged
		case <-m.Nacked():
			return refused
		case _, open := <-s.news:
			if open {
				continue
			}
			select {
			case <-m.Acked(): // at the same time
				return acknowledged
			default:
				return unknown
			}
		}
	}
}

// unreadablePause is the time between two attempts to read what cannot be read at the moment.
const unreadablePause = 100 * time.Millisecond

// await waits for the next message of the group. It is false at the end of the subscription.
func (s *subscription) await(ctx context.Context) (actors.Message, bool) {
	g := s.group
	for {
		err := g.find(ctx)
		if err == nil {
			var m actors.Message
			var last uint64
			if m, last, err = s.pubsub.config.Messages.LoadNextMsg(ctx, g.next, g.filter); err == nil {
				return m, true
			}
			if last > 0 && last >= g.next {
				g.next = last + 1 // behind what holds no message of the topic, or what is lost
			}
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, actors.ErrStopped):
			return actors.Message{}, false
		case errors.Is(err, actors.ErrEOF):
			// What was stored since the last look is told, too: at worst there is nothing new.
			if _, open := <-s.news; !open {
				return actors.Message{}, false
			}
		case errors.Is(err, actors.ErrCorrupt):
			s.pubsub.config.Logger.Error("messages are lost, and passed over", err, g.fields())
		default:
			s.pubsub.config.Logger.Error("a message cannot be read at the moment", err, g.fields())
			if !pause(ctx, unreadablePause) {
				return actors.Message{}, false
			}
		}
	}
}

// pause waits. It is false when the context ends before that.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
