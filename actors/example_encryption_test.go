package actors_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A stream is encrypted when its configuration has a Key. Without that it is not opened.
func ExampleKeyFunc() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	mainKey := []byte("32 bytes that come from elsewhere")
	config := actors.Config{Dir: dir, Name: "ORDERS", Key: func(context string) ([]byte, error) {
		h := hmac.New(sha256.New, mainKey)
		h.Write([]byte(context))
		return h.Sum(nil), nil
	}}
	ctx, system := context.Background(), newSystem()
	store, err := actors.Open(ctx, system, config)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("two millstones")); err != nil {
		log.Fatal(err)
	}
	if err := store.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	config.Key = nil
	_, err = actors.Open(ctx, system, config)
	fmt.Println(errors.Is(err, actors.ErrKey))
	// Output: true
}

// With the key that a nats-server has in its configuration, its encrypted streams are opened, and the other way round. A new
// key takes the place of the old one when a stream is opened with both.
func ExampleServerKey() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, system := context.Background(), newSystem()
	config := actors.Config{Dir: dir, Name: "ORDERS", Key: actors.ServerKey("$G", "the key"), Cipher: actors.CipherAES}
	for range 2 {
		store, err := actors.Open(ctx, system, config)
		if err != nil {
			log.Fatal(err)
		}
		ack, err := store.StoreMsg(ctx, "orders.new", nil, []byte("two millstones"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ack.Sequence)
		if err := store.Stop(ctx); err != nil {
			log.Fatal(err)
		}
		config.Key, config.OldKey, config.Cipher = actors.ServerKey("$G", "another key"), config.Key, actors.CipherAsStored
	}
	// Output:
	// 1
	// 2
}
