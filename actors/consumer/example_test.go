package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer"
)

// example is a stream with three orders, and one for states and results.
type example struct {
	system          *actor.ActorSystem
	orders, results *actors.Store
	dir             string
}

func begin() *example {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	e := &example{dir: dir, system: actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))}
	e.orders, e.results = e.open("ORDERS"), e.open("RESULTS")
	for _, what := range []string{"coffee", "tea", "cake"} {
		if _, err := e.orders.StoreMsg(context.Background(), "orders."+what, nil, []byte(what)); err != nil {
			log.Fatal(err)
		}
	}
	return e
}

func (e *example) open(name string) *actors.Store {
	store, err := actors.Open(context.Background(), e.system, actors.Config{Dir: e.dir, Name: name})
	if err != nil {
		log.Fatal(err)
	}
	return store
}

func (e *example) end() {
	for _, store := range []*actors.Store{e.orders, e.results} {
		if err := store.Stop(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.RemoveAll(e.dir); err != nil {
		log.Fatal(err)
	}
}

func (e *example) consumer(config consumer.Config) *consumer.Consumer {
	c, err := consumer.Open(context.Background(), e.system, e.orders, e.results, config)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A consumer that is opened again goes on where it was.
func ExampleOpen() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	for range 2 {
		billing, err := consumer.Open(ctx, e.system, e.orders, e.results, consumer.Config{
			Name: "billing", Filters: []string{"orders.*"}, AckWait: time.Minute,
		})
		check(err)
		list, err := billing.Pull(ctx, consumer.Pull{Batch: 2})
		check(err)
		for _, d := range list {
			fmt.Println(d.Sequence, string(d.Payload))
			check(billing.Ack(ctx, d.Token))
		}
		check(billing.Stop(ctx))
	}
	// Output:
	// 1 coffee
	// 2 tea
	// 3 cake
}

// What comes of a message is stored as one with its acknowledgement: once, whatever crashes.
func ExampleConsumer_AckWith() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	kitchen := e.consumer(consumer.Config{Name: "kitchen"})
	list, err := kitchen.Pull(ctx, consumer.Pull{Batch: 1})
	check(err)
	made := []actors.BatchMessage{{Subject: "made.1", Payload: []byte(strings.ToUpper(string(list[0].Payload)))}}
	_, err = kitchen.AckWith(ctx, made, list[0].Token)
	check(err)
	_, err = kitchen.AckWith(ctx, made, list[0].Token)
	fmt.Println(errors.Is(err, consumer.ErrNotPending))
	m, err := e.results.LoadLastMsg(ctx, actors.Filter("made.*"))
	check(err)
	fmt.Println(string(m.Payload))
	// Output:
	// true
	// COFFEE
}

// Workers handle what comes, until the context ends.
func ExampleConsumer_Consume() {
	e := begin()
	defer e.end()
	ctx, cancel := context.WithCancel(context.Background())
	c := e.consumer(consumer.Config{Name: "workers", MaxDeliver: 5})
	err := c.Consume(ctx, 1, time.Second, func(_ context.Context, d consumer.Delivery) error {
		fmt.Println(string(d.Payload))
		if d.Sequence == 3 {
			cancel()
		}
		return nil // it is done; with an error it would come again after a second
	})
	fmt.Println(err)
	// Output:
	// coffee
	// tea
	// cake
	// context canceled
}

func ExampleConsumer_Messages() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	c := e.consumer(consumer.Config{Name: "loop", Start: consumer.StartLast})
	for d, err := range c.Messages(ctx, 10) {
		check(err)
		fmt.Println(d.Sequence, d.Deliveries)
		check(c.Ack(ctx, d.Token))
		break
	}
	// Output: 3 1
}

// A message that cannot be handled now comes again, and one that never can does not.
func ExampleConsumer_Nak() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	c := e.consumer(consumer.Config{Name: "picky"})
	list, err := c.Pull(ctx, consumer.Pull{Batch: 3})
	check(err)
	check(c.Nak(ctx, 0, list[0].Token))
	check(c.InProgress(ctx, list[1].Token))
	check(c.Term(ctx, list[2].Token))
	again, err := c.Pull(ctx, consumer.Pull{Batch: 3})
	check(err)
	fmt.Println(len(again), again[0].Sequence, again[0].Deliveries)
	notices, err := c.Notices(ctx, 0)
	check(err)
	fmt.Println(notices[0].Sequence, notices[0].Kind == consumer.NoticeTerminated)
	// Output:
	// 1 1 2
	// 3 true
}

func ExampleConsumer_Pause() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	c := e.consumer(consumer.Config{Name: "night"})
	check(c.Pause(ctx, time.Now().Add(8*time.Hour)))
	list, err := c.Pull(ctx, consumer.Pull{})
	check(err)
	fmt.Println(len(list))
	check(c.Resume(ctx))
	list, err = c.Pull(ctx, consumer.Pull{})
	check(err)
	fmt.Println(len(list))
	// Output:
	// 0
	// 1
}

func ExampleConsumer_Stats() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	c := e.consumer(consumer.Config{Name: "watched"})
	_, err := c.Pull(ctx, consumer.Pull{Batch: 1})
	check(err)
	s, err := c.Stats(ctx)
	check(err)
	fmt.Println("lag", s.Lag, "pending", s.Pending, "redelivered", s.Redelivered)
	// Output: lag 2 pending 1 redelivered 0
}

func ExampleList() {
	e := begin()
	defer e.end()
	ctx := context.Background()
	e.consumer(consumer.Config{Name: "a"})
	check(e.consumer(consumer.Config{Name: "b"}).Delete(ctx))
	names, err := consumer.List(ctx, e.results)
	check(err)
	fmt.Println(names)
	there, err := consumer.Remove(ctx, e.results, names[0])
	check(err)
	fmt.Println(there)
	// Output:
	// [{ORDERS a}]
	// true
}

// An actor is sent messages as far as its credit goes, and answers for each.
func ExampleConsumer_PID() {
	e := begin()
	defer e.end()
	c := e.consumer(consumer.Config{Name: "pushed"})
	done := make(chan struct{})
	handled := 0
	e.system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Request(c.PID(), &consumer.SubscribeRequest{Credit: 2})
		case *consumer.Pushed:
			for _, d := range m.Deliveries {
				fmt.Println(string(d.Payload))
				ctx.Request(c.PID(), &consumer.SettleRequest{Verdict: consumer.Ack, Tokens: []consumer.Token{d.Token}})
			}
		case *consumer.SettleReply:
			ctx.Request(c.PID(), &consumer.CreditRequest{Credit: 1})
			if handled++; handled == 3 {
				close(done)
			}
		}
	}))
	<-done
	check(c.Stop(context.Background()))
	// Output:
	// coffee
	// tea
	// cake
}

func ExampleParseToken() {
	token, err := consumer.ParseToken("12.40")
	check(err)
	fmt.Println(token.Sequence, token.Number)
	// Output: 12 40
}
