package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A stream can be deleted while it is open. It is gone at once; its files go in the background.
func ExampleStore_Delete() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if _, err := store.StoreMsg(ctx, "orders.1", nil, []byte("a millstone")); err != nil {
		log.Fatal(err)
	}
	if err := store.Delete(ctx, actors.DeleteOptions{Background: true}); err != nil {
		log.Fatal(err)
	}
	state, err := store.FastState(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Messages, "messages")
	// Output: 0 messages
}

// A stream that no store has open is deleted by its name.
func ExampleDelete() {
	dir, err := os.MkdirTemp("", "streams")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	err = actors.Delete(context.Background(), dir, "ORDERS", actors.DeleteOptions{})
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}
