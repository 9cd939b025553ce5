package actors_test

import (
	"context"
	"fmt"
	"log"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/actors"
)

// position is a consumer that would write how far it has come.
type position struct{ dir string }

func (*position) ConsumerName() string { return "billing" }

func (p *position) StopConsumer(deleted bool) error {
	fmt.Println("stopped, deleted:", deleted)
	return nil
}

// What belongs to a stream and ends with it has a folder beside its blocks.
func ExampleStore_AddConsumer() {
	store, _ := openExample()
	p := &position{}
	var err error
	if p.dir, err = store.AddConsumer(p); err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(filepath.Dir(p.dir)), filepath.Base(p.dir))
	if err := store.Delete(context.Background(), actors.DeleteOptions{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// obs billing
	// stopped, deleted: true
}

// The state of a stream in a few bytes, for another copy: that removes what the stream has removed.
func ExampleStore_EncodedStreamState() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for range 5 {
		if _, err := store.StoreMsg(ctx, "orders.1", nil, nil); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := store.RemoveMsg(ctx, 3); err != nil {
		log.Fatal(err)
	}
	encoded, err := store.EncodedStreamState(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	state, err := actors.DecodeStreamState(encoded)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(encoded), state.Deleted) // and SyncDeleted(ctx, state.Deleted) over there
	total, reported, err := store.Utilization(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(total > reported)
	// Output:
	// 12 [{3 3}]
	// true
}
