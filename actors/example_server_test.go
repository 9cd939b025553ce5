package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
