package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// streamToDelete opens a stream in memory of a few blocks, with a consumer beside them.
func streamToDelete(t *testing.T, files blockio.FS) (*actors.Store, actors.Config) {
	t.Helper()
	config := actors.Config{Dir: "data", Name: "ORDERS", FS: files, BlockSize: 4096, Sync: actors.SyncAlways}
	s, err := actors.Open(t.Context(), quiet, config)
	require.NoError(t, err)
	for i := range filledWith {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	dir := filepath.Join("data", "ORDERS", "obs", "C")
	require.NoError(t, files.MkdirAll(dir))
	file, err := files.OpenFile(filepath.Join(dir, "o.dat"), blockio.ModeCreate)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return s, config
}

const filledWith = 40

// namesIn returns what is in a directory.
func namesIn(t *testing.T, files blockio.FS, dir string) (names []string) {
	t.Helper()
	entries, err := files.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

// TestDeleteLeavesNothing of a stream that is open, stopped, failed, or was never opened, and nothing else happens to
// what is beside it. A stream of the same name begins anew.
func TestDeleteLeavesNothing(t *testing.T) {
	byHandle := func(t *testing.T, s *actors.Store, _ actors.Config) error {
		return s.Delete(t.Context(), actors.DeleteOptions{})
	}
	byName := func(t *testing.T, s *actors.Store, c actors.Config) error {
		return actors.Delete(t.Context(), c.Dir, c.Name, actors.DeleteOptions{FS: c.FS})
	}
	byActor := func(t *testing.T, s *actors.Store, _ actors.Config) error {
		return newClient(t, 1).ask(t, s, &actors.DeleteRequest{Tag: 7}).(*actors.DeleteReply).Err
	}
	nothing := func(*testing.T, *actors.Store, *blocktest.FaultFS) {}
	stop := func(t *testing.T, s *actors.Store, _ *blocktest.FaultFS) { require.NoError(t, s.Stop(t.Context())) }
	fail := func(t *testing.T, s *actors.Store, files *blocktest.FaultFS) {
		heal := failing(files)
		_, err := s.StoreMsg(t.Context(), "a", nil, nil)
		require.ErrorIs(t, err, actors.ErrFailed)
		heal()
	}
	for _, row := range []struct {
		name   string
		before func(*testing.T, *actors.Store, *blocktest.FaultFS)
		delete func(*testing.T, *actors.Store, actors.Config) error
	}{
		{"open, by the handle", nothing, byHandle},
		{"open, by an actor", nothing, byActor},
		{"stopped, by the handle", stop, byHandle},
		{"stopped, by its name", stop, byName},
		{"failed, by the handle", fail, byHandle},
		{"failed, by an actor", fail, byActor},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := blocktest.NewFaultFS(blocktest.NewMemFS())
				require.NoError(t, files.MkdirAll("data/OTHER"))
				s, config := streamToDelete(t, files)
				row.before(t, s, files)
				require.NoError(t, row.delete(t, s, config))
				require.Equal(t, []string{"OTHER"}, namesIn(t, files, "data"))
				_, err := s.StoreMsg(t.Context(), "a", nil, nil)
				if row.name != "stopped, by its name" {
					require.ErrorIs(t, err, actors.ErrStopped)
					state, err := s.State(t.Context())
					require.NoError(t, err)
					require.Zero(t, state.Messages)
					require.Zero(t, state.Bytes)
					require.Zero(t, state.Subjects)
					require.Equal(t, state.LastSequence+1, state.FirstSequence)
					require.Empty(t, state.DeletedRanges)
				}
				for range 2 {
					_ = s.Stop(t.Context())
					require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}), "again")
				}
				require.ErrorIs(t, actors.Delete(t.Context(), "data", "ORDERS", actors.DeleteOptions{FS: files}), fs.ErrNotExist)
				anew, err := actors.Open(t.Context(), quiet, config)
				require.NoError(t, err)
				require.EqualValues(t, 1, mustStore(t, anew, "a", "anew").Sequence)
				require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}), "that of before is gone already")
				require.NoError(t, anew.Stop(t.Context()))
				require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
				require.Equal(t, []string{"ORDERS", "OTHER"}, namesIn(t, files, "data"))
			})
		})
	}
}

