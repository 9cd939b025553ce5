package actors_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// secrets are the subject, the header and the payload of the message that is to be erased.
var secrets = []string{"secretsubject", "secretheader", "secretpayload"}

func storeSecret(t *testing.T, s *actors.Store) uint64 {
	t.Helper()
	ack, err := s.StoreMsg(t.Context(), "a."+secrets[0], actors.Header{"H": {secrets[1]}}, []byte(secrets[2]+strings.Repeat("z", 500)))
	require.NoError(t, err)
	return ack.Sequence
}

// findSecrets returns which files below a directory have any of the secrets.
func findSecrets(t *testing.T, files blockio.FS, dir string) (found []string) {
	t.Helper()
	entries, err := files.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name)
		if entry.IsDir {
			found = append(found, findSecrets(t, files, name)...)
			continue
		}
		file, err := files.OpenFile(name, blockio.ModeRead)
		if errors.Is(err, fs.ErrNotExist) {
			return findSecrets(t, files, dir) // a compaction has given the file its name meanwhile
		}
		require.NoError(t, err)
		data := make([]byte, entry.Size)
		if _, err := file.ReadAt(data, 0); !errors.Is(err, io.EOF) {
			require.NoError(t, err)
		}
		require.NoError(t, file.Close())
		for _, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				found = append(found, name+" "+secret)
			}
		}
	}
	return found
}

// fill stores messages that take about a block and a half.
func fill(t *testing.T, s *actors.Store) {
	for range 12 {
		mustStore(t, s, "fill", strings.Repeat("f", 500))
	}
}

// TestAnErasedMessageIsInNoFile, wherever it was, and after a crash before each operation once that was
// acknowledged; before, it is there or not, and never damaged.
func TestAnErasedMessageIsInNoFile(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, row := range []struct {
			name    string
			config  actors.Config
			prepare func(s *actors.Store) (sequence uint64)
			live    bool
		}{
			{"in the tail", actors.Config{}, func(s *actors.Store) uint64 {
				fill(t, s)
				defer mustStore(t, s, "a", "x")
				return storeSecret(t, s)
			}, true},
			{"the last one", actors.Config{}, func(s *actors.Store) uint64 { return storeSecret(t, s) }, true},
			{"in a sealed block", actors.Config{IndexFrom: 1}, func(s *actors.Store) uint64 {
				fill(t, s)
				sequence := storeSecret(t, s)
				fill(t, s)
				return sequence
			}, true},
			{"removed before", actors.Config{IndexFrom: 1}, func(s *actors.Store) uint64 {
				fill(t, s)
				sequence := storeSecret(t, s)
				_, err := s.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
				fill(t, s)
				return sequence
			}, false},
			{"evicted", actors.Config{MaxMsgs: 3}, func(s *actors.Store) uint64 {
				sequence := storeSecret(t, s)
				for range 3 {
					mustStore(t, s, "a", "x")
				}
				return sequence
			}, false},
			{"the last live one of its block", actors.Config{IndexFrom: 1}, func(s *actors.Store) uint64 {
				mustStore(t, s, "a", "x")
				sequence := storeSecret(t, s)
				fill(t, s)
				_, err := s.PurgeEx(t.Context(), actors.Filter("fill"), 10, 0)
				require.NoError(t, err)
				return sequence
			}, true},
		} {
			t.Run(row.name, func(t *testing.T) {
				config := row.config
				config.Sync, config.BlockSize = level, 4<<10
				var sequence uint64
				var rest []uint64
				crashEach(t, config, func(s *actors.Store) {
					sequence = row.prepare(s)
					all, _ := collect(t, s)
					for _, other := range all {
						if other != sequence {
							rest = append(rest, other)
						}
					}
					require.NoError(t, s.Flush(t.Context()))
				}, func(s *actors.Store) {
					removed, err := s.EraseMsg(t.Context(), sequence)
					require.NoError(t, err)
					require.Equal(t, row.live, removed)
					_, err = s.LoadMsg(t.Context(), sequence)
					require.ErrorIs(t, err, actors.ErrNotFound)
				}, func(s *actors.Store, image crashImage) {
					got, _ := collect(t, s)
					if image.done {
						require.Empty(t, findSecrets(t, image.mem, "data"), "%v %v", image.op, image.mode)
						_, err := s.LoadMsg(t.Context(), sequence)
						require.ErrorIs(t, err, actors.ErrNotFound)
					}
					require.Zero(t, stateOf(t, s).LostMessages, "%v %v", image.op, image.mode)
					for i, other := range rest {
						if row.config.MaxMsgs == 0 {
							require.Contains(t, got, other, "%v %v %d", image.op, image.mode, i)
						}
					}
				}, func(s *actors.Store) {
					mustStore(t, s, "later", "x")
					require.NoError(t, s.Flush(t.Context()))
				})
			})
		}
	})
}

