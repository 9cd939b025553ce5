package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A snapshot holds the stream as it is when it is taken, in the format of nats-server's. It can be written to a file or
// a connection.
func ExampleStore_Snapshot() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for i := range 3 {
		if _, err := store.StoreMsg(ctx, fmt.Sprintf("orders.%d", i), nil, []byte("two millstones")); err != nil {
			log.Fatal(err)
		}
	}
	var snapshot bytes.Buffer
	info, err := store.Snapshot(ctx, &snapshot, actors.SnapshotOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Messages, "messages up to", info.LastSequence)
	// Output: 3 messages up to 3
}

// Restore makes a stream of a snapshot, in a directory that has none of its name.
func ExampleRestore() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("two millstones")); err != nil {
		log.Fatal(err)
	}
	var snapshot bytes.Buffer
	if _, err := store.Snapshot(ctx, &snapshot, actors.SnapshotOptions{}); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	info, err := actors.Restore(ctx, dir, &snapshot, actors.RestoreOptions{})
	if err != nil {
		log.Fatal(err)
	}
	copied, err := actors.Open(ctx, newSystem(), actors.Config{Dir: dir, Name: info.Name})
	if err != nil {
		log.Fatal(err)
	}
	message, err := copied.LoadMsg(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s has %s\n", info.Name, message.Payload)
	if err := copied.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: ORDERS has two millstones
}
