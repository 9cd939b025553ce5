package raftstore_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/seed-d8b58eba/millrace/actors"
	raftstore "github.com/seed-d8b58eba/millrace/actors/adapters/raft"
)

// counter is a state machine that counts what is applied.
type counter struct{ applied int }

func (c *counter) Apply(*raft.Log) any                  { c.applied++; return c.applied }
func (c *counter) Snapshot() (raft.FSMSnapshot, error)  { return nil, fmt.Errorf("a counter has none") }
func (c *counter) Restore(snapshot io.ReadCloser) error { return snapshot.Close() }

// A server of a cluster of one, whose log and votes are in a folder. raft.NewLogCache around the log is of use where
// followers are many.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "raft")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := raftstore.Open(context.Background(), raftstore.Config{Stream: actors.Config{Dir: dir}})
	if err != nil {
		log.Fatal(err)
	}
	address, transport := raft.NewInmemTransport("server-1")
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = "server-1", hclog.NewNullLogger()
	server, err := raft.NewRaft(config, new(counter), store, store, raft.NewInmemSnapshotStore(), transport)
	if err != nil {
		log.Fatal(err)
	}
	server.BootstrapCluster(raft.Configuration{Servers: []raft.Server{{ID: config.LocalID, Address: address}}})
	<-server.LeaderCh()
	applied := server.Apply([]byte("an order"), 0)
	if err := applied.Error(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("applied:", applied.Response())

	if err := server.Shutdown().Error(); err != nil {
		log.Fatal(err)
	}
	// Tools for streams show what a server has.
	state, err := store.Log().FastState(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	subjects, err := store.Log().SubjectsTotals(context.Background(), actors.Filter("command", "configuration"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("entries:", state.Messages, subjects)
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// applied: 1
	// entries: 3 map[command:1 configuration:1]
}

// Votes and terms are the values of keys.
func ExampleStore_SetUint64() {
	dir, err := os.MkdirTemp("", "raft")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := raftstore.Open(context.Background(), raftstore.Config{Stream: actors.Config{Dir: dir}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := store.SetUint64([]byte("CurrentTerm"), 7); err != nil {
		log.Fatal(err)
	}
	term, err := store.GetUint64([]byte("CurrentTerm"))
	fmt.Println(term, err)
	// Output: 7 <nil>
}
