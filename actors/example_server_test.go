package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A store that acknowledges from memory, hands what it has to the system, and then promises more.
func ExampleStore_FlushToSystem() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if err := store.UpdateConfig(ctx, actors.Config{Name: store.Name(), Sync: actors.SyncNever}); err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("a message")); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := store.FlushToSystem(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a crash of the process takes none of them")
	if err := store.UpdateConfig(ctx, actors.Config{Name: store.Name(), Sync: actors.SyncAlways}); err != nil {
		fmt.Println(err)
		return
	}
	state, err := store.FastState(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("nor does a loss of power:", state.LastSequence == state.Durable)
	// Output:
	// a crash of the process takes none of them
	// nor does a loss of power: true
}

// What a store says when its disk is full.
func ExampleStore_Err() {
	store, stop := openExample()
	defer stop()
	switch err := store.Err(); {
	case err == nil:
		fmt.Println("it takes writes")
	case errors.Is(err, actors.ErrNoSpace):
		fmt.Println("somebody has to make room:", err)
	case errors.Is(err, fs.ErrPermission):
		fmt.Println("somebody has changed the owner of the files:", err)
	default:
		fmt.Println("writes are refused:", err)
	}
	// Output: it takes writes
}

// A server's configuration of a stream goes through the store as it is.
func ExampleStore_StreamConfig() {
	store, stop := openExample()
	defer stop()
	given := `{"Created":"2026-01-02T03:04:05Z","name":"ORDERS","subjects":["orders.*"],"description":"what we sell","max_msgs":100}`
	config := actors.Config{Name: store.Name(), StreamConfig: []byte(given)}
	if err := store.UpdateConfig(context.Background(), config); err != nil {
		fmt.Println(err)
		return
	}
	shown, err := store.StreamConfig()
	fmt.Println(string(shown) == given, store.Limits().MaxMsgs, err)
	// Output: true 100 <nil>
}

// The configuration of a stream that is not open.
func ExampleWriteStreamConfig() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	config := actors.Config{Dir: dir, Name: "ORDERS"}
	store, err := actors.Open(context.Background(), newSystem(), config)
	if err == nil {
		err = store.Stop(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	config.StreamConfig = []byte(`{"Created":"2026-01-02T03:04:05Z","name":"ORDERS","description":"what we sold"}`)
	if err := actors.WriteStreamConfig(config); err != nil {
		fmt.Println(err)
		return
	}
	shown, err := actors.ReadStreamConfig(config)
	fmt.Println(string(shown), err)
	// Output: {"Created":"2026-01-02T03:04:05Z","name":"ORDERS","description":"what we sold"} <nil>
}

// A server passes messages on from one buffer.
func ExampleStore_LoadNextMsgInto() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for _, subject := range []string{"orders.new", "returns", "orders.paid"} {
		if _, err := store.StoreMsg(ctx, subject, nil, []byte("of "+subject)); err != nil {
			fmt.Println(err)
			return
		}
	}
	orders := actors.Filter("orders.*")
	var buffer actors.MessageBuffer // used again for each message
	for start := uint64(1); ; {
		skip, err := store.LoadNextMsgInto(ctx, start, &buffer, orders)
		if errors.Is(err, actors.ErrEOF) {
			break
		}
		fmt.Printf("%d %s %v\n", buffer.Sequence, buffer.Payload, err)
		start = skip + 1
	}
	_, err := store.LoadPrevMsgInto(ctx, 2, &buffer, orders)
	fmt.Printf("before: %d %v\n", buffer.Sequence, err)
	err = store.LoadLastMsgInto(ctx, &buffer, orders)
	fmt.Printf("last: %d %v\n", buffer.Sequence, err)
	// Output:
	// 1 of orders.new <nil>
	// 3 of orders.paid <nil>
	// before: 1 <nil>
	// last: 3 <nil>
}

// What a server tells of a stream: the sequences that damage has taken, and what its files hold.
func ExampleStore_Lost() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	lost, err := store.Lost(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	var ranges []actors.SequenceRange
	var size uint64
	for _, r := range lost {
		ranges, size = append(ranges, r.SequenceRange), size+r.Bytes
	}
	msgs := slices.Collect(actors.Sequences(ranges))
	fmt.Println("LostStreamData:", msgs, size)
	usage, err := store.DiskUsage(ctx)
	fmt.Println("bytes of messages on disk:", usage.Blocks, err)
	// Output:
	// LostStreamData: [] 0
	// bytes of messages on disk: 0 <nil>
}
