package pubsub

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// publish publishes messages with these payloads, which are their UUIDs, too, all at once.
func publish(t *testing.T, p *PubSub, topic string, payloads ...string) {
	t.Helper()
	var messages []*message.Message
	for _, payload := range payloads {
		messages = append(messages, message.NewMessage(payload, []byte(payload)))
	}
	require.NoError(t, p.Publisher().Publish(topic, messages...))
}

// subscribe is a subscription of a new member of a group.
func subscribe(t *testing.T, p *PubSub, group, topic string) (*Subscriber, <-chan *message.Message) {
	t.Helper()
	s, err := p.Subscriber(group)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return s, messages
}

// take takes the next messages, with these payloads, and acknowledges them.
func take(t *testing.T, messages <-chan *message.Message, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		m := receive(t, messages)
		require.Equal(t, payload, string(m.Payload))
		require.Equal(t, payload, m.UUID)
		require.True(t, m.Ack())
	}
}

// receive waits for the next message.
func receive(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, open := <-messages:
		require.True(t, open, "the subscription is over")
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message comes")
		return nil
	}
}

// TestAGroupGoesOnWhereItWas closes everything between two messages, and opens it again.
func TestAGroupGoesOnWhereItWas(t *testing.T) {
	fsys := blocktest.NewMemFS()
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			p := openTest(t, fsys, "/streams", nil)
			if round == 0 {
				publish(t, p, "a", "0", "1", "2", "3", "4")
				publish(t, p, "b", "of b")
			}
			_, messages := subscribe(t, p, "group", "a")
			take(t, messages, fmt.Sprint(round))
			if round < 4 { // one that is not acknowledged comes again
				require.Equal(t, fmt.Sprint(round+1), receive(t, messages).UUID)
			}
			_, others := subscribe(t, p, fmt.Sprint("group", round), "a")
			take(t, others, "0", "1", "2", "3", "4")
			_, alone := subscribe(t, p, "", "a")
			take(t, alone, "0", "1", "2", "3", "4")
		})
	}
}

// TestMembersShareMessages has two members take turns: each message goes to one of them, and one that is refused, or whose
// member goes, to the other.
func TestMembersShareMessages(t *testing.T) {
	p := openTest(t, blocktest.NewMemFS(), "/streams", func(c *Config) { c.NackDelay = time.Millisecond })
	publish(t, p, "a", "0", "1", "2")
	first, one := subscribe(t, p, "group", "a")
	m := receive(t, one)
	_, two := subscribe(t, p, "group", "a")
	select {
	case m := <-two:
		t.Fatalf("%s comes before the one before was acknowledged", m.UUID)
	default:
	}
	require.True(t, m.Nack())
	<-m.Context().Done()
	select {
	case m = <-one:
	case m = <-two:
	}
	require.Equal(t, "0", m.UUID)
	require.NoError(t, first.Close())
	select {
	case <-m.Context().Done(): // the first had it
		require.Equal(t, "0", receive(t, two).UUID)
	default: // the second has it
		require.True(t, m.Ack())
		require.Equal(t, "1", receive(t, two).UUID)
	}
	_, open := <-one
	require.False(t, open)
}

// TestMessagesAreWhole has UUIDs, metadata and topics that headers and subjects cannot hold as they are.
func TestMessagesAreWhole(t *testing.T) {
	p := openTest(t, blocktest.NewMemFS(), "/streams", nil)
	for i, text := range []string{"plain", "", " at the ends ", "\t", "a: b\r\nNats-Rollup: all", "%41", "ü", "\x00\xff", "Nats-TTL", "a.b", "*", ">", "..", "."} {
		topic := text + "."
		sent := message.NewMessage(text, []byte(text))
		sent.Metadata.Set(text, text+" of it")
		sent.Metadata.Set("Nats-TTL", "1s")
		sent.Metadata.Set("Nats-Rollup", "all")
		require.NoError(t, p.Publisher().Publish(topic, sent))
		_, messages := subscribe(t, p, text, topic)
		got := receive(t, messages)
		require.True(t, sent.Equals(got), "%q: %+v", text, got)
		got.Ack()
		require.EqualValues(t, i+1, p.config.Messages.Stats().Messages)
	}
	require.NotEqual(t, cursorSubject("a.b", "c"), cursorSubject("a", "b.c"))
}

