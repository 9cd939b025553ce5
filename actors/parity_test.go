package actors_test

import (
	"fmt"
	"io"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// The tests here are what tests of a server's store ask of functions that it has inside, asked from outside:
// docs/parity.md names which.

// TestEverySequenceFindsItsBlock, of many blocks, when those at the head are gone, some in the middle have only
// removals, and skips are between them.
func TestEverySequenceFindsItsBlock(t *testing.T) {
	behave(t, nil, func(r *world) {
		r.foo(150) // three to a block
		_, err := r.s.Skip(r.Context(), 0, 20)
		require.NoError(r, err)
		r.foo(10)
		removed, err := r.s.SyncDeleted(r.Context(), []actors.SequenceRange{{First: 1, Last: 32}, {First: 61, Last: 90}, {First: 100, Last: 100}})
		require.NoError(r, err)
		require.Equal(r, uint64(63), removed)
		live := slices.Concat(sequences(33, 60), sequences(91, 99), sequences(101, 150), sequences(171, 180))
		check := func(s *actors.Store) {
			for from := uint64(0); from <= 181; from++ {
				i, _ := slices.BinarySearch(live, from)
				m, _, err := s.LoadNextMsg(r.Context(), from)
				if i == len(live) {
					require.Error(r, err, from)
				} else {
					require.NoError(r, err, from)
					require.Equal(r, live[i], m.Sequence, from)
				}
				_, err = s.LoadMsg(r.Context(), from) // 0 is the first
				require.Equal(r, from == 0 || i < len(live) && live[i] == from, err == nil, from)
			}
		}
		check(r.s)
		r.crashed(check)
		r.reopen(nil)
		check(r.s)
	})
}

// TestSubjectsGoWithTheirBlocks, one of each message.
func TestSubjectsGoWithTheirBlocks(t *testing.T) {
	behave(t, nil, func(r *world) {
		for i := range 60 {
			r.put(fmt.Sprintf("s.%d", i))
		}
		require.Equal(r, uint64(60), stateOf(r.T, r.s).Subjects)
		r.removes(30)(r.s.Compact(r.Context(), 31))
		check := func(s *actors.Store) {
			want := map[string]uint64{}
			for i := 30; i < 60; i++ {
				want[fmt.Sprintf("s.%d", i)] = 1
			}
			totals, err := s.SubjectsTotals(r.Context())
			require.NoError(r, err)
			require.Equal(r, want, totals)
			require.Equal(r, uint64(30), stateOf(r.T, s).Subjects)
		}
		check(r.s)
		r.crashed(check)
		r.reopen(nil)
		check(r.s)
	})
}

// TestKeysThatAreStoredTwiceAreOneMessageEach, without deletes between them, in the blocks that those take.
func TestKeysThatAreStoredTwiceAreOneMessageEach(t *testing.T) {
	behave(t, func(c *actors.Config) { c.MaxMsgsPer = 1 }, func(r *world) {
		for range 2 {
			for i := range 100 {
				r.put("kv." + string(rune('a'+i/10)) + string(rune('a'+i%10)))
			}
		}
		r.stays("100 100000 101@101 200@200 [] 100")
		require.LessOrEqual(r, r.s.Stats().Blocks, uint64(100/3+2))
	})
}

// TestASkipAloneIsNoDelete, also when only the blocks are left.
func TestASkipAloneIsNoDelete(t *testing.T) {
	behave(t, nil, func(r *world) {
		for i := range uint64(3) {
			_, err := r.s.Skip(r.Context(), i+1, 1)
			require.NoError(r, err)
		}
		state := stateOf(r.T, r.s)
		require.Equal(r, []uint64{0, 4, 3}, []uint64{state.Messages, state.FirstSequence, state.LastSequence})
		none := func(s *actors.Store) {
			deleted, err := s.Deleted(r.Context())
			require.NoError(r, err)
			require.Empty(r, deleted)
			require.Equal(r, uint64(4), stateOf(r.T, s).FirstSequence)
		}
		none(r.s)
		r.crashed(none)
		r.reopen(nil)
		none(r.s)
		r.put("a")
		r.is("1 1000 4@1 4@1 [] 1")
	})
}

// TestDeletesAreRanges that are apart, as few as there can be, whatever blocks they are in.
func TestDeletesAreRanges(t *testing.T) {
	type spans = []actors.SequenceRange
	behave(t, nil, func(r *world) {
		put := func(n int) {
			for range n { // each message fills a block
				waitFor(time.Second)
				mustStore(r.T, r.s, "a", strings.Repeat("x", 4000))
			}
		}
		is := func(want ...actors.SequenceRange) {
			r.Helper()
			check := func(s *actors.Store) {
				r.Helper()
				got, err := s.Deleted(r.Context())
				require.NoError(r, err)
				if len(want) > 0 || len(got) > 0 {
					require.Equal(r, spans(want), spans(got))
				}
			}
			check(r.s)
			r.crashed(check)
		}
		put(12)
		is()
		mustRemove(r.T, r.s, 3)
		is(actors.SequenceRange{First: 3, Last: 3})
		mustRemove(r.T, r.s, 7, 8)
		is(actors.SequenceRange{First: 3, Last: 3}, actors.SequenceRange{First: 7, Last: 8}) // two gaps
		mustRemove(r.T, r.s, 5, 6)
		is(actors.SequenceRange{First: 3, Last: 3}, actors.SequenceRange{First: 5, Last: 8}) // one grows
		mustRemove(r.T, r.s, 4)
		is(actors.SequenceRange{First: 3, Last: 8}) // they become one
		mustRemove(r.T, r.s, 12)
		is(actors.SequenceRange{First: 3, Last: 8}, actors.SequenceRange{First: 12, Last: 12}) // at the end
		mustRemove(r.T, r.s, 10)
		_, err := r.s.Skip(r.Context(), 13, 500)
		require.NoError(r, err)
		put(1)
		mixed := spans{{First: 3, Last: 8}, {First: 10, Last: 10}, {First: 12, Last: 512}}
		is(mixed...)
		r.reopen(nil)
		is(mixed...)
		mustRemove(r.T, r.s, 1)
		is(mixed...)
		mustRemove(r.T, r.s, 2)
		is(mixed[1:]...) // what is below the first is none
		r.removes(3)(r.s.Purge(r.Context()))
		is()
	})
	config := inMemory()
	s := open(t, config)
	var batch []actors.BatchMessage
	for range 20_000 {
		batch = append(batch, actors.BatchMessage{Subject: "a", Payload: []byte("x")})
	}
	for part := range slices.Chunk(batch, 1000) {
		_, err := s.StoreBatch(t.Context(), part)
		require.NoError(t, err)
	}
	_, err := s.SyncDeleted(t.Context(), spans{{First: 2, Last: 19_999}})
	require.NoError(t, err)
	deleted, err := s.Deleted(t.Context())
	require.NoError(t, err)
	require.Equal(t, spans{{First: 2, Last: 19_999}}, spans(deleted)) // hundreds of blocks without a message
}

// halted is where a snapshot goes that stays where it is until somebody lets it go on.
type halted struct {
	io.Writer
	reached chan struct{}
	goOn    chan struct{}
}

func (h *halted) Write(p []byte) (int, error) {
	if h.reached != nil {
		close(h.reached)
		h.reached = nil
		<-h.goOn
	}
	return h.Writer.Write(p)
}

// TestASnapshotHoldsNoMaintenanceUp: while one waits for its reader, what is stored is synced in time, and blocks that
// have become sparse are compacted.
func TestASnapshotHoldsNoMaintenanceUp(t *testing.T) {
	behave(t, func(c *actors.Config) { c.Sync, c.SyncEvery = actors.SyncInterval, 2*time.Second }, func(r *world) {
		r.foo(300)
		w := &halted{io.Discard, make(chan struct{}), make(chan struct{})}
		reached, done := w.reached, make(chan error)
		go func() {
			_, err := r.s.Snapshot(r.Context(), w, actors.SnapshotOptions{})
			done <- err
		}()
		<-reached
		before := filesOf(r)
		r.put("foo.A")
		for sequence := uint64(100); sequence < 200; sequence++ {
			if sequence%5 != 0 {
				mustRemove(r.T, r.s, sequence)
			}
		}
		waitFor(time.Minute)
		require.Less(r, filesOf(r), before-40_000)
		image := r.disk().CrashImage(blocktest.DropUnsynced, rand.New(rand.NewSource(1)))
		config := r.config
		config.FS = image
		s := open(r.T, config)
		require.Equal(r, stateOf(r.T, r.s), stateOf(r.T, s))
		require.NoError(r, s.Stop(r.Context()))
		close(w.goOn)
		require.NoError(r, <-done)
	})
}

// filesOf returns how long the block files are together.
func filesOf(r *world) (size int64) {
	r.Helper()
	entries, err := r.config.FS.ReadDir(filepath.Join(r.config.Dir, r.config.Name, "msgs"))
	require.NoError(r, err)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name, ".blk") {
			size += entry.Size
		}
	}
	return size
}

