package actors_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestLoadLastMsgOfASubject finds the last message of it, of a subject with the letters of wildcards too, and none of a
// subject without messages, also where the one that was last is removed.
func TestLoadLastMsgOfASubject(t *testing.T) {
	ctx := t.Context()
	s, err := actors.Open(ctx, quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Sync: actors.SyncNever})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(ctx)) })
	for i, name := range []string{"a", "b", "a", "x.*", "x.y", "a", "b"} {
		_, err := storeRaw(ctx, s, name, []byte{byte(i)}) // x.* has no other way in
		require.NoError(t, err)
	}
	var into actors.MessageBuffer
	for _, row := range []struct {
		filter actors.Filters
		want   uint64
	}{{actors.Filter("a"), 6}, {actors.Literal("a"), 6}, {actors.Literal("x.*"), 4}, {actors.Filter("x.*"), 5}, {actors.Filter("b"), 7}, {actors.Filter("c"), 0}, {actors.Literal(">"), 0}} {
		err := s.LoadLastMsgInto(ctx, &into, row.filter)
		if row.want == 0 {
			require.ErrorIs(t, err, actors.ErrNotFound, "%+v", row.filter)
			continue
		}
		require.NoError(t, err, "%+v", row.filter)
		require.Equal(t, row.want, into.Sequence, "%+v", row.filter)
	}
	removed, err := s.RemoveMsg(ctx, 6)
	require.NoError(t, err)
	require.True(t, removed)
	require.NoError(t, s.LoadLastMsgInto(ctx, &into, actors.Literal("a")))
	require.Equal(t, uint64(3), into.Sequence)
	allocs := testing.AllocsPerRun(100, func() {
		if err := s.LoadLastMsgInto(ctx, &into, actors.Literal("b")); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, allocs, "it compiles a filter")
}

// TestPendingOfAPrefixCountsNothingWithoutASubject: that all subjects begin with it does not mean that all messages do.
func TestPendingOfAPrefixCountsNothingWithoutASubject(t *testing.T) {
	ctx := t.Context()
	s, err := actors.Open(ctx, quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Sync: actors.SyncNever})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(ctx)) })
	pending := func(from uint64, filter string) uint64 {
		n, _, err := s.NumPending(ctx, from, actors.Filter(filter))
		require.NoError(t, err)
		return n
	}
	for i := range 20 {
		_, err := s.StoreMsg(ctx, []string{"kv.1", "kv.2"}[i%2], nil, nil)
		require.NoError(t, err)
	}
	require.Equal(t, uint64(20), pending(1, "kv.>"))
	require.Equal(t, uint64(6), pending(15, "kv.>"))
	_, err = s.RemoveMsg(ctx, 17)
	require.NoError(t, err)
	require.Equal(t, uint64(5), pending(15, "kv.>"))
	_, err = storeRaw(ctx, s, "", nil)
	require.NoError(t, err)
	require.Equal(t, uint64(5), pending(15, "kv.>"))
	require.Equal(t, uint64(6), pending(15, ">"))
	_, err = s.StoreMsg(ctx, "other", nil, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(5), pending(15, "kv.>"))
}

// TestLoadLastMsgOfEverySubject: with so many subjects, some cannot be told apart by what the index looks at first.
func TestLoadLastMsgOfEverySubject(t *testing.T) {
	const each, many = 500, 40
	ctx := t.Context()
	s, err := actors.Open(ctx, quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Sync: actors.SyncNever})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(ctx)) })
	name := func(i int) string { return fmt.Sprintf("kv.%05d", i*7919%(each*many)) }
	for from := 0; from < each*many; from += each {
		batch := make([]actors.BatchMessage, each)
		for i := range batch {
			batch[i].Subject = name(from + i)
		}
		_, err := s.StoreBatch(ctx, batch)
		require.NoError(t, err)
	}
	var into actors.MessageBuffer
	for i := range each * many {
		if err := s.LoadLastMsgInto(ctx, &into, actors.Literal(name(i))); err != nil || into.Sequence != uint64(i)+1 || into.Subject != name(i) {
			t.Fatalf("of %q: %d of %q, %v", name(i), into.Sequence, into.Subject, err)
		}
		if err := s.LoadLastMsgInto(ctx, &into, actors.Literal(name(i)+"x")); !errors.Is(err, actors.ErrNotFound) {
			t.Fatalf("of no subject: %d of %q, %v", into.Sequence, into.Subject, err)
		}
	}
}
