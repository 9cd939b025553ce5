package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
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
	MaxSessions  int  // followers per stream; default 64
	MaxReads     int  // readers per stream that do not follow it; default 64
	// CreateOnWrite makes a stream when the first message is published to it; without, Create does.
	CreateOnWrite bool
	RetryOpen     time.Duration // how long after a stream could not be opened a write tries again; default 5 s
	Logger        *slog.Logger
	fs            blockio.FS // for tests
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
	if c.MaxReads == 0 {
		c.MaxReads = 64
	}
	if c.RetryOpen == 0 {
		c.RetryOpen = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Broker is the outside of the broker actor: safe for any number of goroutines.
type Broker struct {
	config    BrokerConfig
	system    *actor.ActorSystem
	metrics   *metrics.Collector // of the stores that are open
	pid       *actor.PID
	gone      chan struct{} // closed when the broker actor has ended, and with it all topics
	ending    *ending
	consumers *consumers
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

func (e *ending) unlocked(err error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.failures = append(e.failures, err)
}

func (e *ending) err() error {
	e.lock.Lock()
	defer e.lock.Unlock()
	return errors.Join(e.failures...)
}

// StartBroker spawns the broker actor and opens every stream that the data folder holds already. One that cannot be
// opened is shown by Streams, and keeps nobody from the others, unless another process has it: then that has the data
// folder, too. A folder that another broker has is refused, with or without streams. The caller keeps the actor system, and calls Stop.
func StartBroker(ctx context.Context, system *actor.ActorSystem, config BrokerConfig) (*Broker, error) {
	config = config.withDefaults()
	if err := os.MkdirAll(config.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	lock, err := lockFolder(config.Dir)
	if err != nil {
		return nil, err
	}
	names, err := existingStreams(config.Dir, config.Logger)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	broker := &Broker{
		config: config, system: system, metrics: metrics.NewCollector(), gone: make(chan struct{}), ending: &ending{},
	}
	broker.consumers = newConsumers(broker)
	props := actor.PropsFromProducer(func() actor.Actor {
		return &brokerActor{
			config: config, system: system, metrics: broker.metrics, gone: broker.gone, ending: broker.ending, lock: lock,
			topics: map[string]*topicEntry{}, forget: broker.forgetConsumers,
		}
	}, actor.WithSupervisor(stopOnPanic))
	broker.pid = system.Root.Spawn(props)
	for _, name := range names {
		var refused *refusal
		_, err := broker.topic(ctx, topicRequest{name: name, create: true, found: true})
		if err != nil && (errors.Is(err, actors.ErrLocked) || !errors.As(err, &refused)) {
			return nil, errors.Join(fmt.Errorf("opening stream %q: %w", name, err), broker.Stop(context.WithoutCancel(ctx)))
		}
	}
	if err := finishDeletions(config.Dir); err != nil {
		config.Logger.Warn("files of a deleted stream could not be removed; the next start tries again", "error", err)
	}
	return broker, nil
}

// existingStreams lists the folders of dir that hold a stream, or what is left of one: whether that can be
// opened is for the store to say. The log hears of streams whose names cannot be in a path of ours.
func existingStreams(dir string, logger *slog.Logger) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the data folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		holds, err := holdsStream(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("looking for streams: %w", err)
		}
		switch err := validateStream(entry.Name()); {
		case holds && err != nil:
			logger.Warn("a stream is not served, as its name cannot be in a path", "folder", entry.Name(), "error", err)
		case holds:
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
	return b.topic(ctx, topicRequest{name: name, create: create, retry: create})
}

// ForWrite returns the topic of a stream that is to be changed: one that could not be opened is tried again. With make,
// and if the broker makes streams on write, one that is not there is made.
func (b *Broker) ForWrite(ctx context.Context, name string, make bool) (*Topic, error) {
	return b.topic(ctx, topicRequest{name: name, create: make && b.config.CreateOnWrite, retry: true})
}

// Create returns the stream's topic, opened. A stream that is not there is made, and keeps so many messages of each
// subject (0: any number); one that is there stays as it is.
func (b *Broker) Create(ctx context.Context, name string, maxMsgsPer int64) (*Topic, error) {
	return b.topic(ctx, topicRequest{name: name, create: true, retry: true, maxMsgsPer: maxMsgsPer})
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

// A StreamStatus is a stream as the broker knows it.
type StreamStatus struct {
	Name    string
	Topic   *Topic   // nil while it is not open
	Refused *refusal // why it could not be opened; nil when it could
	Lately  figures  // what it did in the last minute
}

// Streams lists all streams by name.
func (b *Broker) Streams(ctx context.Context) ([]StreamStatus, error) {
	answers := make(chan []StreamStatus, 1)
	b.system.Root.Send(b.pid, &listRequest{done: answers})
	return await(ctx, b.gone, answers)
}

// Stop ends all topics after what they have taken, and waits for it. It returns which of the stores did
// not stop cleanly, and why. It may be called repeatedly.
func (b *Broker) Stop(ctx context.Context) error {
	consumers := b.consumers.stop(ctx)
	b.system.Root.Send(b.pid, &closeBroker{})
	select {
	case <-b.gone:
		return errors.Join(consumers, b.ending.err())
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
	lock    io.Closer // of the data folder
	ending  *ending
	forget  func(stream string) // what the consumers of a deleted stream knew
	topics  map[string]*topicEntry
	clock   *time.Timer // of the next sample
	closing bool
}

// stopOnPanic supervises the broker's actors: a panic is a bug, and an actor that goes on after one with
// fresh state would forget whom it owes an answer. What has ended is told apart from what works.
var stopOnPanic = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

// topicEntry is a stream that is opening (topic is nil, callers wait), open, or could not be opened (refused says why,
// and pid is nil unless that is tried again).
type topicEntry struct {
	pid      *actor.PID
	topic    *Topic
	waiting  []chan<- topicResult
	gone     chan struct{} // closed when the topic actor has ended
	notes    *topicNotes
	refused  *refusal
	deleting []chan<- error  // who waits for its deletion
	again    []*topicRequest // who waits for that to make it anew
	history  history
}

// Receive implements actor.Actor.
func (b *brokerActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.wind(ctx)
	case *takeSample:
		b.sample(m.at)
		b.wind(ctx)
	case *topicRequest:
		b.request(ctx, m)
	case *listRequest:
		m.done <- b.list()
	case *topicOpened:
		b.opened(ctx, m)
	case *deleteRequest:
		b.delete(ctx, m)
	case *folderRemoved:
		b.removed(ctx, m)
	case *actor.Terminated:
		b.ended(ctx, m.Who)
	case *closeBroker:
		b.close(ctx)
	case *actor.Stopped:
		b.clock.Stop()
		b.ending.unlocked(b.lock.Close())
		close(b.gone)
	}
}

func (b *brokerActor) request(ctx actor.Context, m *topicRequest) {
	entry, known := b.topics[m.name]
	switch {
	case b.closing:
		m.done <- topicResult{err: errClosing}
	case known && entry.deleting != nil && m.create:
		entry.again = append(entry.again, m) // it is made anew when it is gone
	case known && entry.deleting != nil:
		m.done <- topicResult{err: errDeleted}
	case known && entry.topic != nil:
		m.done <- topicResult{topic: entry.topic}
	case known && entry.refused != nil && (!m.retry || entry.pid == nil && time.Now().Before(entry.refused.retry)):
		m.done <- topicResult{err: entry.refused}
	case known && entry.pid != nil:
		entry.waiting = append(entry.waiting, m.done)
	case known:
		b.open(ctx, entry, m)
	case !m.create:
		m.done <- topicResult{err: errNoStream}
	case len(b.topics) >= b.config.MaxStreams:
		m.done <- topicResult{err: fmt.Errorf("%w (%d)", errTooManyStreams, b.config.MaxStreams)}
	default:
		if err := b.fitForNew(m.name); err != nil && !m.found {
			m.done <- topicResult{err: err}
			return
		}
		b.topics[m.name] = &topicEntry{}
		b.open(ctx, b.topics[m.name], m)
	}
}

// fitForNew returns why a stream cannot be made with a name. Those that are there keep theirs, as of a nats-server.
func (b *brokerActor) fitForNew(name string) error {
	for other := range b.topics {
		if strings.EqualFold(name, other) {
			return fmt.Errorf("%w: stream %q differs from %q in upper and lower case alone", errBadName, name, other)
		}
	}
	if err := actors.ValidName(name); err != nil {
		return fmt.Errorf("%w: %w", errBadName, err)
	}
	return nil
}

// open spawns the topic actor, which opens the stream.
func (b *brokerActor) open(ctx actor.Context, entry *topicEntry, m *topicRequest) {
	entry.waiting, entry.gone, entry.notes = append(entry.waiting, m.done), make(chan struct{}), &topicNotes{}
	entry.pid = ctx.Spawn(topicProps(b.config, b.system, m, entry, b.ending))
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
		entry.refused = nil
		entry.topic = &Topic{Name: m.name, Store: m.store, system: b.system, pid: entry.pid, gone: entry.gone, notes: entry.notes}
		result.topic = entry.topic
		b.metrics.Add(m.store)
	} else {
		ctx.Stop(entry.pid)
		entry.pid = nil
		if m.held || entry.refused != nil {
			b.refuse(m.name, entry, m.err)
			result.err = entry.refused
		} else if entry.deleting == nil {
			delete(b.topics, m.name)
		}
	}
	if entry.deleting != nil {
		result = topicResult{err: errDeleted}
		b.goOnDeleting(ctx, m.name, entry)
	}
	for _, done := range entry.waiting {
		done <- result
	}
	entry.waiting = nil
	b.endWhenIdle(ctx)
}

// refuse keeps a stream that cannot be opened in the list. The log hears of each reason once.
func (b *brokerActor) refuse(name string, entry *topicEntry, err error) {
	now := time.Now()
	refused := &refusal{stream: name, cause: err, since: now, retry: now.Add(b.config.RetryOpen)}
	if entry.refused == nil || entry.refused.Error() != refused.Error() {
		what, todo := refused.words()
		b.config.Logger.Error("a stream cannot be opened; the others are served", "stream", name, "reason", what, "todo", todo, "error", err)
	} else {
		refused.since = entry.refused.since
	}
	entry.refused = refused
}

func (b *brokerActor) list() []StreamStatus {
	all := make([]StreamStatus, 0, len(b.topics))
	for name, entry := range b.topics {
		if entry.deleting == nil && (entry.topic != nil || entry.refused != nil) {
			all = append(all, StreamStatus{Name: name, Topic: entry.topic, Refused: entry.refused, Lately: entry.history.figures()})
		}
	}
	slices.SortFunc(all, func(x, y StreamStatus) int { return strings.Compare(x.Name, y.Name) })
	return all
}

func (b *brokerActor) ended(ctx actor.Context, who *actor.PID) {
	for name, entry := range b.topics {
		if entry.pid == nil || !entry.pid.Equal(who) {
			continue
		}
		for _, done := range entry.waiting {
			done <- topicResult{err: errClosing}
		}
		b.metrics.Remove(name)
		entry.pid, entry.topic, entry.waiting = nil, nil, nil
		switch {
		case entry.deleting != nil:
			b.goOnDeleting(ctx, name, entry)
		case b.closing:
			delete(b.topics, name)
		default:
			b.refuse(name, entry, errEnded)
		}
	}
	b.endWhenIdle(ctx)
}

func (b *brokerActor) close(ctx actor.Context) {
	if !b.closing {
		b.closing = true
		for name, entry := range b.topics {
			switch {
			case entry.pid != nil:
				ctx.Send(entry.pid, &closeTopic{})
			case entry.deleting == nil: // it was not open
				delete(b.topics, name)
			}
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
	stream := actors.Config{Dir: config.Dir, Name: name, Logger: config.Logger, RecreateMeta: config.RecreateMeta, FS: config.fs}
	if !config.AsStored {
		stream.Subjects = []string{name, name + ".>"}
		stream.MaxBytes, stream.MaxMsgSize = config.MaxBytes, config.MaxMsgSize
		stream.AllowMsgTTL = actors.On
	}
	return stream
}
