package pubsub

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-d8b58eba/millrace/actors"
)

var (
	// ErrConfig: the configuration cannot be used.
	ErrConfig = errors.New("pubsub: invalid configuration")
	// ErrClosed: the publisher or the subscriber was closed.
	ErrClosed = errors.New("pubsub: closed")
	// ErrTopic: a topic without a name.
	ErrTopic = errors.New("pubsub: a topic needs a name")
)

// Config says what a PubSub stands on. Messages is required.
type Config struct {
	// Messages is the stream of the messages. It stays the caller's: it has to be open for as long as the PubSub is used,
	// and is stopped after that.
	Messages *actors.Store
	// Cursors is the stream that remembers how far the groups are. It has to be without limits that would remove a
	// cursor, and belongs to that stream of messages alone. Without it there are no groups. One PubSub for both at a time.
	Cursors *actors.Store
	// FromNow has new groups, and subscribers without one, begin with what is published next. By default they begin with
	// the first message that is there.
	FromNow bool
	// NackDelay is how long a message that was refused waits before it is given to somebody again.
	NackDelay time.Duration
	// Deduplicate has the UUID of a message be its id in the stream: a message that is published again, because the first
	// attempt failed or its outcome was not known, is not stored again, as long as the stream remembers ids
	// (actors.Config.Duplicates, which has to be set).
	Deduplicate bool
	// Logger is told of damage, and of cursors that cannot be written down. Default: nobody is.
	Logger watermill.LoggerAdapter
}

// PubSub is publishers and subscribers on a stream. It is safe for concurrent use, and has nothing to be closed itself.
type PubSub struct {
	config Config

	mu     sync.Mutex
	groups map[[2]string]*group // by name and topic
}

// New returns a PubSub.
func New(config Config) (*PubSub, error) {
	if config.Messages == nil {
		return nil, fmt.Errorf("%w: there is no stream of messages", ErrConfig)
	}
	if config.Cursors != nil {
		if l := config.Cursors.Limits(); l.MaxMsgs > 0 || l.MaxBytes > 0 || l.MaxAge > 0 {
			return nil, fmt.Errorf("%w: the limits of the stream of cursors would remove some", ErrConfig)
		}
	}
	if config.Logger == nil {
		config.Logger = watermill.NopLogger{}
	}
	return &PubSub{config: config, groups: map[[2]string]*group{}}, nil
}

// Publisher returns a publisher.
func (p *PubSub) Publisher() *Publisher { return &Publisher{pubsub: p} }

// Subscriber returns a subscriber that is a member of a consumer group; without a name, one that gets all messages by
// itself, and remembers nothing.
func (p *PubSub) Subscriber(group string) (*Subscriber, error) {
	if group != "" && p.config.Cursors == nil {
		return nil, fmt.Errorf("%w: groups need a stream of cursors", ErrConfig)
	}
	return newSubscriber(p, group), nil
}

// group returns what the members of a group share for a topic.
func (p *PubSub) group(name, topic string) *group {
	if name == "" {
		return newGroup(p, "", topic)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{name, topic}
	g := p.groups[key]
	if g == nil {
		g = newGroup(p, name, topic)
		p.groups[key] = g
	}
	return g
}

var (
	_ message.Publisher            = (*Publisher)(nil)
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)
