package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestSubjectsAndFiltersAreThoseOfTheServer compares the rules with the server's functions, over every text of up to
// five pieces.
func TestSubjectsAndFiltersAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	store, _ := storeOfSubjects(t)
	pieces := []string{"a", ".", "*", ">", " ", "\f", "\t", "\v", "\x00", "\x7f", "é", "\xff", "\ufffd", "\u202e"}
	each := func(text string) {
		require.Equal(t, oracle.ValidSubject(text), actors.ValidSubject(text) == nil, "subject %q", text)
		if len(text) > 4 || text == "" { // as a filter it stands for everything, as in a consumer of the server's
			return
		}
		_, err := store.FilteredState(t.Context(), 0, actors.Filter(text))
		require.Equal(t, server.IsValidSubject(text), err == nil, "filter %q: %v", text, err)
		if err != nil {
			require.ErrorIs(t, err, actors.ErrBadFilter)
		}
	}
	var grow func(text string, left int)
	grow = func(text string, left int) {
		each(text)
		for _, piece := range pieces {
			if left > 0 {
				grow(text+piece, left-1)
			}
		}
	}
	grow("", 5)
}

// TestMessagesOfTheServersSubjects: what a client stores through a server with a subject by the rule can be stored with it here.
// The server does not look at the subjects of messages itself, so it takes some that its other functions refuse. Those are read
// all the same.
func TestMessagesOfTheServersSubjects(t *testing.T) {
	t.Parallel()
	const (
		both    = iota // take it
		neither        // does
		server         // alone, and its own functions do not
	)
	storeDir := t.TempDir()
	s, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	_, err = s.JetStream().AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s", "s.>"}})
	require.NoError(t, err)
	store, _ := storeOfSubjects(t)
	rows := []struct {
		subject string
		taken   int
	}{
		{"s", both}, {"s.a", both}, {"s.a.b", both}, {"s.größe", both}, {"s.a*b", both}, {"s.*b", both}, {"s.a>", both},
		{"s.>b", both}, {"s.**", both}, {"s.\x01", both}, {"s.\x7f", both}, {"s.\v", both}, {"s.\u00a0", both},
		{"s.\u202e", both}, {"s.\u200b", both}, {"s.a/b", both}, {"s.$", both}, {"s." + strings.Repeat("a", 300), both},
		{"", neither}, {".", neither}, {"s.", neither}, {"s..a", neither}, {".s", neither},
		{"s.a b", neither}, {"s. ", neither}, {"s.a\tb", neither}, {"s.a\nb", neither}, {"s.a\rb", neither},
		{"s.*", server}, {"s.*.a", server}, {"s.>", server}, {"s.>.a", server}, {"s.a\fb", server},
		{"s.\x00", server}, {"s.a\x00b", server}, {"s.\xff", server}, {"s.\ufffd", server},
	}
	var taken []string
	for _, row := range rows {
		_, err := s.JetStream().Publish(row.subject, []byte("x"), nats.AckWait(10*time.Second), nats.RetryAttempts(0))
		require.Equal(t, row.taken != neither, err == nil, "%q: the server says %v", row.subject, err)
		if err == nil {
			taken = append(taken, row.subject)
		}
		_, err = store.StoreMsg(t.Context(), row.subject, nil, []byte("x"))
		if row.taken == both {
			require.NoError(t, err, "%q", row.subject)
			continue
		}
		require.ErrorIs(t, err, actors.ErrBadSubject, "%q", row.subject)
	}

	s.Stop()
	path := oracle.StreamDir(storeDir, "S")
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	theirs, err := actors.Open(t.Context(), system, actors.Config{Dir: filepath.Dir(path), Name: "S"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = theirs.Stop(context.Background()) })
	var read []string
	for m, err := range theirs.Messages(t.Context()) {
		require.NoError(t, err)
		read = append(read, m.Subject)
		_, err = store.StoreRaw(t.Context(), actors.RawMessage{Subject: m.Subject, Payload: m.Payload, StampNow: true})
		require.NoError(t, err, "%q, raw", m.Subject)
		one, err := theirs.LoadLastMsg(t.Context(), actors.Literal(m.Subject))
		require.NoError(t, err)
		require.Equal(t, m.Sequence, one.Sequence)
	}
	require.Equal(t, taken, read)
}

func storeOfSubjects(t *testing.T) (store *actors.Store, dir string) {
	t.Helper()
	system := interop.QuietSystem()
	t.Cleanup(system.Shutdown)
	dir = t.TempDir()
	store, err := actors.Open(t.Context(), system, actors.Config{Dir: dir, Name: "SUBJECTS", Sync: actors.SyncNever})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Stop(context.Background()) })
	return store, dir
}