// TestPublishIsAllOrNothing has a message that is too large among others.
func TestPublishIsAllOrNothing(t *testing.T) {
	p := openTest(t, blocktest.NewMemFS(), "/streams", nil)
	publisher := p.Publisher()
	large := message.NewMessage("large", make([]byte, 33<<20))
	require.ErrorIs(t, publisher.Publish("a", message.NewMessage("small", nil), large), actors.ErrTooLarge)
	require.Zero(t, p.config.Messages.Stats().Messages)
	require.NoError(t, publisher.Publish("a"))
	require.ErrorIs(t, publisher.Publish("", message.NewMessage("1", nil)), ErrTopic)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late := message.NewMessage("1", nil)
	late.SetContext(ctx)
	require.ErrorIs(t, publisher.Publish("a", late), context.Canceled)
	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Close())
	require.ErrorIs(t, publisher.Publish("a", message.NewMessage("1", nil)), ErrClosed)
	require.Zero(t, p.config.Messages.Stats().Messages)
}

// TestWhatIsPublishedAgainIsThereOnce publishes again, alone and with others.
func TestWhatIsPublishedAgainIsThereOnce(t *testing.T) {
	store, err := actors.Open(t.Context(), testSystem, actors.Config{Dir: "/streams", Name: "IDS", FS: blocktest.NewMemFS(), Duplicates: time.Hour})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Stop(t.Context())) }()
	p, err := New(Config{Messages: store, Deduplicate: true})
	require.NoError(t, err)
	publish(t, p, "a", "1")
	publish(t, p, "a", "1")
	publish(t, p, "a", "2", "3")
	publish(t, p, "a", "2", "3")
	publish(t, p, "a", "1", "4", "3", "5")
	_, messages := subscribe(t, p, "", "a")
	take(t, messages, "1", "2", "3", "4", "5")
	require.EqualValues(t, 5, store.Stats().Messages)
}

// TestFromNow has subscribers that want what comes, and a group that keeps to where it began.
func TestFromNow(t *testing.T) {
	fsys := blocktest.NewMemFS()
	fromNow := func(c *Config) { c.FromNow = true }
	t.Run("begin", func(t *testing.T) {
		p := openTest(t, fsys, "/streams", fromNow)
		publish(t, p, "a", "before")
		s, err := p.Subscriber("group")
		require.NoError(t, err)
		require.NoError(t, s.SubscribeInitialize("a"))
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.SubscribeInitialize("a"), ErrClosed)
		publish(t, p, "a", "after")
	})
	p := openTest(t, fsys, "/streams", fromNow)
	publish(t, p, "a", "much later")
	_, messages := subscribe(t, p, "group", "a")
	take(t, messages, "after", "much later")
}

// TestWhatIsRemovedIsPassedOver purges messages before a group has got them.
func TestWhatIsRemovedIsPassedOver(t *testing.T) {
	p := openTest(t, blocktest.NewMemFS(), "/streams", nil)
	publish(t, p, "a", "0", "1", "2", "3")
	_, messages := subscribe(t, p, "group", "a")
	take(t, messages, "0")
	m := receive(t, messages)
	_, err := p.config.Messages.Compact(t.Context(), 4)
	require.NoError(t, err)
	require.True(t, m.Ack())
	take(t, messages, "3")
	_, err = p.config.Messages.Purge(t.Context())
	require.NoError(t, err)
	publish(t, p, "a", "4")
	take(t, messages, "4")
}

// TestACursorBehindTheEnd has a stream that has lost its end while nobody was there: the group gets what is stored next.
func TestACursorBehindTheEnd(t *testing.T) {
	fsys := blocktest.NewMemFS()
	t.Run("take", func(t *testing.T) {
		p := openTest(t, fsys, "/streams", nil)
		publish(t, p, "a", "0", "1", "2", "3")
		s, messages := subscribe(t, p, "group", "a")
		take(t, messages, "0", "1", "2", "3")
		require.NoError(t, s.Close())
		_, err := p.config.Messages.Truncate(t.Context(), 2)
		require.NoError(t, err)
	})
	p := openTest(t, fsys, "/streams", nil)
	s, _ := subscribe(t, p, "group", "of another topic")
	require.NoError(t, s.SubscribeInitialize("a"))
	publish(t, p, "a", "4")
	messages, err := s.Subscribe(t.Context(), "a")
	require.NoError(t, err)
	take(t, messages, "4")
}

// TestMessagesOfOthers are those that somebody has stored without this package.
func TestMessagesOfOthers(t *testing.T) {
	p := openTest(t, blocktest.NewMemFS(), "/streams", nil)
	ctx, store := t.Context(), p.config.Messages
	_, err := store.StoreMsg(ctx, "topic.a", actors.Header{"Color": {"red"}}, []byte("of another"))
	require.NoError(t, err)
	_, err = store.StoreMsg(ctx, "topic.a", actors.Header{uuidHeader: {"%zz"}}, []byte("no UUID"))
	require.NoError(t, err)
	publish(t, p, "a", "ours")
	_, messages := subscribe(t, p, "group", "a")
	m := receive(t, messages)
	require.Equal(t, "of another", string(m.Payload))
	require.Equal(t, "1", m.UUID)
	require.Equal(t, "red", m.Metadata.Get("Color"))
	m.Ack()
	take(t, messages, "ours")
}

