package actors_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// newSystem returns an actor system that does not log, for the examples.
func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
}

// openExample opens a stream in a new directory, for the examples.
func openExample() (store *actors.Store, stop func()) {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	store, err = actors.Open(context.Background(), newSystem(), actors.Config{Dir: dir, Name: "ORDERS"})
	if err != nil {
		log.Fatal(err)
	}
	return store, func() {
		if err := store.Stop(context.Background()); err != nil {
			log.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	system := newSystem()

	for range 2 { // the second time it finds what the first has left
		store, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "ORDERS", MaxMsgs: 1000})
		if err != nil {
			log.Fatal(err)
		}
		ack, err := store.StoreMsg(ctx, "orders.new", nil, []byte("one coffee"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("stored", ack.Sequence)
		if err := store.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// stored 1
	// stored 2
}

func ExampleStore_StoreMsg() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()

	header := actors.Header{"Content-Type": {"text/plain"}}
	ack, err := store.StoreMsg(ctx, "orders.new", header, []byte("one coffee"))
	if err != nil {
		log.Fatal(err)
	}
	// Only if nobody has stored anything in between:
	_, err = store.StoreMsg(ctx, "orders.paid", nil, nil, actors.ExpectLast(ack.Sequence))
	fmt.Println(err)
	_, err = store.StoreMsg(ctx, "orders.paid", nil, nil, actors.ExpectLast(ack.Sequence))
	fmt.Println(err)

	m, err := store.LoadMsg(ctx, ack.Sequence)
	if err != nil {
		log.Fatal(err)
	}
	h, err := m.Header()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Sequence, m.Subject, h.Get("Content-Type"), string(m.Payload))
	// Output:
	// <nil>
	// the sequence does not fit: expected last sequence 1, and the stream has 2
	// 1 orders.new text/plain one coffee
}

func ExampleStore_Messages() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for _, what := range []string{"coffee", "tea", "water"} {
		if _, err := store.StoreMsg(ctx, "orders."+what, nil, nil); err != nil {
			log.Fatal(err)
		}
	}

	for m, err := range store.Messages(ctx, actors.From(2)) {
		var lost *blockio.CorruptionError
		switch {
		case errors.As(err, &lost): // the disk has lost messages; the loop goes on behind them
			log.Print(err)
			continue
		case err != nil: // the loop is over
			log.Fatal(err)
		}
		fmt.Println(m.Sequence, m.Subject)
	}
	// Output:
	// 2 orders.tea
	// 3 orders.water
}

func ExampleStore_Messages_filtered() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for _, subject := range []string{"orders.new.7", "orders.paid.7", "orders.new.8", "returns.7"} {
		if _, err := store.StoreMsg(ctx, subject, nil, nil); err != nil {
			log.Fatal(err)
		}
	}

	// PassDamage: what the disk has lost is left out. State still counts it, and the log has it.
	for m, err := range store.Messages(ctx, actors.Filter("orders.*.7", "returns.>"), actors.Reverse(), actors.PassDamage()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Sequence, m.Subject)
	}
	// Output:
	// 4 returns.7
	// 2 orders.paid.7
	// 1 orders.new.7
}

func ExampleStore_NumPending() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for _, subject := range []string{"orders.new", "orders.paid", "orders.new", "returns"} {
		if _, err := store.StoreMsg(ctx, subject, nil, nil); err != nil {
			log.Fatal(err)
		}
	}

	total, through, err := store.NumPending(ctx, 2, actors.Filter("orders.*"))
	fmt.Println(total, "from 2 through", through, err)
	newest, err := store.LoadLastMsg(ctx, actors.Filter("orders.new"))
	fmt.Println("newest", newest.Sequence, err)
	totals, err := store.SubjectsTotals(ctx)
	fmt.Println(totals, err)
	// Output:
	// 2 from 2 through 4 <nil>
	// newest 3 <nil>
	// map[orders.new:2 orders.paid:1 returns:1] <nil>
}

func ExampleStore_LoadMsgInto() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for _, what := range []string{"coffee", "tea"} {
		if _, err := store.StoreMsg(ctx, "orders", nil, []byte(what)); err != nil {
			log.Fatal(err)
		}
	}

	var buffer actors.MessageBuffer // used again for each message
	for sequence := uint64(1); ; sequence++ {
		err := store.LoadMsgInto(ctx, sequence, &buffer)
		if errors.Is(err, actors.ErrEOF) {
			break
		}
		fmt.Printf("%d %s %v\n", buffer.Sequence, buffer.Payload, err)
	}
	// Output:
	// 1 coffee <nil>
	// 2 tea <nil>
}

func ExampleStore_Pipeline() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()

	stored := 0
	pipeline := store.Pipeline(1024, func(r actors.PipelineResult) {
		if r.Err != nil {
			log.Print(r.Err)
			return
		}
		stored++
	})
	for i := range 10_000 {
		if _, err := pipeline.Store(ctx, "orders.new", nil, fmt.Append(nil, i)); err != nil {
			log.Fatal(err)
		}
	}
	if err := pipeline.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored)
	// Output: 10000
}

func ExampleStore_StoreBatch() {
	store, stop := openExample()
	defer stop()

	ack, err := store.StoreBatch(context.Background(), []actors.BatchMessage{
		{Subject: "account.anna", Payload: []byte("-5")},
		{Subject: "account.ben", Payload: []byte("+5")},
	})
	if err != nil {
		log.Fatal(err) // neither is there
	}
	fmt.Println(ack.First, ack.Last)
	// Output: 1 2
}

func ExampleStore_Watch() {
	store, stop := openExample()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	go func() {
		for i := range 3 {
			if _, err := store.StoreMsg(ctx, "orders.new", nil, fmt.Append(nil, i)); err != nil {
				log.Print(err)
			}
		}
	}()

	// Follow the stream: whenever it has grown, read what is new.
	notices, err := store.Watch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	next := uint64(1)
	for last := range notices {
		if next > last {
			continue
		}
		for m, err := range store.Messages(ctx, actors.From(next), actors.PassDamage()) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(m.Sequence, string(m.Payload))
			next = m.Sequence + 1
		}
		next = max(next, last+1) // also when the last one was lost or removed meanwhile
		if next > 3 {
			break
		}
	}
	// Output:
	// 1 0
	// 2 1
	// 3 2
}

// orderActor stores orders. It never waits: replies come to its mailbox.
type orderActor struct {
	store *actor.PID
	done  chan<- struct{}
}

func (a *orderActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case string:
		ctx.Request(a.store, &actors.StoreRequest{Subject: "orders.new", Payload: []byte(m), Tag: m})
	case *actors.StoreReply:
		if m.Err != nil {
			fmt.Println("not stored:", m.Tag, m.Err)
		} else {
			fmt.Println("stored:", m.Tag, m.Ack.Sequence)
		}
		a.done <- struct{}{}
	}
}

func ExampleStore_PID() {
	system := newSystem()
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := actors.Open(context.Background(), system, actors.Config{Dir: dir, Name: "ORDERS"})
	if err != nil {
		log.Fatal(err)
	}

	done := make(chan struct{}, 2)
	orders := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &orderActor{store: store.PID(), done: done}
	}))
	system.Root.Send(orders, "one coffee")
	system.Root.Send(orders, "two teas")
	<-done
	<-done
	system.Root.Stop(orders)
	if err := store.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// stored: one coffee 1
	// stored: two teas 2
}
