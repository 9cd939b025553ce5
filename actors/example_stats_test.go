package actors_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-d8b58eba/millrace/actors"
)

func ExampleStore_DiskSpace() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := actors.Open(ctx, quiet, actors.Config{Dir: dir, Name: "ORDERS"})
	if err != nil {
		log.Fatal(err)
	}
	space, err := store.DiskSpace()
	if err != nil {
		log.Print(err) // not every file system tells
	}
	usage, err := store.DiskUsage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(usage.Total() < space.Free)
	if err := store.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: true
}

func ExampleRuntime_Stats() {
	shared := actors.NewRuntime(actors.RuntimeConfig{MaxOpenFiles: 100, Workers: 2})
	stats := shared.Stats()
	fmt.Println(stats.OpenFiles, "of", stats.MaxOpenFiles, "files;", stats.Short.Busy, "of", stats.Short.Most, "short reads,", stats.Short.Waiting, "wait")
	// Output: 0 of 100 files; 0 of 2 short reads, 0 wait
}