// TestLivesAreFoundAroundDamage: where TTLs are looked for in blocks of which records are damaged, are there twice, or
// are missing, the others expire all the same.
func TestLivesAreFoundAroundDamage(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(data []byte) []byte
	}{
		{"flipped in the middle", func(d []byte) []byte { d[len(d)/2] ^= 0x40; return d }},
		{"flipped in the first record", func(d []byte) []byte { d[40] ^= 0x40; return d }},
		{"cut", func(d []byte) []byte { return d[:len(d)*2/3] }},
		{"twice", func(d []byte) []byte { return append(d, d...) }},
		{"zeros", func(d []byte) []byte { clear(d[len(d)/3 : len(d)/2]); return d }},
		{"empty", func(d []byte) []byte { return nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			behave(t, func(c *actors.Config) { c.AllowMsgTTL = actors.On }, func(r *world) {
				for i := range 90 {
					_, err := r.s.StoreMsg(r.Context(), "a", nil, []byte(strings.Repeat("x", 200)), actors.TTL(time.Duration(30+i%3)*time.Second))
					require.NoError(r, err)
				}
				r.put("stays")
				require.Greater(r, r.s.Stats().Blocks, uint64(3))
				r.stop()
				path := filepath.Join(r.config.Dir, r.config.Name, "msgs", "2.blk")
				files := contentOf(r.T, r.config.FS, filepath.Dir(path))
				for name := range files {
					if !strings.HasSuffix(name, ".blk") {
						require.NoError(r, r.config.FS.Remove(name))
					}
				}
				text := string(row.damage([]byte(files[path])))
				put(r.T, r.config.FS, path, &text)
				r.s = open(r.T, r.config)
				require.Greater(r, stateOf(r.T, r.s).Messages, uint64(40))
				waitFor(time.Minute)
				r.live(91)
				require.Equal(r, uint64(1), stateOf(r.T, r.s).Messages)
			})
		})
	}
}