// TestEraseMsgRows are those of RemoveMsg, but that what is before the first is erased without an error where a
// file has it.
func TestEraseMsgRows(t *testing.T) {
	config := actors.Config{Dir: t.TempDir()}
	s := fooStream(t, config, 12)
	row := func(sequence uint64, want bool, err error) {
		t.Helper()
		removed, got := s.EraseMsg(t.Context(), sequence)
		require.ErrorIs(t, got, err)
		require.Equal(t, want, removed)
	}
	row(0, false, actors.ErrNotFound)
	row(13, false, actors.ErrEOF)
	row(5, true, nil)
	row(5, false, nil)
	row(1, true, nil)
	row(1, false, nil)
	row(12, true, nil)
	for range 2 {
		got, _ := collect(t, s)
		require.Equal(t, []uint64{2, 3, 4, 6, 7, 8, 9, 10, 11}, got)
		state := stateOf(t, s)
		require.Equal(t, uint64(12), state.LastSequence)
		require.Zero(t, state.LostMessages)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
	}
	c := newClient(t, 1)
	r := c.ask(t, s, &actors.EraseRequest{Sequence: 6, Tag: 1}).(*actors.RemoveReply)
	require.NoError(t, r.Err)
	require.True(t, r.Removed)
	require.Equal(t, uint64(13), mustStore(t, s, "a", "x").Sequence)
}

// TestAnErasureThatFails at each of its file operations leaves a store that goes on, and the message is not
// damaged; once it succeeds, it is gone.
func TestAnErasureThatFails(t *testing.T) {
	errDisk := errors.New("the disk is on fire")
	for at, reached := 0, true; reached; at++ {
		s, files := faulty(t, actors.Config{BlockSize: 4 << 10, IndexFrom: -1})
		fill(t, s)
		sequence := storeSecret(t, s)
		fill(t, s)
		var n atomic.Int64
		var failed atomic.Bool
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if n.Add(1) == int64(at)+1 {
				failed.Store(true)
				return blocktest.Fault{Err: fmt.Errorf("%v: %w", op, errDisk)}
			}
			return blocktest.Fault{}
		})
		_, err := s.EraseMsg(t.Context(), sequence)
		files.SetHook(nil)
		reached = failed.Load()
		if err != nil && !errors.Is(err, actors.ErrUnreadable) {
			require.ErrorIs(t, err, actors.ErrFailed)
			eventually(t, recovered(s))
		}
		require.Zero(t, stateOf(t, s).LostMessages)
		eventually(t, func() bool { // a table that could not be read is tried again a second later
			_, err = s.EraseMsg(t.Context(), sequence)
			return !errors.Is(err, actors.ErrUnreadable)
		})
		require.NoError(t, err)
		require.Empty(t, findSecrets(t, files, "streams"))
		got, _ := collect(t, s)
		require.Len(t, got, 24)
		require.NoError(t, s.Stop(t.Context()))
	}
}

// TestEraseInALastBlockThatIsFull, right after the stream was opened, with its state or from its blocks: nothing is written
// behind it.
func TestEraseInALastBlockThatIsFull(t *testing.T) {
	for name, before := range map[string]func(*testing.T, actors.Config){
		"with its state": func(*testing.T, actors.Config) {}, "from its blocks": forgetState,
	} {
		t.Run(name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, Sync: level}
				s := open(t, config)
				_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{
					{Subject: "a", Payload: []byte(secrets[2])}, {Subject: "a", Payload: make([]byte, 5<<10)},
				})
				require.NoError(t, err)
				require.NoError(t, s.Stop(t.Context()))
				before(t, config)
				s = open(t, config)
				removed, err := s.EraseMsg(t.Context(), 1)
				require.NoError(t, err)
				require.True(t, removed)
				require.Empty(t, findSecrets(t, blockio.OS, config.Dir))
				require.Equal(t, uint64(3), mustStore(t, s, "a", "x").Sequence)
				require.NoError(t, s.Stop(t.Context()))
				got, _ := collect(t, open(t, config))
				require.Equal(t, []uint64{2, 3}, got)
			})
		})
	}
}

// TestABlockStaysUntilItsErase: what empties a block while a message of it is to be overwritten does not remove the
// file before.
func TestABlockStaysUntilItsErase(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		config := inMemory()
		files := blocktest.NewFaultFS(config.FS)
		config.FS, config.Sync, config.IndexFrom = files, level, -1
		s := open(t, config)
		first := storeSecret(t, s) // in block 1
		fill(t, s)
		sequence := storeSecret(t, s) // in block 2, which is sealed with the erasure; the first one waits for it
		var mu sync.Mutex
		var ops []string
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if op.Kind == blocktest.OpWrite || op.Kind == blocktest.OpRemove {
				ops = append(ops, op.Kind.String()+" "+filepath.Base(op.Name))
			}
			return blocktest.Fault{}
		})
		c := newClient(t, 3)
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.EraseRequest{Sequence: sequence}})
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.EraseRequest{Sequence: first}})
		quiet.Root.Send(c.pid, &send{s.PID(), &actors.CompactRequest{Sequence: sequence + 1}})
		for range 3 {
			switch r := within(t, c.replies).(type) {
			case *actors.RemoveReply:
				require.NoError(t, r.Err)
				require.True(t, r.Removed)
			case *actors.PurgeReply:
				require.NoError(t, r.Err)
			}
		}
		eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(ops, "remove 2.blk")
		})
		mu.Lock()
		defer mu.Unlock()
		for _, name := range []string{"1.blk", "2.blk"} {
			at := slices.Index(ops, "write "+name)
			require.GreaterOrEqual(t, at, 0, "%v", ops)
			require.Less(t, at, slices.Index(ops, "remove "+name), "%v", ops)
		}
	})
}
