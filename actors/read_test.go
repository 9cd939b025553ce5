package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// clock is a clock that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// dropMemory makes the store drop the memory of its last block, as it does after a
// while without writes.
func dropMemory(t *testing.T, s *actors.Store, c *clock) {
	t.Helper()
	require.NoError(t, s.Flush(t.Context()))
	c.advance(11 * time.Second)
	require.NoError(t, s.Flush(t.Context()))
}

// collect scans, and returns the sequences of messages, with 0 in the place of an
// error that wraps ErrCorrupt.
func collect(t *testing.T, s *actors.Store, opts ...actors.ReadOption) (got []uint64, damage []*blockio.CorruptionError) {
	t.Helper()
	for m, err := range s.Messages(t.Context(), opts...) {
		if err != nil {
			var c *blockio.CorruptionError
			require.ErrorAs(t, err, &c)
			require.ErrorIs(t, err, actors.ErrCorrupt)
			require.Zero(t, m)
			damage = append(damage, c)
		}
		got = append(got, m.Sequence)
	}
	return got, damage
}

func sequences(first, last uint64) (s []uint64) {
	for ; first <= last; first++ {
		s = append(s, first)
	}
	return s
}

func blockPath(config actors.Config, block int) string {
	return filepath.Join(config.Dir, config.Name, "msgs", fmt.Sprint(block, ".blk"))
}

// flip changes one byte of a file, in the payload that text marks.
func flip(t *testing.T, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(data, []byte(text))
	require.GreaterOrEqual(t, at, 0)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{data[at] ^ 0x40}, int64(at))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestLoadSaysWhyThereIsNoMessage(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level, MaxMsgs: 2})
		_, err := s.LoadMsg(t.Context(), 0)
		require.ErrorIs(t, err, actors.ErrEOF)
		_, err = s.LoadMsg(t.Context(), 1)
		require.ErrorIs(t, err, actors.ErrEOF)
		for range 4 {
			mustStore(t, s, "a", "x")
		}
		for sequence, want := range map[uint64]error{
			0: nil, 1: actors.ErrNotFound, 2: actors.ErrNotFound, 3: nil, 4: nil,
			5: actors.ErrEOF, 1 << 63: actors.ErrEOF,
		} {
			_, err := s.LoadMsg(t.Context(), sequence)
			require.ErrorIs(t, err, want)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		_, err = s.LoadMsg(ctx, 3)
		require.ErrorIs(t, err, cause)
		_, err = s.FastState(ctx)
		require.ErrorIs(t, err, cause)
	})
}

// TestDamageIsNamedAndContained: a record that is damaged while the store is open
// costs itself, by load and by scan, wherever it is in its block.
func TestDamageIsNamedAndContained(t *testing.T) {
	for _, row := range []struct {
		name    string
		damaged uint64
	}{{"first", 1}, {"in the middle", 5}, {"last", 9}} {
		for _, sealed := range []bool{false, true} {
			for _, indexed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, sealed %v, indexed before %v", row.name, sealed, indexed), func(t *testing.T) {
					var c clock
					config := actors.Config{
						Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10,
						Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now}),
					}
					s := open(t, config)
					for i := range 9 {
						mustStore(t, s, "a", fmt.Sprintf("secret-%d %0100d", i+1, 0))
					}
					last := uint64(9)
					if sealed {
						last = uint64(mustStore(t, s, "a", string(make([]byte, 4000))).Sequence)
					}
					dropMemory(t, s, &c)
					if indexed {
						_, err := s.LoadMsg(t.Context(), 9)
						require.NoError(t, err)
					}
					flip(t, blockPath(config, 1), fmt.Sprintf("secret-%d ", row.damaged))
					for sequence := uint64(1); sequence <= last; sequence++ {
						m, err := s.LoadMsg(t.Context(), sequence)
						if sequence != row.damaged {
							require.NoError(t, err)
							require.Equal(t, sequence, m.Sequence)
							continue
						}
						requireDamage(t, err, config, row.damaged)
					}
					for _, from := range []uint64{0, row.damaged} {
						got, damage := collect(t, s, actors.From(from))
						want := sequences(max(from, 1), last)
						want[row.damaged-max(from, 1)] = 0
						require.Equal(t, want, got)
						require.Len(t, damage, 1)
						requireDamage(t, damage[0], config, row.damaged)
					}
					mustStore(t, s, "a", "more")
					require.False(t, s.Stats().Failed, "reading does not disable writing")
				})
			}
		}
	}
}

func requireDamage(t *testing.T, err error, config actors.Config, sequence uint64) {
	t.Helper()
	require.ErrorIs(t, err, actors.ErrCorrupt)
	var c *blockio.CorruptionError
	require.ErrorAs(t, err, &c)
	require.Equal(t, blockPath(config, 1), c.Path)
	require.Equal(t, uint32(1), c.Block)
	require.Equal(t, sequence, c.Sequence)
	require.NotEmpty(t, c.Reason)
	require.NotContains(t, err.Error(), "secret")
}

