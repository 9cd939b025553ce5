package pubsub

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Subscriber gets the messages of topics, as a member of a group or by itself.
type Subscriber struct {
	pubsub  *PubSub
	name    string // of the group
	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	groups  map[*group]bool // that it is or was a member of
}

func newSubscriber(p *PubSub, name string) *Subscriber {
	ctx, cancel := context.WithCancel(context.Background())
	return &Subscriber{pubsub: p, name: name, ctx: ctx, cancel: cancel, groups: map[*group]bool{}}
}

// Subscribe returns a channel that gives the messages of a topic, until the context or the subscriber ends, or the stream is
// stopped. The next one comes when the one before was acknowledged; one that was refused comes again, to this or another
// member of the group.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	g, err := s.join(topic, true)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	news, err := s.pubsub.config.Messages.Watch(ctx)
	if err != nil {
		cancel()
		s.running.Done()
		return nil, err
	}
	closing := context.AfterFunc(s.ctx, cancel)
	sub := &subscription{pubsub: s.pubsub, group: g, news: news, out: make(chan *message.Message)}
	go func() {
		defer s.running.Done()
		defer close(sub.out)
		defer cancel()
		defer closing()
		for sub.takeTurn(ctx) {
		}
	}()
	return sub.out, nil
}

// SubscribeInitialize makes a new group begin here, as Subscribe does.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	g, err := s.join(topic, false)
	if err != nil {
		return err
	}
	if !g.enter(s.ctx) {
		return ErrClosed
	}
	defer g.leave()
	return g.find(s.ctx)
}

// join returns the group for a topic. stays says that it is for a subscription, which Close waits for.
func (s *Subscriber) join(topic string, stays bool) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if topic == "" {
		return nil, ErrTopic
	}
	g := s.pubsub.group(s.name, topic)
	if s.name != "" {
		s.groups[g] = true
	}
	if stays {
		s.running.Add(1)
	}
	return g, nil
}

// Close ends all subscriptions. When it returns their channels are closed, and what was acknowledged is written down.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	groups := s.groups
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	for g := range groups {
		g.flush()
	}
	return nil
}
