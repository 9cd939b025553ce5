package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// A stream that is open for reading only can be one that another process has open.
func ExampleConfig_readOnly() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, config := context.Background(), actors.Config{Dir: dir, Name: "ORDERS"}
	owner, err := actors.Open(ctx, newSystem(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer owner.Stop(ctx)
	if _, err := owner.StoreMsg(ctx, "orders.new", nil, []byte("two millstones")); err != nil {
		log.Fatal(err)
	}
	config.ReadOnly = true
	reader, err := actors.Open(ctx, newSystem(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Stop(ctx)
	message, err := reader.LoadMsg(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Payload)
	_, err = reader.Purge(ctx)
	fmt.Println(errors.Is(err, actors.ErrReadOnly))
	// Output:
	// two millstones
	// true
}

// Verify tells of everything that is damaged, and where.
func ExampleStore_Verify() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("two millstones")); err != nil {
		log.Fatal(err)
	}
	report, err := store.Verify(ctx, actors.VerifyOptions{Damage: func(d *blockio.CorruptionError) { log.Print(d) }})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Messages, "message,", report.Damage, "damaged,", report.Lost, "lost")
	// Output: 1 message, 0 damaged, 0 lost
}

// A backup has the messages of a stream, in the format of nats-server 2.15. It is restored with a configuration of its own.
func ExampleRestoreBackup() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("two millstones")); err != nil {
		log.Fatal(err)
	}
	var backup bytes.Buffer
	if _, err := store.Backup(ctx, &backup, actors.BackupOptions{}); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	config := actors.Config{Dir: dir, Name: "COPY", MaxMsgs: 1000}
	info, err := actors.RestoreBackup(ctx, newSystem(), config, &backup, actors.RestoreBackupOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Messages, "of", info.Expected)
	// Output: 1 of 1
}
