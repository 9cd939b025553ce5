package actors_test

import (
	"context"
	"fmt"
)

// A publisher that was told of a failure waits until the store takes writes again, instead of trying again and again.
func ExampleStore_Ready() {
	store, stop := openExample()
	fmt.Println(store.Ready(context.Background()))
	stop()
	fmt.Println(store.Ready(context.Background()))
	// Output:
	// <nil>
	// the store is stopped
}
