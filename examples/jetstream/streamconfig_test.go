package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// shopConfig is a stream with much that means nothing to a store.
func shopConfig() *nats.StreamConfig {
	return &nats.StreamConfig{
		Name: "SHOP", Description: "what <we> & they sell", Subjects: []string{"shop.>"}, MaxConsumers: 7, MaxMsgs: 50,
		MaxMsgSize: 4000, AllowDirect: true, Duplicates: time.Minute, DenyDelete: true,
		RePublish: &nats.RePublish{Source: "shop.>", Destination: "copies.>"},
		Metadata:  map[string]string{"owner": "sales"}, ConsumerLimits: nats.StreamConsumerLimits{MaxAckPending: 9},
	}
}

// TestAServersConfigGoesThroughMillrace: read from a closed stream, changed there and in an open one, and given to a new
// one; a server takes each, with the time of the creation, and has what it said.
func TestAServersConfigGoesThroughMillrace(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	storeDir := t.TempDir()
	s, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(func() { s.Stop() })
	_, err = s.JetStream().AddStream(shopConfig())
	require.NoError(t, err)
	for range 20 {
		_, err := s.JetStream().Publish("shop.new", []byte("x"))
		require.NoError(t, err)
	}
	s.Stop()
	dir := oracle.StreamDir(storeDir, "SHOP")
	ours := actors.Config{Dir: filepath.Dir(dir), Name: "SHOP"}
	read := func(data []byte) (info server.FileStreamInfo) {
		require.NoError(t, json.Unmarshal(data, &info))
		return info
	}

	// Closed.
	data, err := actors.ReadStreamConfig(ours)
	require.NoError(t, err)
	file, err := os.ReadFile(filepath.Join(dir, "meta.inf"))
	require.NoError(t, err)
	require.Equal(t, string(file), string(data), "byte for byte")
	want := read(data)
	require.Equal(t, "what <we> & they sell", want.Description)
	want.Created, want.Description = time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC), "sold"
	given := func() actors.Config {
		config := ours
		config.StreamConfig, err = json.Marshal(&want)
		require.NoError(t, err)
		return config
	}
	require.NoError(t, actors.WriteStreamConfig(given()))
	has := func(messages, last uint64) {
		t.Helper()
		s, err = oracle.Start(storeDir)
		require.NoError(t, err)
		defer s.Stop()
		stream, err := s.JetStream().StreamInfo(want.Name)
		require.NoError(t, err)
		require.True(t, want.Created.Equal(stream.Created), stream.Created)
		require.Equal(t, messages, stream.State.Msgs)
		require.Equal(t, last, stream.State.LastSeq)
		require.Equal(t, want.Description, stream.Config.Description)
		require.Equal(t, want.MaxMsgs, stream.Config.MaxMsgs)
		require.Equal(t, "sales", stream.Config.Metadata["owner"])
		require.Equal(t, "copies.>", stream.Config.RePublish.Destination)
		require.Equal(t, 9, stream.Config.ConsumerLimits.MaxAckPending)
		require.Equal(t, int32(4000), stream.Config.MaxMsgSize)
	}
	has(20, 20)

	// Open.
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	store, err := actors.Open(ctx, system, ours)
	require.NoError(t, err)
	want.Description, want.MaxMsgs, want.Created = "sold again", 15, want.Created.Add(time.Hour)
	require.NoError(t, store.UpdateConfig(ctx, given()))
	_, err = store.StoreMsg(ctx, "shop.new", nil, []byte("ours"))
	require.NoError(t, err)
	require.NoError(t, store.Stop(ctx))
	has(15, 21)

	// New.
	want.Name, want.Subjects, want.RePublish.Source = "STALL", []string{"stall.>"}, "stall.>"
	ours.Name = "STALL"
	store, err = actors.Open(ctx, system, given())
	require.NoError(t, err)
	_, err = store.StoreMsg(ctx, "stall.new", nil, []byte("ours"))
	require.NoError(t, err)
	require.NoError(t, store.Stop(ctx))
	has(1, 1)
}