// TestMissingFileCostsItsMessages, and no others.
func TestMissingFileCostsItsMessages(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10}
	s := open(t, config)
	for range 12 {
		mustStore(t, s, "a", string(make([]byte, 1000))) // three in a block
	}
	require.NoError(t, os.Remove(blockPath(config, 2)))
	_, err := s.LoadMsg(t.Context(), 5)
	require.ErrorIs(t, err, actors.ErrCorrupt)
	var c *blockio.CorruptionError
	require.ErrorAs(t, err, &c)
	require.Equal(t, blockPath(config, 2), c.Path)
	got, damage := collect(t, s)
	require.Len(t, damage, 1)
	require.Equal(t, []uint64{1, 2, 3, 0, 7, 8, 9, 10, 11, 12}, got)
}

// TestReadErrorEndsTheScanAndNothingElse, when nothing of a block can be read.
func TestReadErrorEndsTheScanAndNothingElse(t *testing.T) {
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: fault, BlockSize: 12 << 10})
	for range 12 {
		mustStore(t, s, "a", string(make([]byte, 3000))) // four in a block
	}
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead && filepath.Base(op.Name) == "2.blk" {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	var got []uint64
	var last error
	for m, err := range s.Messages(t.Context()) {
		got, last = append(got, m.Sequence), err
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 0}, got)
	require.ErrorIs(t, last, blocktest.ErrIO)
	_, err := s.LoadMsg(t.Context(), 5)
	require.ErrorIs(t, err, blocktest.ErrIO)
	fault.SetHook(nil)
	_, err = s.LoadMsg(t.Context(), 5)
	require.NoError(t, err)
	mustStore(t, s, "a", "writes go on")
}

func TestScanBeginsAndEndsWhereItShould(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4 << 10})
	got, _ := collect(t, s)
	require.Empty(t, got)
	const n = 100
	for i := range n {
		mustStore(t, s, "a", fmt.Sprintf("%0*d", i*3, i))
	}
	for _, from := range []uint64{0, 1, 2, 17, 50, 99, 100} {
		got, _ := collect(t, s, actors.From(from))
		require.Equal(t, sequences(max(from, 1), n), got)
	}
	for _, from := range []uint64{101, 1 << 62, 1<<64 - 1} {
		got, _ := collect(t, s, actors.From(from))
		require.Empty(t, got)
	}
	// It ends at what was the last message when it began.
	count := 0
	for _, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		mustStore(t, s, "a", "more")
		count++
	}
	require.Equal(t, n, count)
	// It may be left early, and used again.
	messages := s.Messages(t.Context())
	for range 2 {
		for m := range messages {
			if m.Sequence == 60 {
				break
			}
		}
	}
	got, _ = collect(t, s)
	require.Equal(t, sequences(1, 2*n), got)
}

func TestScanEndsWithItsContext(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4 << 10})
	for range 50 {
		mustStore(t, s, "a", string(make([]byte, 200)))
	}
	for _, at := range []uint64{0, 1, 20, 49} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		if at == 0 {
			cancel(cause)
		}
		count, last := uint64(0), error(nil)
		for _, err := range s.Messages(ctx) {
			if last = err; err == nil {
				if count++; count == at {
					cancel(cause)
				}
			}
		}
		require.Equal(t, at, count)
		require.ErrorIs(t, last, cause)
		cancel(nil)
	}
	// And with the store.
	var last error
	for m, err := range s.Messages(t.Context()) {
		if m.Sequence == 3 {
			require.NoError(t, s.Stop(t.Context()))
		}
		last = err
	}
	if last != nil {
		require.ErrorIs(t, last, actors.ErrStopped)
	}
}

// TestBorrowedMessagesAreValidUntilTheNextStep, and others for ever.
func TestBorrowedMessagesAreValidUntilTheNextStep(t *testing.T) {
	var c clock
	s := open(t, actors.Config{BlockSize: 64 << 10, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})})
	const n = 1000
	for i := range n {
		_, err := s.StoreMsg(t.Context(), subjectOf(i), headerOf(i), payloadOf(i))
		require.NoError(t, err)
	}
	for range 2 { // from memory and files, then from files alone
		i := 0
		var kept []actors.Message
		for m, err := range s.Messages(t.Context(), actors.Borrowed()) {
			require.NoError(t, err)
			checkMessage(t, m, i)
			i++
		}
		require.Equal(t, n, i)
		for m, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			kept = append(kept, m)
		}
		for i, m := range kept {
			checkMessage(t, m, i)
			// A copy of one's own: appending to one part leaves the others alone.
			_ = append(m.HeaderBlock, "xxxxxxxx"...)
			_ = append(m.Payload, 'x')
			checkMessage(t, m, i)
		}
		dropMemory(t, s, &c)
	}
}

