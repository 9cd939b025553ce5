package raftstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// testConfig is a Store in a folder of a file system, with blocks of which a test fills several.
func testConfig(fsys blockio.FS, dir string) Config {
	return Config{System: testSystem, Stream: actors.Config{
		Dir: dir, FS: fsys, BlockSize: 4 << 10, Logger: slog.New(slog.DiscardHandler),
	}}
}

// openTest opens a Store in a folder of the test's own; the test closes it.
func openTest(t *testing.T, fsys blockio.FS, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), testConfig(fsys, dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// newTest opens a Store on a new file system in memory.
func newTest(t *testing.T) *Store {
	t.Helper()
	return openTest(t, blocktest.NewMemFS(), "/raft")
}

// entry makes the entry of an index in a term.
func entry(index, term uint64) *raft.Log {
	return &raft.Log{
		Index: index, Term: term, Type: raft.LogCommand,
		Data: fmt.Appendf(nil, "entry %d of term %d %s", index, term, bytes.Repeat([]byte{'.'}, int(index%97))),
	}
}

// entries makes the entries from one index to another, both included.
func entries(from, to, term uint64) []*raft.Log {
	var made []*raft.Log
	for index := from; index <= to; index++ {
		made = append(made, entry(index, term))
	}
	return made
}

// requireLog holds the log to entries that follow each other, and to having no others.
func requireLog(t *testing.T, s *Store, want []*raft.Log) {
	t.Helper()
	first, last := uint64(0), uint64(0)
	if len(want) > 0 {
		first, last = want[0].Index, want[len(want)-1].Index
	}
	got, err := s.FirstIndex()
	require.NoError(t, err)
	require.Equal(t, first, got, "first index")
	got, err = s.LastIndex()
	require.NoError(t, err)
	require.Equal(t, last, got, "last index")
	for _, wanted := range want {
		var read raft.Log
		require.NoError(t, s.GetLog(wanted.Index, &read), "index %d", wanted.Index)
		require.Equal(t, wanted.Term, read.Term)
		require.Equal(t, wanted.Index, read.Index)
		require.Equal(t, string(wanted.Data), string(read.Data))
	}
	for _, absent := range []uint64{0, first - 1, last + 1, last + 100} {
		if absent < first || absent > last || first == 0 {
			require.ErrorIs(t, s.GetLog(absent, new(raft.Log)), raft.ErrLogNotFound, "index %d", absent)
		}
	}
}

// TestAnEmptyLog is what raft asks of a server that has never had an entry.
func TestAnEmptyLog(t *testing.T) {
	s := newTest(t)
	requireLog(t, s, nil)
	require.True(t, s.IsMonotonic())
	require.NoError(t, s.StoreLogs(nil))
	require.NoError(t, s.DeleteRange(1, 10))
	committed, err := s.GetCommitIndex()
	require.NoError(t, err)
	require.Zero(t, committed)
	requireLog(t, s, nil)
}

// TestAllOfAnEntryIsKept compares whole entries, also after the log is opened again.
func TestAllOfAnEntryIsKept(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	stored := []*raft.Log{
		{Index: 1},
		{Index: 2, Term: math.MaxUint64, Type: raft.LogNoop, AppendedAt: time.Unix(1, 2).UTC()},
		{Index: 3, Term: 1, Type: raft.LogConfiguration, Data: []byte("data"), Extensions: []byte("extensions")},
		{Index: 4, Term: 1, Type: raft.LogBarrier, Extensions: bytes.Repeat([]byte("e"), 300)},
		{Index: 5, Term: 1, Type: 200, Data: []byte{0}, AppendedAt: time.Date(2262, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{Index: 6, Term: 1, Type: raft.LogCommand, Data: bytes.Repeat([]byte("large "), 1<<16)},
	}
	require.NoError(t, s.StoreLogs(stored))
	for range 2 {
		for _, want := range stored {
			got := raft.Log{Data: []byte("of before"), Extensions: []byte("of before")}
			require.NoError(t, s.GetLog(want.Index, &got))
			require.Equal(t, *want, got)
		}
		require.NoError(t, s.Close())
		s = openTest(t, fsys, "/raft")
	}
	message, err := s.Log().LoadMsg(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, "configuration", message.Subject)
}

// TestAnEntryThatWasReadIsTheReadersOwn changes what GetLog returned.
func TestAnEntryThatWasReadIsTheReadersOwn(t *testing.T) {
	s := newTest(t)
	require.NoError(t, s.StoreLog(&raft.Log{Index: 1, Data: []byte("data"), Extensions: []byte("more")}))
	var first, second raft.Log
	require.NoError(t, s.GetLog(1, &first))
	_ = append(first.Extensions, " and more"...)
	copy(first.Data, "over")
	require.NoError(t, s.GetLog(1, &second))
	require.Equal(t, "data", string(second.Data))
	require.Equal(t, "more", string(second.Extensions))
	require.Equal(t, "over", string(first.Data))
}

// TestGapsAreRefused has entries that do not follow each other, or the log.
func TestGapsAreRefused(t *testing.T) {
	s := newTest(t)
	require.ErrorIs(t, s.StoreLog(entry(0, 1)), ErrGap)
	require.ErrorIs(t, s.StoreLogs([]*raft.Log{entry(1, 1), entry(3, 1)}), ErrGap)
	require.ErrorIs(t, s.StoreLogs([]*raft.Log{entry(2, 1), entry(1, 1)}), ErrGap)
	requireLog(t, s, nil)
	require.NoError(t, s.StoreLogs(entries(1, 5, 1)))
	for _, from := range []uint64{1, 5, 7, 100} {
		require.ErrorIs(t, s.StoreLog(entry(from, 2)), ErrGap, "%d", from)
		require.ErrorIs(t, s.StoreLogs(entries(from, from+2, 2)), ErrGap, "%d", from)
	}
	requireLog(t, s, entries(1, 5, 1))
}

// TestTheFirstIndexIsFree begins a log, new or emptied, at other indexes than the next.
func TestTheFirstIndexIsFree(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	for _, first := range []uint64{1000, 1001, 5000, 20, 1, 2, 1 << 40, 3} {
		require.NoError(t, s.StoreLogs(entries(first, first+9, first)))
		requireLog(t, s, entries(first, first+9, first))
		require.NoError(t, s.StoreLog(entry(first+10, first)))
		require.NoError(t, s.Close())
		s = openTest(t, fsys, "/raft")
		requireLog(t, s, entries(first, first+10, first))
		require.NoError(t, s.DeleteRange(first, first+10))
		requireLog(t, s, nil)
	}
}

// TestDeleteRange has each kind of range, with the log that is left of 10 to 30, also after the log is opened again, and
// goes on behind it.
func TestDeleteRange(t *testing.T) {
	type left struct{ first, last uint64 }
	whole, none := left{10, 30}, left{}
	for _, row := range []struct {
		low, high uint64
		want      left
		err       error
	}{
		{1, 9, whole, nil}, {31, 40, whole, nil}, {20, 19, whole, nil}, {0, 0, whole, nil},
		{10, 10, left{11, 30}, nil}, {1, 10, left{11, 30}, nil}, {10, 29, left{30, 30}, nil}, {0, 15, left{16, 30}, nil},
		{30, 30, left{10, 29}, nil}, {30, 99, left{10, 29}, nil}, {11, 30, left{10, 10}, nil}, {20, math.MaxUint64, left{10, 19}, nil},
		{10, 30, none, nil}, {1, 99, none, nil}, {10, 31, none, nil}, {9, 30, none, nil}, {0, math.MaxUint64, none, nil},
		{11, 29, whole, ErrMiddle}, {15, 15, whole, ErrMiddle},
	} {
		t.Run(fmt.Sprintf("%d to %d", row.low, row.high), func(t *testing.T) {
			fsys := blocktest.NewMemFS()
			s := openTest(t, fsys, "/raft")
			require.NoError(t, s.StoreLogs(entries(10, 30, 1)))
			require.ErrorIs(t, s.DeleteRange(row.low, row.high), row.err)
			var want []*raft.Log
			if row.want != none {
				want = entries(row.want.first, row.want.last, 1)
			}
			requireLog(t, s, want)
			require.NoError(t, s.Close())
			s = openTest(t, fsys, "/raft")
			requireLog(t, s, want)
			next := row.want.last + 1
			if row.want == none {
				next = 31
			}
			require.NoError(t, s.StoreLogs(entries(next, next+3, 2)))
			requireLog(t, s, append(want, entries(next, next+3, 2)...))
		})
	}
}

// TestALargeBatchGoesInPieces stores more at once than a batch of a stream can have.
func TestALargeBatchGoesInPieces(t *testing.T) {
	s := newTest(t)
	var large []*raft.Log
	for index := uint64(1); index <= 40; index++ {
		large = append(large, &raft.Log{Index: index, Data: bytes.Repeat([]byte{byte(index)}, 1<<20)})
	}
	require.NoError(t, s.StoreLogs(large))
	requireLog(t, s, large)
	// The last entry of the next ones is too large for a message. What went before it must not stay.
	more := append(entries(41, 42, 1), &raft.Log{Index: 43, Data: make([]byte, 33<<20)})
	require.ErrorIs(t, s.StoreLogs(more), actors.ErrTooLarge)
	requireLog(t, s, large)
	require.NoError(t, s.StoreLogs(entries(41, 42, 2)))
	requireLog(t, s, append(large, entries(41, 42, 2)...))
}

// TestTheCommitIndexIsStoredWithEntries has it staged, stored, truncated and opened again.
func TestTheCommitIndexIsStoredWithEntries(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	committed := func(want uint64) {
		t.Helper()
		got, err := s.GetCommitIndex()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.NoError(t, s.StoreLogs(entries(1, 10, 1)))
	committed(0)
	require.NoError(t, s.StageCommitIndex(7))
	committed(0) // nothing is stored by staging
	require.NoError(t, s.StoreLog(entry(11, 1)))
	committed(7)
	require.NoError(t, s.StageCommitIndex(100))
	require.NoError(t, s.StoreLogs(entries(12, 20, 1)))
	committed(20) // never above the last index
	require.NoError(t, s.DeleteRange(16, 20))
	committed(15) // nor after a truncation
	require.NoError(t, s.StageCommitIndex(15))
	require.NoError(t, s.StoreLogs(entries(16, 17, 2)))
	require.NoError(t, s.Close())
	s = openTest(t, fsys, "/raft")
	committed(15)
	require.NoError(t, s.StoreLog(entry(18, 2)))
	committed(15) // that of before, until raft says more
	require.NoError(t, s.DeleteRange(1, 18))
	committed(0)
}

// TestStable has keys of all kinds, also after the store is opened again.
func TestStable(t *testing.T) {
	fsys := blocktest.NewMemFS()
	s := openTest(t, fsys, "/raft")
	number, err := s.GetUint64([]byte("CurrentTerm"))
	require.NoError(t, err)
	require.Zero(t, number)
	value, err := s.Get([]byte("LastVoteCand"))
	require.NoError(t, err)
	require.Empty(t, value)
	// Keys whose subjects could be taken for each other, and for patterns.
	keys := []string{"CurrentTerm", "", "empty", "hex", "hex.00", "key.a", "a", "*", ">", "a.*", "\x00", "00", " ", "ä", "A b"}
	for round := range 3 {
		for i, key := range keys {
			require.NoError(t, s.Set([]byte(key), fmt.Appendf(nil, "%d of %d", i, round)))
		}
	}
	require.NoError(t, s.SetUint64([]byte("number"), math.MaxUint64))
	require.NoError(t, s.Set([]byte("nothing"), nil))
	for range 2 {
		for i, key := range keys {
			value, err := s.Get([]byte(key))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%d of 2", i), string(value), "%q", key)
		}
		number, err := s.GetUint64([]byte("number"))
		require.NoError(t, err)
		require.EqualValues(t, uint64(math.MaxUint64), number)
		value, err := s.Get([]byte("nothing"))
		require.NoError(t, err)
		require.Empty(t, value)
		_, err = s.GetUint64([]byte("a"))
		require.ErrorIs(t, err, ErrNoEntry)
		require.NoError(t, s.Close())
		s = openTest(t, fsys, "/raft")
	}
	state, err := s.Stable().FastState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(keys)+2, state.Messages, "one message a key")
}

// TestReadersBesideAWriter reads while entries are appended, and deleted at both ends.
func TestReadersBesideAWriter(t *testing.T) {
	s := newTest(t)
	require.NoError(t, s.StoreLogs(entries(1, 64, 1)))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := readSome(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	last := uint64(64)
	for term := uint64(2); term < 40; term++ {
		require.NoError(t, s.DeleteRange(last-9, last))
		last -= 10
		require.NoError(t, s.StoreLogs(entries(last+1, last+40, term)))
		last += 40
		require.NoError(t, s.DeleteRange(1, last-50))
	}
	stop()
	readers.Wait()
	first, err := s.FirstIndex()
	require.NoError(t, err)
	require.Equal(t, last-49, first)
}

// readSome reads the first, a middle and the last entry. Each may be deleted meanwhile, and none may be another.
func readSome(s *Store) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	for _, index := range []uint64{first, (first + last) / 2, last} {
		var read raft.Log
		switch err := s.GetLog(index, &read); {
		case errors.Is(err, raft.ErrLogNotFound):
		case err != nil:
			return err
		case read.Index != index || string(read.Data) != string(entry(index, read.Term).Data):
			return fmt.Errorf("at index %d is entry %d of term %d: %q", index, read.Index, read.Term, read.Data)
		}
	}
	return nil
}

// TestAClosedStoreSaysSo calls everything after Close.
func TestAClosedStoreSaysSo(t *testing.T) {
	s := newTest(t)
	require.NoError(t, s.StoreLog(entry(1, 1)))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.FirstIndex()
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.LastIndex()
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.GetCommitIndex()
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Get([]byte("a"))
	require.ErrorIs(t, err, actors.ErrStopped)
	require.ErrorIs(t, s.GetLog(1, new(raft.Log)), actors.ErrStopped)
	require.ErrorIs(t, s.StoreLog(entry(2, 1)), actors.ErrStopped)
	require.ErrorIs(t, s.DeleteRange(1, 1), actors.ErrStopped)
	require.ErrorIs(t, s.Set([]byte("a"), nil), actors.ErrStopped)
}

// TestWhatOpenRefuses are configurations that would lose entries, and streams that have limits.
func TestWhatOpenRefuses(t *testing.T) {
	fsys := blocktest.NewMemFS()
	for _, change := range []func(*actors.Config){
		func(c *actors.Config) { c.MaxMsgs = 1 },
		func(c *actors.Config) { c.MaxBytes = 1 << 20 },
		func(c *actors.Config) { c.MaxMsgsPer = 1 },
		func(c *actors.Config) { c.MaxAge = time.Hour },
		func(c *actors.Config) { c.ReadOnly = true },
		func(c *actors.Config) { c.FirstSequence = 7 },
		func(c *actors.Config) { c.StreamConfig = []byte("{}") },
	} {
		config := testConfig(fsys, "/raft")
		change(&config.Stream)
		_, err := Open(t.Context(), config)
		require.ErrorIs(t, err, ErrConfig)
	}
	s := openTest(t, fsys, "/raft")
	limited := testConfig(fsys, "/raft").Stream
	limited.Name, limited.MaxMsgs = s.Log().Name(), 5
	require.NoError(t, s.Log().UpdateConfig(t.Context(), limited))
	require.NoError(t, s.Close())
	_, err := Open(t.Context(), testConfig(fsys, "/raft"))
	require.ErrorIs(t, err, ErrConfig)
}
