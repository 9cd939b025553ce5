package pubsub

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/seed-d8b58eba/millrace/actors"
)

// group is how far a consumer group is in a topic, or a subscriber without a group.
type group struct {
	pubsub         *PubSub
	name, topic    string
	filter         actors.Filters // the messages of the topic
	turn           chan struct{}  // holds something while a member has its turn: one message is on its way at a time
	next           uint64         // from where on the next message is; 0: not known. Of whoever has the turn.
	mu             sync.Mutex
	acked, written uint64        // cursors: what was acknowledged, and what of it is written down
	writing        chan struct{} // closed when the writer is done; nil when there is none
}

func newGroup(p *PubSub, name, topic string) *group {
	return &group{
		pubsub: p, name: name, topic: topic, turn: make(chan struct{}, 1),
		filter: actors.Compile(actors.Literal(topicSubject(topic))),
	}
}

// enter waits for the member's turn. It is false when the context ends before that.
func (g *group) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case g.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave ends the turn.
func (g *group) leave() { <-g.turn }

// find finds out where the next message is, if nobody has before: at the cursor, or where a new group begins. It is called
// by whoever has the turn.
func (g *group) find(ctx context.Context) error {
	if g.next > 0 {
		return nil
	}
	state, err := g.pubsub.config.Messages.FastState(ctx)
	if err != nil {
		return err
	}
	cursor, err := g.load(ctx)
	if err != nil {
		return err
	}
	if cursor > state.LastSequence+1 {
		// A loss of power has taken messages that were not synced.
		g.pubsub.config.Logger.Info("the stream ends before the cursor of a group", g.fields())
		cursor = state.LastSequence + 1
	}
	switch {
	case cursor > 0:
		g.next = cursor
	case g.pubsub.config.FromNow:
		g.next = state.LastSequence + 1
		g.advance(g.next) // where it begins must not change until it gets a message
	default:
		g.next = 1
	}
	return nil
}

// load reads the cursor, 0 if there is none.
func (g *group) load(ctx context.Context) (uint64, error) {
	if g.name == "" {
		return 0, nil
	}
	m, err := g.pubsub.config.Cursors.LoadLastMsg(ctx, actors.Literal(cursorSubject(g.name, g.topic)))
	switch {
	case errors.Is(err, actors.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case len(m.Payload) != 8:
		return 0, actors.ErrCorrupt
	}
	return binary.BigEndian.Uint64(m.Payload), nil
}

// advance moves the cursor, and has it written down in the background: the latest while others are on their way.
func (g *group) advance(next uint64) {
	g.next = next
	if g.name == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.acked = next
	if g.writing == nil {
		g.writing = make(chan struct{})
		go g.write()
	}
}

// cursorPatience is how long a cursor waits for a stream that has failed to recover. It is moved on by the next
// acknowledgement.
const cursorPatience = 10 * time.Second

// write writes the cursor down until it is the latest.
func (g *group) write() {
	ctx := context.Background()
	for {
		g.mu.Lock()
		cursor := g.acked
		if cursor == g.written {
			close(g.writing)
			g.writing = nil
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		_, err := g.pubsub.config.Cursors.StoreMsg(ctx, cursorSubject(g.name, g.topic), nil,
			binary.BigEndian.AppendUint64(nil, cursor), actors.Rollup(actors.RollupSubject))
		if errors.Is(err, actors.ErrFailed) {
			waiting, cancel := context.WithTimeout(ctx, cursorPatience)
			ready := g.pubsub.config.Cursors.Ready(waiting) == nil
			cancel()
			if ready {
				continue
			}
		}
		if err != nil {
			g.pubsub.config.Logger.Error("a cursor is not written down: messages will come again", err, g.fields())
		}
		g.mu.Lock()
		g.written = cursor
		g.mu.Unlock()
	}
}

// flush waits until the cursor is written down.
func (g *group) flush() {
	for {
		g.mu.Lock()
		writing := g.writing
		g.mu.Unlock()
		if writing == nil {
			return
		}
		<-writing
	}
}

func (g *group) fields() watermill.LogFields {
	return watermill.LogFields{"topic": g.topic, "consumer_group": g.name}
}