// TestABlockFileThatIsGoneAtAnOpen, the first, one in the middle or the last, costs its messages and no sequence. Of the
// last one they are lost and not deleted; of the others the blocks do not tell (docs/recovery.md).
func TestABlockFileThatIsGoneAtAnOpen(t *testing.T) {
	for _, row := range []struct {
		name, file string
		live       []uint64
	}{
		{"the first", "1.blk", sequences(4, 12)},
		{"in the middle", "3.blk", slices.Concat(sequences(1, 6), sequences(10, 12))},
		{"the last", "4.blk", sequences(1, 9)},
	} {
		t.Run(row.name, func(t *testing.T) {
			behave(t, nil, func(r *world) {
				r.foo(12)
				for range 2 {
					r.stop()
					_ = r.config.FS.Remove(filepath.Join(r.config.Dir, r.config.Name, "msgs", row.file))
					r.s = open(r.T, r.config)
					state := stateOf(r.T, r.s)
					require.Equal(r, []uint64{9, 12}, []uint64{state.Messages, state.LastSequence})
					if row.name == "the last" {
						require.Equal(r, uint64(3), state.LostMessages)
					}
					var got []uint64
					for m, err := range r.s.Messages(r.Context()) {
						if err != nil {
							require.ErrorIs(r, err, actors.ErrCorrupt)
							continue
						}
						got = append(got, m.Sequence)
					}
					require.Equal(r, row.live, got)
				}
				require.Equal(r, uint64(13), mustStore(r.T, r.s, "a", "next").Sequence)
			})
		})
	}
}
