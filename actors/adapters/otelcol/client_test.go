package millracestorage

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestOperations is what filestorage does with one key: what is not there is nil, without an error.
func TestOperations(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	require.Nil(t, value(t, c, "key"))
	for range 2 {
		require.NoError(t, c.Set(ctx, "key", []byte("value")))
		require.Equal(t, []byte("value"), value(t, c, "key"))
	}
	require.NoError(t, c.Set(ctx, "key", []byte("another")))
	require.Equal(t, []byte("another"), value(t, c, "key"))
	for range 2 {
		require.NoError(t, c.Delete(ctx, "key"))
		require.Nil(t, value(t, c, "key"))
	}
	require.NoError(t, c.Set(ctx, "key", []byte("again")))
	require.Equal(t, []byte("again"), value(t, c, "key"))
	require.NoError(t, c.Set(ctx, "key", nil))
	require.Equal(t, []byte{}, value(t, c, "key"), "empty, and there")
}

// TestBatch has operations of all types in one batch: they see those before them.
func TestBatch(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	gets := []*storage.Operation{storage.GetOperation("1"), storage.GetOperation("2")}
	both := func(first, second []byte) {
		t.Helper()
		require.NoError(t, c.Batch(ctx, gets...))
		require.Equal(t, first, gets[0].Value)
		require.Equal(t, second, gets[1].Value)
	}
	require.NoError(t, c.Batch(ctx))
	both(nil, nil)
	require.NoError(t, c.Batch(ctx, storage.SetOperation("1", []byte("one")), storage.SetOperation("2", []byte("two"))))
	both([]byte("one"), []byte("two"))
	require.NoError(t, c.Batch(ctx, storage.SetOperation("1", []byte{}), storage.DeleteOperation("2")))
	both([]byte{}, nil)
	before, between, after := storage.GetOperation("1"), storage.GetOperation("1"), storage.GetOperation("1")
	deleted, other := storage.GetOperation("1"), storage.GetOperation("2")
	require.NoError(t, c.Batch(ctx, before, storage.SetOperation("1", []byte("x")), between, storage.SetOperation("1", []byte("y")),
		after, storage.DeleteOperation("1"), deleted, storage.SetOperation("2", []byte("z")), other))
	require.Equal(t, []byte{}, before.Value)
	require.Equal(t, []byte("x"), between.Value)
	require.Equal(t, []byte("y"), after.Value)
	require.Nil(t, deleted.Value)
	require.Equal(t, []byte("z"), other.Value)
	both(nil, []byte("z"))
	wrong := &storage.Operation{Key: "2", Type: 99}
	require.ErrorIs(t, c.Batch(ctx, storage.DeleteOperation("2"), wrong), errOperation)
	both(nil, []byte("z"))
}

// TestBatchesAreOfOneInstant has batches that write the same number to several keys, and some that read them.
func TestBatchesAreOfOneInstant(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	var writers, readers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for n := range 200 {
				number := fmt.Appendf(nil, "%d of %d", n, i)
				if err := c.Batch(ctx, storage.SetOperation("a", number), storage.SetOperation("b", number)); err != nil {
					t.Error(err)
				}
			}
		})
		readers.Go(func() {
			for range 200 {
				a, b := storage.GetOperation("a"), storage.GetOperation("b")
				if err := c.Batch(ctx, a, b); err != nil || string(a.Value) != string(b.Value) {
					t.Errorf("%q and %q: %v", a.Value, b.Value, err)
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
}

// TestKeys has keys that could be taken for each other, and for patterns.
func TestKeys(t *testing.T) {
	ctx, e := t.Context(), newTest(t, blocktest.NewMemFS(), nil)
	c := newClient(t, e, "a", "")
	keys := []string{"", ".", "key", "a", "a.b", "a.*", "*", ">", "%2e", "\x00", " ", "ä", "file_input.knownFiles", "A", "/", "key."}
	for i, key := range keys {
		require.NoError(t, c.Set(ctx, key, fmt.Append(nil, i)))
	}
	found := map[string]string{}
	require.NoError(t, c.Walk(ctx, func(key string, value []byte) ([]*storage.Operation, error) {
		found[key] = string(value)
		return nil, nil
	}))
	require.Len(t, found, len(keys))
	for i, key := range keys {
		require.Equal(t, fmt.Append(nil, i), value(t, c, key), "%q", key)
		require.Equal(t, fmt.Sprint(i), found[key], "%q", key)
	}
}

// TestWalk ends walks in each way.
func TestWalk(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	for i := range 10 {
		require.NoError(t, c.Set(ctx, fmt.Sprint(i), []byte("value")))
	}
	require.NoError(t, c.Delete(ctx, "3"))
	got := storage.GetOperation("9")
	count := 0
	require.NoError(t, c.Walk(ctx, func(key string, value []byte) ([]*storage.Operation, error) {
		require.Equal(t, "value", string(value))
		count++
		if key == "9" {
			return []*storage.Operation{storage.DeleteOperation(key), got}, nil
		}
		return []*storage.Operation{storage.SetOperation(key, []byte("walked"))}, nil
	}))
	require.Equal(t, 9, count)
	require.Nil(t, value(t, c, "9"))
	require.Nil(t, got.Value, "it is after the deletion")
	require.Equal(t, []byte("walked"), value(t, c, "0"))

	failed := errors.New("of the function")
	for name, row := range map[string]struct{ end, want error }{
		"error": {failed, failed}, "the rest skipped": {fmt.Errorf("wrapped: %w", storage.SkipAll), nil},
	} {
		count = 0
		require.ErrorIs(t, c.Walk(ctx, func(key string, _ []byte) ([]*storage.Operation, error) {
			count++
			return []*storage.Operation{storage.SetOperation(key, []byte(name))}, row.end
		}), row.want)
		require.Equal(t, 1, count)
		require.Equal(t, row.want == nil, string(value(t, c, "0")) == name || string(value(t, c, "1")) == name)
	}
	require.ErrorIs(t, c.Walk(ctx, func(key string, _ []byte) ([]*storage.Operation, error) {
		return []*storage.Operation{storage.DeleteOperation(key), {Type: 99}}, nil
	}), errOperation)
	require.NotNil(t, value(t, c, "0"))
}

// TestTombstonesGo waits until nothing is left of keys that were deleted.
func TestTombstonesGo(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	news, err := c.store.Watch(ctx)
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, c.Set(ctx, fmt.Sprint(i), []byte("value")))
	}
	for i := range 100 {
		require.NoError(t, c.Delete(ctx, fmt.Sprint(i)))
	}
	require.NoError(t, c.Delete(ctx, "was never there"))
	require.NoError(t, c.Set(ctx, "5", []byte("stays")))
	for c.store.Stats().Messages > 1 {
		_, open := <-news
		require.True(t, open)
	}
	require.Equal(t, []byte("stays"), value(t, c, "5"))
	require.EqualValues(t, 201, c.store.Stats().LastSequence)
}

// TestAClosedClientSaysSo calls everything after Close.
func TestAClosedClientSaysSo(t *testing.T) {
	ctx, c := t.Context(), newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	require.NoError(t, c.Close(ctx))
	require.NoError(t, c.Close(ctx))
	_, err := c.Get(ctx, "key")
	require.ErrorIs(t, err, actors.ErrStopped)
	require.ErrorIs(t, c.Set(ctx, "key", nil), actors.ErrStopped)
	require.ErrorIs(t, c.Delete(ctx, "key"), actors.ErrStopped)
	require.ErrorIs(t, c.Walk(ctx, nil), actors.ErrStopped)
}