// TestDeleteNeedsNoKey of an encrypted stream.
func TestDeleteNeedsNoKey(t *testing.T) {
	config := actors.Config{
		Dir: t.TempDir(), Cipher: actors.CipherChaCha20, BlockSize: 4096,
		Key: actors.ServerKey("$G", "a key that is long enough, perhaps"),
	}
	s := openToFail(t, config)
	for i := range 40 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, actors.Delete(t.Context(), config.Dir, "ORDERS", actors.DeleteOptions{}))
	entries, err := os.ReadDir(config.Dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	s = openToFail(t, config)
	mustStore(t, s, "a", "anew")
	require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
}

// TestDeleteIsToldToTakers: all goes in one notice, and no bytes are given back twice.
func TestDeleteIsToldToTakers(t *testing.T) {
	s, _ := streamToDelete(t, blocktest.NewMemFS())
	var notices []actors.Notice
	taker, err := s.Notices(t.Context(), func(list []actors.Notice) { notices = append(notices, list...) })
	require.NoError(t, err)
	bytes := int64(stateOf(t, s).Bytes)
	require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
	<-taker.Done()
	require.Equal(t, []actors.Notice{
		{Reason: actors.NoticeRegistered, Bytes: bytes},
		{Reason: actors.NoticeDeleted, Messages: -filledWith, Bytes: -bytes},
	}, notices)
}

// TestDeleteInTheBackground returns when there is no stream any more, and what is left goes later; not if it cannot.
func TestDeleteInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s, config := streamToDelete(t, files)
		goOn := make(chan struct{})
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpRemove {
				return blocktest.Fault{Wait: func() { <-goOn }}
			}
			return blocktest.Fault{}
		})
		require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{Background: true}))
		require.Equal(t, []string{".delete-ORDERS"}, namesIn(t, files, "data"))
		close(goOn)
		synctest.Wait()
		require.Empty(t, namesIn(t, files, "data"))

		files.SetHook(nil)
		s, err := actors.Open(t.Context(), quiet, config)
		require.NoError(t, err)
		require.NoError(t, s.Stop(t.Context()))
		var log bytes.Buffer
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpRemove {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		require.NoError(t, actors.Delete(t.Context(), "data", "ORDERS", actors.DeleteOptions{
			Background: true, FS: files, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}))
		synctest.Wait()
		require.Contains(t, log.String(), "cannot remove what is left")
		require.Equal(t, []string{".delete-ORDERS"}, namesIn(t, files, "data"))
		files.SetHook(nil)
		require.NoError(t, actors.Delete(t.Context(), "data", "ORDERS", actors.DeleteOptions{FS: files}), "what is left is enough")
		require.Empty(t, namesIn(t, files, "data"))
	})
}

// TestDeleteWhileSomebodyMakesFiles tries again for about a second.
func TestDeleteWhileSomebodyMakesFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := blocktest.NewMemFS()
		files := blocktest.NewFaultFS(mem)
		s, _ := streamToDelete(t, files)
		left := 50
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpRemove && op.Name == filepath.Join("data", ".delete-ORDERS") && left > 0 {
				left--
				file, err := mem.OpenFile(filepath.Join(op.Name, "foreign"), blockio.ModeReplace)
				return blocktest.Fault{Err: errors.Join(err, file.Close())}
			}
			return blocktest.Fault{}
		})
		require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
		require.Zero(t, left)
		require.Empty(t, namesIn(t, mem, "data"))
	})
}

