package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// BrokerConfig is what a broker needs to know. Dir is required; the rest has defaults.
type BrokerConfig struct {
	Dir        string // holds a folder per stream
	MaxBytes   int64  // per stream: the oldest messages make room; default 1 GiB
	MaxMsgSize int    // of header and payload; default 1 MiB
	// RecreateMeta opens streams whose configuration is lost, with the limits of this one; see actors.Config.
	RecreateMeta bool
	AsStored     bool // leave the limits of existing streams alone; for a look at them
	MaxStreams   int  // default 64
	MaxPending   int  // messages under way per stream for goroutines; default 4,096
	MaxSessions  int  // per stream; default 64
	Logger       *slog.Logger
}

const (
	defaultMaxBytes   = 1 << 30
	defaultMaxMsgSize = 1 << 20
)

func (c BrokerConfig) withDefaults() BrokerConfig {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.MaxMsgSize == 0 {
		c.MaxMsgSize = defaultMaxMsgSize
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 64
	}
	if c.MaxPending == 0 {
		c.MaxPending = 4096
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Broker is the outside of the broker actor: safe for any number of goroutines.
type Broker struct {
	config  BrokerConfig
	system  *actor.ActorSystem
	metrics *metrics.Collector // of the stores that are open
	pid     *actor.PID
	gone    chan struct{} // closed when the broker actor has ended, and with it all topics
	ending  *ending
}

// An ending collects how the stores of a broker ended.
type ending struct {
	lock     sync.Mutex
	failures []error
}

func (e *ending) failed(stream string, err error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.failures = append(e.failures, fmt.Errorf("stream %q did not stop cleanly: %w", stream, err))
}

func (e *ending) err() error {
	e.lock.Lock()
	defer e.lock.Unlock()
	return errors.Join(e.failures...)
}

// StartBroker spawns the broker actor and opens every stream that the data folder holds already. The
// caller keeps the actor system, and calls Stop.
func StartBroker(ctx context.Context, system *actor.ActorSystem, config BrokerConfig) (*Broker, error) {
	config = config.withDefaults()
	if err := os.MkdirAll(config.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	names, err := existingStreams(config.Dir)
	if err != nil {
		return nil, err
	}
	broker := &Broker{
		config: config, system: system, metrics: metrics.NewCollector(), gone: make(chan struct{}), ending: &ending{},
	}
	props := actor.PropsFromProducer(func() actor.Actor {
		return &brokerActor{
			config: config, system: system, metrics: broker.metrics, gone: broker.gone, ending: broker.ending,
			topics: map[string]*topicEntry{},
		}
	}, actor.WithSupervisor(stopOnPanic))
	broker.pid = system.Root.Spawn(props)
	for _, name := range names {
		if _, err := broker.Topic(ctx, name, true); err != nil {
			return nil, errors.Join(fmt.Errorf("opening stream %q: %w", name, err), broker.Stop(context.WithoutCancel(ctx)))
		}
	}
	return broker, nil
}

// existingStreams lists the folders of dir that hold a stream, or what is left of one: whether that can be
// opened is for the store to say.
func existingStreams(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the data folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() || validateStream(entry.Name()) != nil {
			continue
		}
		holds, err := holdsStream(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("looking for streams: %w", err)
		}
		if holds {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func holdsStream(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "meta.inf"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	blocks, err := os.ReadDir(filepath.Join(dir, "msgs"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return len(blocks) > 0, err
}

// Topic returns the stream's topic, opened. With create, a stream that is not there is made.
func (b *Broker) Topic(ctx context.Context, name string, create bool) (*Topic, error) {
	return b.topic(ctx, topicRequest{name: name, create: create})
}

// Create returns the stream's topic, opened. A stream that is not there is made, and keeps so many messages of each
// subject (0: any number); one that is there stays as it is.
func (b *Broker) Create(ctx context.Context, name string, maxMsgsPer int64) (*Topic, error) {
	return b.topic(ctx, topicRequest{name: name, create: true, maxMsgsPer: maxMsgsPer})
}

func (b *Broker) topic(ctx context.Context, request topicRequest) (*Topic, error) {
	if err := validateStream(request.name); err != nil {
		return nil, err
	}
	answers := make(chan topicResult, 1)
	request.done = answers
	b.system.Root.Send(b.pid, &request)
	answer, err := await(ctx, b.gone, answers)
	if err != nil {
		return nil, err
	}
	return answer.topic, answer.err
}

// Topics lists the open topics by name.
func (b *Broker) Topics(ctx context.Context) ([]*Topic, error) {
	answers := make(chan []*Topic, 1)
	b.system.Root.Send(b.pid, &listRequest{done: answers})
	return await(ctx, b.gone, answers)
}

// Stop ends all topics after what they have taken, and waits for it. It returns which of the stores did
// not stop cleanly, and why. It may be called repeatedly.
func (b *Broker) Stop(ctx context.Context) error {
	b.system.Root.Send(b.pid, &closeBroker{})
	select {
	case <-b.gone:
		return b.ending.err()
	case <-ctx.Done():
		return fmt.Errorf("stopping the broker: %w", ctx.Err())
	}
}

// brokerActor knows the topics. It opens and closes them; messages go to the topics directly.
type brokerActor struct {
	config  BrokerConfig
	system  *actor.ActorSystem
	metrics *metrics.Collector
	gone    chan struct{}
	ending  *ending
	topics  map[string]*topicEntry
	closing bool
}

// stopOnPanic supervises the broker's actors: a panic is a bug, and an actor that goes on after one with
// fresh state would forget whom it owes an answer. What has ended is told apart from what works.
var stopOnPanic = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

// topicEntry is a topic that is opening (topic is nil, callers wait) or open.
type topicEntry struct {
	pid     *actor.PID
	topic   *Topic
	waiting []chan<- topicResult
	gone    chan struct{} // closed when the topic actor has ended
}

// Receive implements actor.Actor.
func (b *brokerActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *topicRequest:
		b.request(ctx, m)
	case *listRequest:
		m.done <- b.list()
	case *topicOpened:
		b.opened(ctx, m)
	case *actor.Terminated:
		b.ended(ctx, m.Who)
	case *closeBroker:
		b.close(ctx)
	case *actor.Stopped:
		close(b.gone)
	}
}

func (b *brokerActor) request(ctx actor.Context, m *topicRequest) {
	entry, known := b.topics[m.name]
	switch {
	case b.closing:
		m.done <- topicResult{err: errClosing}
	case known && entry.topic != nil:
		m.done <- topicResult{topic: entry.topic}
	case known:
		entry.waiting = append(entry.waiting, m.done)
	case !m.create:
		m.done <- topicResult{err: errNoStream}
	case len(b.topics) >= b.config.MaxStreams:
		m.done <- topicResult{err: fmt.Errorf("%w (%d)", errTooManyStreams, b.config.MaxStreams)}
	default:
		entry := &topicEntry{waiting: []chan<- topicResult{m.done}, gone: make(chan struct{})}
		entry.pid = ctx.Spawn(topicProps(b.config, b.system, m, entry.gone, b.ending))
		b.topics[m.name] = entry
	}
}

// opened answers those who wait for a topic. One that failed to open is ended here and not by itself: the
// library's notice of an end overtakes messages, this one included, and would leave the reason behind.
func (b *brokerActor) opened(ctx actor.Context, m *topicOpened) {
	entry, known := b.topics[m.name]
	if !known {
		return
	}
	result := topicResult{err: m.err}
	if m.err == nil {
		entry.topic = &Topic{Name: m.name, Store: m.store, system: b.system, pid: entry.pid, gone: entry.gone}
		result.topic = entry.topic
		b.metrics.Add(m.store)
	}
	for _, done := range entry.waiting {
		done <- result
	}
	entry.waiting = nil
	if m.err != nil {
		delete(b.topics, m.name)
		ctx.Stop(entry.pid)
		b.endWhenIdle(ctx)
	}
}

func (b *brokerActor) list() []*Topic {
	var open []*Topic
	for _, entry := range b.topics {
		if entry.topic != nil {
			open = append(open, entry.topic)
		}
	}
	slices.SortFunc(open, func(x, y *Topic) int { return strings.Compare(x.Name, y.Name) })
	return open
}

func (b *brokerActor) ended(ctx actor.Context, who *actor.PID) {
	for name, entry := range b.topics {
		if entry.pid.Equal(who) {
			for _, done := range entry.waiting {
				done <- topicResult{err: errClosing}
			}
			b.metrics.Remove(name)
			delete(b.topics, name)
		}
	}
	b.endWhenIdle(ctx)
}

func (b *brokerActor) close(ctx actor.Context) {
	if !b.closing {
		b.closing = true
		for _, entry := range b.topics {
			ctx.Send(entry.pid, &closeTopic{})
		}
	}
	b.endWhenIdle(ctx)
}

func (b *brokerActor) endWhenIdle(ctx actor.Context) {
	if b.closing && len(b.topics) == 0 {
		ctx.Stop(ctx.Self())
	}
}

// streamConfig is how the broker keeps a stream: every acknowledged message durable, the oldest making
// room when MaxBytes is reached.
func streamConfig(config BrokerConfig, name string) actors.Config {
	stream := actors.Config{Dir: config.Dir, Name: name, Logger: config.Logger, RecreateMeta: config.RecreateMeta}
	if !config.AsStored {
		stream.Subjects = []string{name, name + ".>"}
		stream.MaxBytes, stream.MaxMsgSize = config.MaxBytes, config.MaxMsgSize
		stream.AllowMsgTTL = actors.On
	}
	return stream
}
