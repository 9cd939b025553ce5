package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		ingestForParent(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// testSystem is shared: making one takes milliseconds and megabytes.
var testSystem = sync.OnceValue(func() *actor.ActorSystem { return newSystem(slog.New(slog.DiscardHandler)) })

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

func startBroker(t *testing.T, config BrokerConfig) *Broker {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	config.CreateOnWrite = !config.CreateOnWrite // most tests want it
	broker, err := StartBroker(t.Context(), testSystem(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopBroker(t, broker) })
	return broker
}

func stopBroker(t *testing.T, broker *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := broker.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func openTopic(t *testing.T, broker *Broker, name string) *Topic {
	t.Helper()
	topic, err := broker.Topic(t.Context(), name, true)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

// publishNumbered stores messages "<first>" to "<last>", many at a time, in order.
func publishNumbered(t *testing.T, topic *Topic, first, last int) {
	t.Helper()
	var waiting []<-chan publishResult
	for i := first; i <= last; i++ {
		answers := make(chan publishResult, 1)
		waiting = append(waiting, answers)
		testSystem().Root.Send(topic.pid, &publish{subject: topic.Name + ".n", payload: fmt.Append(nil, i), done: answers})
		if len(waiting) == 500 || i == last {
			for _, answers := range waiting {
				if answer := <-answers; answer.err != nil {
					t.Error(answer.err)
				}
			}
			waiting = nil
		}
	}
}

func nextBatch(t *testing.T, subscription *Subscription) Batch {
	t.Helper()
	select {
	case batch, open := <-subscription.Batches:
		if !open {
			t.Fatalf("the session ended: %v", subscription.Err())
		}
		return batch
	case <-time.After(patience):
		t.Fatal("no batch came")
	}
	return Batch{}
}

// expectNumbered reads messages first to last, each once and in order.
func expectNumbered(t *testing.T, subscription *Subscription, first, last int) {
	t.Helper()
	for next := first; next <= last; {
		batch := nextBatch(t, subscription)
		if batch.Lost != nil {
			t.Fatalf("%+v is lost", *batch.Lost)
		}
		for _, message := range batch.Messages {
			if message.Sequence != uint64(next) || string(message.Payload) != fmt.Sprint(next) {
				t.Fatalf("message %q at sequence %d came where %d was due", message.Payload, message.Sequence, next)
			}
			next++
		}
		subscription.Ack(batch.Through)
	}
}

func TestPublishedMessagesSurviveTheBroker(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	topic := openTopic(t, broker, "orders")
	ack, err := topic.Publish(t.Context(), "orders.new", actors.Header{headerEventID: {"a"}}, []byte("payload"))
	if err != nil || ack.Sequence != 1 {
		t.Fatalf("%+v, %v", ack, err)
	}
	stopBroker(t, broker)
	if _, err := os.Stat(filepath.Join(dir, "orders", "meta.inf")); err != nil {
		t.Fatal(err)
	}

	broker = startBroker(t, BrokerConfig{Dir: dir})
	if topic, err = broker.Topic(t.Context(), "orders", false); err != nil {
		t.Fatalf("the stream was not found again: %v", err)
	}
	message, err := topic.Store.LoadMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	header, err := message.Header()
	if err != nil || header.Get(headerEventID) != "a" || message.Subject != "orders.new" || !bytes.Equal(message.Payload, []byte("payload")) {
		t.Errorf("%+v with header %v, %v", message, header, err)
	}
}

func TestBrokerKeepsItsBounds(t *testing.T) {
	broker := startBroker(t, BrokerConfig{MaxStreams: 1, MaxPending: -1, MaxSessions: -1, MaxReads: -1})
	topic := openTopic(t, broker, "one")
	if _, err := broker.Topic(t.Context(), "two", true); !errors.Is(err, errTooManyStreams) {
		t.Errorf("a second stream: %v", err)
	}
	if _, err := broker.Topic(t.Context(), "two", false); !errors.Is(err, errNoStream) {
		t.Errorf("a stream that is not there: %v", err)
	}
	if _, err := broker.Topic(t.Context(), "../two", true); !errors.Is(err, errBadName) {
		t.Errorf("a path: %v", err)
	}
	if _, err := topic.Publish(t.Context(), "one", nil, nil); !errors.Is(err, errBusy) {
		t.Errorf("publishing beyond the bound: %v", err)
	}
	if _, err := topic.Subscribe(t.Context(), reading{follow: true}); !errors.Is(err, errTooManySessions) {
		t.Errorf("following beyond the bound: %v", err)
	}
	if _, err := topic.Subscribe(t.Context(), reading{}); !errors.Is(err, errTooManyReads) {
		t.Errorf("reading beyond the bound: %v", err)
	}
}

func TestManyAskForOneTopicAtOnce(t *testing.T) {
	broker := startBroker(t, BrokerConfig{})
	var asking sync.WaitGroup
	for range 32 {
		asking.Go(func() {
			if topic, err := broker.Topic(t.Context(), "one", true); err != nil || topic.Name != "one" {
				t.Errorf("%v, %v", topic, err)
			}
		})
	}
	asking.Wait()
	streams, err := broker.Streams(t.Context())
	if err != nil || len(streams) != 1 {
		t.Errorf("%d streams, %v, want 1", len(streams), err)
	}
}

func TestATopicThatCannotOpenSaysSo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := startBroker(t, BrokerConfig{Dir: dir})
	if _, err := broker.Topic(t.Context(), "one", true); err == nil {
		t.Error("a file where the stream's folder should be was no error")
	}
	openTopic(t, broker, "two") // and the broker goes on
}

// TestNamesOfNewStreams are safe on every system; those that are there keep theirs, and the log names those that no
// request can have.
func TestNamesOfNewStreams(t *testing.T) {
	dir := t.TempDir()
	log := &logBuffer{}
	makeStreams(t, dir, "orders", "odd")
	for from, to := range map[string]string{"orders": "CON", "odd": "odd name"} {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Log("such folders cannot be here:", err) // Windows
			return
		}
	}
	broker := startBroker(t, BrokerConfig{Dir: dir, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if streams, err := broker.Streams(t.Context()); err != nil || len(streams) != 1 || streams[0].Name != "CON" {
		t.Errorf("%+v, %v", streams, err)
	}
	if log.count("a stream is not served") != 1 {
		t.Errorf("the log does not name the other:\n%s", log.text.String())
	}
	openTopic(t, broker, "Bills")
	for _, name := range []string{"bills", "BILLS", "con", "NUL", "lpt1"} {
		if _, err := broker.Topic(t.Context(), name, true); !errors.Is(err, errBadName) {
			t.Errorf("%s: %v, want %v", name, err, errBadName)
		}
	}
}

// The library's notice of an actor's end overtakes messages: the reason must not be lost to it.
func TestAStreamThatIsOpenElsewhereSaysWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	store, err := actors.Open(t.Context(), testSystem(), actors.Config{Dir: dir, Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		_, err := StartBroker(t.Context(), testSystem(), BrokerConfig{Dir: dir})
		if !errors.Is(err, actors.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
			t.Fatalf("%v, want who has it open", err)
		}
	}
	if err := store.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	startBroker(t, BrokerConfig{Dir: dir}) // none of them has kept the folder
}

func TestADataFolderHasOneBroker(t *testing.T) {
	dir := t.TempDir()
	first := startBroker(t, BrokerConfig{Dir: dir})
	_, err := StartBroker(t.Context(), testSystem(), BrokerConfig{Dir: dir})
	if !errors.Is(err, actors.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("%v, want who has the empty folder", err)
	}
	stopBroker(t, first)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v are left", entries, err)
	}
	second := startBroker(t, BrokerConfig{Dir: dir})
	if streams, err := second.Streams(t.Context()); err != nil || len(streams) != 0 {
		t.Errorf("%v, %v: what locks the folder is no stream", streams, err)
	}
}

func TestStopAnswersEverybodyAndKeepsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	topic := openTopic(t, broker, "one")
	var lock sync.Mutex
	acked := map[uint64]string{}
	started := make(chan struct{}, 64)
	var publishing sync.WaitGroup
	for i := range 64 {
		publishing.Go(func() {
			for n := 0; ; n++ {
				payload := fmt.Sprintf("%d-%d", i, n)
				ack, err := topic.Publish(t.Context(), "one", nil, []byte(payload))
				if err != nil {
					if !errors.Is(err, errClosing) && !errors.Is(err, actors.ErrStopped) {
						t.Errorf("publishing: %v", err)
					}
					return
				}
				lock.Lock()
				acked[ack.Sequence] = payload
				lock.Unlock()
				if n == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 64 {
		<-started
	}
	stopBroker(t, broker)
	publishing.Wait()
	stopBroker(t, broker) // again, which must do nothing

	topic = openTopic(t, startBroker(t, BrokerConfig{Dir: dir}), "one")
	for sequence, payload := range acked {
		message, err := topic.Store.LoadMsg(t.Context(), sequence)
		if err != nil || string(message.Payload) != payload {
			t.Fatalf("sequence %d: %q, %v, want %q", sequence, message.Payload, err, payload)
		}
	}
}

func TestSessionPassesFromReplayToLiveWithoutGapOrDuplicate(t *testing.T) {
	topic := openTopic(t, startBroker(t, BrokerConfig{}), "one")
	const stored, all = 3000, 6000
	publishNumbered(t, topic, 1, stored)
	var subscriptions []*Subscription
	for _, from := range []int{1, 1000, stored, stored + 1} {
		subscription, err := topic.Subscribe(t.Context(), reading{from: uint64(from), follow: true})
		if err != nil {
			t.Fatal(err)
		}
		subscriptions = append(subscriptions, subscription)
	}
	var reading sync.WaitGroup
	for i, from := range []int{1, 1000, stored, stored + 1} {
		reading.Go(func() { expectNumbered(t, subscriptions[i], from, all) })
	}
	publishNumbered(t, topic, stored+1, all)
	reading.Wait()
	for _, subscription := range subscriptions {
		subscription.Close()
		if batch, open := <-subscription.Batches; open {
			t.Errorf("%d messages came after the last one", len(batch.Messages))
		}
		if err := subscription.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneMessageAtATimeReachesAFollower(t *testing.T) {
	topic := openTopic(t, startBroker(t, BrokerConfig{}), "one")
	subscription, err := topic.Subscribe(t.Context(), reading{from: 1, follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Close()
	for i := 1; i <= 100; i++ {
		publishNumbered(t, topic, i, i)
		expectNumbered(t, subscription, i, i)
	}
}

func TestSlowSubscriberHoldsNoMoreThanItsWindow(t *testing.T) {
	topic := openTopic(t, startBroker(t, BrokerConfig{}), "one")
	const all = (sessionWindow + 3) * sessionBatch
	publishNumbered(t, topic, 1, all)
	slow, err := topic.Subscribe(t.Context(), reading{from: 1, follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	quick, err := topic.Subscribe(t.Context(), reading{from: 1, follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer quick.Close()
	var held []actors.Message
	for range sessionWindow {
		held = append(held, nextBatch(t, slow).Messages...)
	}
	expectNumbered(t, quick, 1, all) // the slow one is in nobody's way
	select {
	case batch := <-slow.Batches:
		t.Fatalf("%d messages came beyond the window", len(batch.Messages))
	default:
	}
	slow.Ack(held[len(held)-1].Sequence)
	expectNumbered(t, slow, len(held)+1, all)
}