// TestDeleteTouchesNoFolderThatIsNotAStream, and none that a store has open.
func TestDeleteTouchesNoFolderThatIsNotAStream(t *testing.T) {
	dir := t.TempDir()
	write := func(path, content string) {
		t.Helper()
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	write("EMPTY/x", "")
	require.NoError(t, os.Remove(filepath.Join(dir, "EMPTY", "x")))
	write("PHOTOS/holidays.jpg", "x")
	write("NOTES/meta.inf", "what I wanted to say")
	write("HALF/meta.inf", "")
	write("MAIL/msgs/1.eml", "x")
	write("BESIDE/msgs/1.blk", "")
	write("BESIDE/thesis.txt", "x")
	write("file", "x")
	for _, name := range []string{"EMPTY", "PHOTOS", "NOTES", "HALF", "MAIL", "BESIDE"} {
		require.ErrorIs(t, actors.Delete(t.Context(), dir, name, actors.DeleteOptions{}), actors.ErrNoStream, name)
		require.DirExists(t, filepath.Join(dir, name))
	}
	require.Error(t, actors.Delete(t.Context(), dir, "file", actors.DeleteOptions{}))
	require.FileExists(t, filepath.Join(dir, "file"))
	for _, name := range []string{"", ".", "..", "a/b", ".delete-X", "*"} {
		require.ErrorIs(t, actors.Delete(t.Context(), dir, name, actors.DeleteOptions{}), actors.ErrConfig, name)
	}
	require.ErrorIs(t, actors.Delete(t.Context(), "", "ORDERS", actors.DeleteOptions{}), actors.ErrConfig)
	require.ErrorIs(t, actors.Delete(t.Context(), dir, "NONE", actors.DeleteOptions{}), fs.ErrNotExist)

	s := open(t, actors.Config{Dir: dir})
	require.ErrorIs(t, actors.Delete(t.Context(), dir, "ORDERS", actors.DeleteOptions{}), actors.ErrLocked)
	mustStore(t, s, "a", "there")
	require.NoError(t, s.Stop(t.Context()))

	// Streams, though their configuration is lost.
	write("LOST/msgs/1.blk", "")
	write("LOCKED/millrace.lock", "")
	for _, name := range []string{"ORDERS", "LOST", "LOCKED"} {
		require.NoError(t, actors.Delete(t.Context(), dir, name, actors.DeleteOptions{}), name)
		require.NoDirExists(t, filepath.Join(dir, name))
	}
	reader := openToFail(t, actors.Config{Dir: dir, Name: "OTHER"})
	require.NoError(t, reader.Stop(t.Context()))
	reader = openToFail(t, actors.Config{Dir: dir, Name: "OTHER", ReadOnly: true})
	require.ErrorIs(t, reader.Delete(t.Context(), actors.DeleteOptions{}), actors.ErrReadOnly)
	require.NoError(t, reader.Ready(t.Context()), "and it goes on")
	require.ErrorIs(t, newClient(t, 1).ask(t, reader, &actors.DeleteRequest{}).(*actors.DeleteReply).Err, actors.ErrReadOnly)
}

// TestACrashWhileAStreamIsDeleted, at every operation: the stream is as it was, or there is none, and then nothing is
// left when the next one of the name has been opened. When Delete has returned, there is none.
func TestACrashWhileAStreamIsDeleted(t *testing.T) {
	deletions := map[string]func(t *testing.T, s *actors.Store, c actors.Config) error{
		"open": func(t *testing.T, s *actors.Store, _ actors.Config) error {
			return s.Delete(t.Context(), actors.DeleteOptions{})
		},
		"stopped": func(t *testing.T, s *actors.Store, c actors.Config) error {
			require.NoError(t, s.Stop(t.Context()))
			return actors.Delete(t.Context(), c.Dir, c.Name, actors.DeleteOptions{FS: c.FS})
		},
	}
	for name, deletion := range deletions {
		t.Run(name, func(t *testing.T) {
			mem := blocktest.NewMemFS()
			files := blocktest.NewFaultFS(mem)
			s, config := streamToDelete(t, files)
			rng := rand.New(rand.NewSource(1))
			crashes := func(check func(what string, image *blocktest.MemFS)) func(blocktest.Op) blocktest.Fault {
				return func(op blocktest.Op) blocktest.Fault {
					if changesFiles(op.Kind) {
						for _, mode := range blocktest.CrashModes {
							check(fmt.Sprintf("before %v, %v", op, mode), mem.CrashImage(mode, rng))
						}
					}
					return blocktest.Fault{}
				}
			}
			var images []removalsImage
			files.SetHook(crashes(func(what string, image *blocktest.MemFS) {
				images = append(images, removalsImage{what: what, mem: image})
			}))
			require.NoError(t, deletion(t, s, config))
			files.SetHook(nil)
			there, gone := 0, 0
			look := func(what string, image *blocktest.MemFS, mustBeGone bool) {
				config.FS = image
				s, err := actors.Open(t.Context(), quiet, config)
				require.NoError(t, err, what)
				require.Equal(t, []string{"ORDERS"}, namesIn(t, image, "data"), what)
				switch n := stateOf(t, s).Messages; {
				case n == filledWith && !mustBeGone:
					there++
				case n == 0:
					gone++
				default:
					require.Fail(t, what, "%d messages", n)
				}
				require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
				require.Empty(t, namesIn(t, image, "data"), what)
			}
			for i, x := range images {
				// A share crashes again, while the next one of the name is opened.
				if i%7 == 0 {
					second := blocktest.NewFaultFS(x.mem.Clone())
					left := rng.Intn(30)
					second.SetHook(func(op blocktest.Op) blocktest.Fault {
						if left--; left == 0 {
							second.Crash()
						}
						return blocktest.Fault{}
					})
					config.FS = second
					if s, err := actors.Open(t.Context(), quiet, config); err == nil {
						_ = s.Stop(t.Context())
					}
				}
				look(x.what, x.mem, false)
			}
			for _, mode := range blocktest.CrashModes {
				look("afterwards, "+mode.String(), mem.CrashImage(mode, rng), true)
			}
			require.NotZero(t, there)
			require.NotZero(t, gone)
		})
	}
}

// TestAFaultWhileAStreamIsDeleted, of every call: the error is told, the next attempt comes to the end, and nothing is
// left open.
func TestAFaultWhileAStreamIsDeleted(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		for kind := blocktest.OpOpen; kind <= blocktest.OpStat; kind++ {
			for at, more := 0, true; more; at++ {
				more = false
				synctest.Test(t, func(t *testing.T) {
					files := blocktest.NewFaultFS(blocktest.NewMemFS())
					s, config := streamToDelete(t, files)
					if stopped {
						require.NoError(t, s.Stop(t.Context()))
					}
					n := 0
					var failed blocktest.Op
					files.SetHook(func(op blocktest.Op) blocktest.Fault {
						if op.Kind == kind {
							if n++; n == at+1 {
								more, failed = true, op
								return blocktest.Fault{Err: blocktest.ErrIO}
							}
						}
						return blocktest.Fault{}
					})
					err := s.Delete(t.Context(), actors.DeleteOptions{})
					files.SetHook(nil)
					if err != nil {
						require.ErrorIs(t, err, blocktest.ErrIO, "%v", failed)
					}
					if err != nil && !errors.Is(err, actors.ErrOutcomeUnknown) && stateOf(t, s).Messages > 0 {
						again, err := actors.Open(t.Context(), quiet, config)
						require.NoError(t, err, "%v", failed)
						require.EqualValues(t, filledWith, stateOf(t, again).Messages, "%v", failed)
						require.NoError(t, again.Stop(t.Context()))
					}
					require.NoError(t, s.Delete(context.Background(), actors.DeleteOptions{}), "%v", failed)
					require.Empty(t, namesIn(t, files, "data"), "%v", failed)
				})
			}
		}
	}
}
