package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// goldens has the streams that nats-server wrote, and beside each what is in it. The tests of package actors have them.
var goldens = filepath.Join("..", "..", "actors", "testdata", "golden")

// goldenCase is an expected.json beside a stream that nats-server wrote.
type goldenCase struct {
	Stream   string              `json:"stream"`
	Config   server.StreamConfig `json:"config"`
	State    goldenState         `json:"state"`
	Messages []goldenMessage     `json:"msgs"`
	// Without is what is found without index.db, where that is something else.
	Without *struct {
		State    *goldenState    `json:"state"`
		Messages []goldenMessage `json:"msgs"`
	} `json:"without_index_db"`
	Encryption *struct {
		Account string `json:"account"`
		Key     string `json:"master_key"`
	} `json:"encryption"`
}

type goldenState struct {
	Messages  uint64   `json:"messages"`
	Bytes     uint64   `json:"bytes"`
	First     uint64   `json:"first_seq"`
	FirstTime string   `json:"first_ts_ns"`
	Last      uint64   `json:"last_seq"`
	LastTime  string   `json:"last_ts_ns"`
	Deleted   []uint64 `json:"deleted"`
}

type goldenMessage struct {
	Sequence uint64 `json:"seq"`
	Subject  string `json:"subject"`
	Nanos    string `json:"ts_ns"`
	Header   []byte `json:"hdr"`
	Payload  []byte `json:"msg"`
}

func loadGolden(t *testing.T, name string) (goldenCase, string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(goldens, name, "expected.json"))
	require.NoError(t, err)
	var golden goldenCase
	require.NoError(t, json.Unmarshal(content, &golden))
	return golden, filepath.Join(goldens, name, "streams", golden.Stream)
}

// reading is the golden case as Compare wants it.
func (g goldenCase) reading() interop.Reading {
	return interop.Reading{
		Messages: g.State.Messages, Bytes: g.State.Bytes, First: g.State.First, Last: g.State.Last,
		All: func(yield func(interop.Message, error) bool) {
			for _, m := range g.Messages {
				nanos, err := strconv.ParseInt(m.Nanos, 10, 64)
				message := interop.Message{Sequence: m.Sequence, Time: time.Unix(0, nanos),
					Subject: m.Subject, Header: m.Header, Payload: m.Payload}
				if !yield(message, err) {
					return
				}
			}
		},
	}
}

// TestServerReadsGoldenStores shows that the oracle sees what is known to be in the golden stores.
func TestServerReadsGoldenStores(t *testing.T) {
	for _, name := range []string{"basic", "headers", "deletes", "multi-block"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden, dir := loadGolden(t, name)
			storeDir := t.TempDir()
			require.NoError(t, oracle.Place(storeDir, golden.Stream, dir))
			server, err := oracle.Start(storeDir)
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()

			check := func() {
				compared, err := interop.Compare(ctx, server, golden.Stream, golden.reading())
				require.NoError(t, err)
				require.Equal(t, golden.State.Messages, compared)
				state, err := server.State(ctx, golden.Stream)
				require.NoError(t, err)
				require.ElementsMatch(t, golden.State.Deleted, state.Deleted)
			}
			check()
			require.NoError(t, server.Restart(func() error { return server.RemoveIndex(golden.Stream) }))
			check()
		})
	}
}

// TestCompareFindsADifference changes one thing at a time and wants it named.
func TestCompareFindsADifference(t *testing.T) {
	golden, dir := loadGolden(t, "headers")
	storeDir := t.TempDir()
	require.NoError(t, oracle.Place(storeDir, golden.Stream, dir))
	server, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	for _, c := range []struct {
		what   string
		change func(*goldenCase)
	}{
		{"messages", func(g *goldenCase) { g.State.Messages++ }},
		{"bytes", func(g *goldenCase) { g.State.Bytes-- }},
		{"first sequence", func(g *goldenCase) { g.State.First++ }},
		{"last sequence", func(g *goldenCase) { g.State.Last++ }},
		{"sequence", func(g *goldenCase) { g.Messages[2].Sequence++ }},
		{"time", func(g *goldenCase) { g.Messages[2].Nanos = "7" }},
		{"subject", func(g *goldenCase) { g.Messages[2].Subject += "x" }},
		{"bytes of header", func(g *goldenCase) { g.Messages[0].Header = append(g.Messages[0].Header, 'x') }},
		{"bytes of payload", func(g *goldenCase) { g.Messages[0].Payload = append(g.Messages[0].Payload, 'x') }},
		{"message", func(g *goldenCase) { g.Messages = g.Messages[:3] }},
		{"message", func(g *goldenCase) { g.Messages = append(g.Messages, g.Messages[0]) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			changed, _ := loadGolden(t, "headers")
			c.change(&changed)
			_, err := interop.Compare(t.Context(), server, changed.Stream, changed.reading())
			var difference *interop.Difference
			require.True(t, errors.As(err, &difference), "%v", err)
			require.Equal(t, c.what, difference.What)
			require.NotEmpty(t, difference.Error())
		})
	}
}