// TestScanSurvivesEviction: blocks that go during a scan may be missing from it;
// nothing comes twice or out of order.
func TestScanSurvivesEviction(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4 << 10, MaxMsgs: 100})
	store := func(n int) {
		for range n {
			mustStore(t, s, "a", string(make([]byte, 200)))
		}
	}
	store(100)
	last, count := uint64(0), 0
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		require.Greater(t, m.Sequence, last)
		require.GreaterOrEqual(t, m.Sequence, stateOf(t, s).FirstSequence)
		last = m.Sequence
		if count++; count == 10 {
			store(55)
		}
	}
	require.Equal(t, uint64(100), last)
	require.Less(t, count, 100)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		if m.Sequence == 70 {
			store(500) // everything that the scan wanted
		}
	}
}

func TestScanReadsLargeRecords(t *testing.T) {
	var c clock
	s := open(t, actors.Config{Sync: actors.SyncNever, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})})
	sizes := []int{1, 255 << 10, 256<<10 - 30 - 1, 256 << 10, 1 << 20, 3, 20 << 20, 300 << 10, 7}
	for i, size := range sizes {
		_, err := s.StoreMsg(t.Context(), "a", nil, bytes.Repeat([]byte{byte(i + 1)}, size))
		require.NoError(t, err)
	}
	for range 2 {
		i := 0
		for m, err := range s.Messages(t.Context(), actors.Borrowed()) {
			require.NoError(t, err)
			require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(i + 1)}, sizes[i]), m.Payload))
			i++
		}
		require.Equal(t, len(sizes), i)
		for i, size := range sizes {
			m, err := s.LoadMsg(t.Context(), uint64(i+1))
			require.NoError(t, err)
			require.Len(t, m.Payload, size)
		}
		dropMemory(t, s, &c)
	}
}

// TestTailHalfInMemoryIsReadWhole: after a reopen the last block's older records
// are in the file, the newer ones in memory; also with skips at the seam.
func TestTailHalfInMemoryIsReadWhole(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, skip := range []uint64{0, 1, 5} {
			config := actors.Config{Dir: t.TempDir(), Sync: level}
			s := open(t, config)
			for range 10 {
				mustStore(t, s, "a", "old")
			}
			_, err := s.Skip(t.Context(), 0, skip)
			require.NoError(t, err)
			require.NoError(t, s.Stop(t.Context()))
			fault := blocktest.NewFaultFS(blockio.OS)
			config.FS = fault
			s = open(t, config)
			// At SyncNever what follows is in memory alone.
			held := make(chan struct{})
			if level == actors.SyncNever {
				fault.SetHook(func(op blocktest.Op) blocktest.Fault {
					if op.Kind == blocktest.OpWrite {
						return blocktest.Fault{Wait: func() { <-held }}
					}
					return blocktest.Fault{}
				})
			}
			var want []uint64
			want = append(want, sequences(1, 10)...)
			for range 5 {
				want = append(want, mustStore(t, s, "a", "new").Sequence)
			}
			for _, from := range []uint64{0, 3, 10, 11, 12, 14} {
				got, damage := collect(t, s, actors.From(from))
				require.Empty(t, damage)
				rest := want
				for len(rest) > 0 && rest[0] < from {
					rest = rest[1:]
				}
				require.Equal(t, rest, got, "from %d, %d skipped", from, skip)
			}
			for _, sequence := range want {
				m, err := s.LoadMsg(t.Context(), sequence)
				require.NoError(t, err)
				require.Equal(t, sequence, m.Sequence)
			}
			close(held)
			require.NoError(t, s.Stop(t.Context()))
		}
	})
}

// TestIdleStoreReadsFromItsFile, and takes more messages.
func TestIdleStoreReadsFromItsFile(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		var c clock
		s := open(t, actors.Config{Sync: level, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})})
		n := uint64(0)
		for range 4 {
			for range 20 {
				n = mustStore(t, s, "a", fmt.Sprint(n+1)).Sequence
			}
			last, err := s.Skip(t.Context(), 0, 3)
			require.NoError(t, err)
			n = last
			dropMemory(t, s, &c)
			count := uint64(0)
			for m, err := range s.Messages(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(m.Sequence), string(m.Payload))
				count++
			}
			require.Equal(t, stateOf(t, s).Messages, count)
			for sequence := uint64(1); sequence <= n; sequence++ {
				_, err := s.LoadMsg(t.Context(), sequence)
				if (sequence-1)%23 < 20 {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, actors.ErrNotFound)
				}
			}
		}
	})
}

// TestSkipBeforeTheFileExists: at SyncNever a block can begin with a skip that is
// not written yet; that is no missing file.
func TestSkipBeforeTheFileExists(t *testing.T) {
	held := make(chan struct{})
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: fault, Sync: actors.SyncNever})
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpCreate {
			return blocktest.Fault{Wait: func() { <-held }}
		}
		return blocktest.Fault{}
	})
	_, err := s.Skip(t.Context(), 0, 2)
	require.NoError(t, err)
	_, err = s.LoadMsg(t.Context(), 2)
	require.ErrorIs(t, err, actors.ErrNotFound)
	mustStore(t, s, "a", "x")
	got, damage := collect(t, s)
	require.Empty(t, damage)
	require.Equal(t, []uint64{3}, got)
	close(held)
}