// TestADamagedMessageIsPassedOver damages a message: the others come.
func TestADamagedMessageIsPassedOver(t *testing.T) {
	fsys := blocktest.NewMemFS()
	t.Run("publish", func(t *testing.T) {
		p := openTest(t, fsys, "/streams", nil)
		publish(t, p, "a", "first", "second of them", "third")
	})
	files, err := fsys.ReadDir("/streams/MESSAGES/msgs")
	require.NoError(t, err)
	for _, file := range files {
		if path.Ext(file.Name) == ".blk" {
			require.NoError(t, fsys.Rot("/streams/MESSAGES/msgs/"+file.Name, func(content []byte) []byte {
				if at := bytes.LastIndex(content, []byte("second of them")); at >= 0 {
					content[at] ^= 1
				}
				return content
			}))
		}
	}
	p := openTest(t, fsys, "/streams", nil)
	_, messages := subscribe(t, p, "group", "a")
	take(t, messages, "first", "third")
}

// TestTheEndOfASubscription has a subscription end in each way, while it waits for a message, and while one is with it.
func TestTheEndOfASubscription(t *testing.T) {
	for _, waiting := range []bool{true, false} {
		for name, end := range map[string]func(*PubSub, *Subscriber, context.CancelFunc) error{
			"context": func(_ *PubSub, _ *Subscriber, cancel context.CancelFunc) error { cancel(); return nil },
			"close":   func(_ *PubSub, s *Subscriber, _ context.CancelFunc) error { return s.Close() },
			"stream": func(p *PubSub, _ *Subscriber, _ context.CancelFunc) error {
				return p.config.Messages.Stop(context.Background())
			},
		} {
			t.Run(fmt.Sprintf("%s, waiting %v", name, waiting), func(t *testing.T) {
				p := openTest(t, blocktest.NewMemFS(), "/streams", nil)
				s, err := p.Subscriber("group")
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				messages, err := s.Subscribe(ctx, "a")
				require.NoError(t, err)
				if !waiting {
					publish(t, p, "a", "0", "1")
					m := receive(t, messages)
					require.NoError(t, end(p, s, cancel))
					m.Ack()
				} else {
					require.NoError(t, end(p, s, cancel))
				}
				_, open := <-messages
				require.False(t, open)
				require.NoError(t, s.Close())
				_, err = s.Subscribe(t.Context(), "a")
				require.ErrorIs(t, err, ErrClosed)
			})
		}
	}
}

// TestACursorSurvivesAFault has the disk of the cursors fail for a moment.
func TestACursorSurvivesAFault(t *testing.T) {
	memory := blocktest.NewMemFS()
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	t.Run("take", func(t *testing.T) {
		p := openTest(t, faulty, "/streams", func(c *Config) { c.Messages = openStream(t, memory, "/streams", "OTHERS") })
		publish(t, p, "a", "0", "1", "2")
		_, messages := subscribe(t, p, "group", "a")
		faulty.SetHook(blocktest.FailAt(faulty.Count(), blocktest.ErrIO))
		take(t, messages, "0", "1")
	})
	p := openTest(t, faulty, "/streams", func(c *Config) { c.Messages = openStream(t, memory, "/streams", "OTHERS") })
	_, messages := subscribe(t, p, "group", "a")
	take(t, messages, "2")
}

// TestWhatNewRefuses are configurations that cannot be used.
func TestWhatNewRefuses(t *testing.T) {
	_, err := New(Config{})
	require.ErrorIs(t, err, ErrConfig)
	p := openTest(t, blocktest.NewMemFS(), "/streams", func(c *Config) { c.Cursors = nil })
	_, err = p.Subscriber("group")
	require.ErrorIs(t, err, ErrConfig)
	s, err := p.Subscriber("")
	require.NoError(t, err)
	_, err = s.Subscribe(t.Context(), "")
	require.ErrorIs(t, err, ErrTopic)
	limited, err := actors.Open(t.Context(), testSystem, actors.Config{Dir: "/streams", Name: "LIMITED", FS: blocktest.NewMemFS(), MaxMsgs: 10})
	require.NoError(t, err)
	defer func() { require.NoError(t, limited.Stop(t.Context())) }()
	_, err = New(Config{Messages: limited, Cursors: limited})
	require.ErrorIs(t, err, ErrConfig)
	_, err = New(Config{Messages: limited})
	require.NoError(t, err, "messages may have limits")
}
