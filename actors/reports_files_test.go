package actors_test

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// Here is what users of other stores reported about files, and no other test shows: docs/pitfalls.md.

// hangingRewrites is a stream of 40 messages of the subjects a and b, four to a block, of which the first file that
// is to take the place of a block, compressed, hangs until goOn is closed.
func hangingRewrites(t *testing.T, level actors.SyncLevel) (s *actors.Store, config actors.Config, disk *blocktest.MemFS, goOn chan struct{}) {
	t.Helper()
	disk = blocktest.NewMemFS()
	fault := blocktest.NewFaultFS(disk)
	config = actors.Config{Dir: "data", Name: "ORDERS", FS: fault, Sync: level, BlockSize: 8 << 10, IndexFrom: 1}
	s = open(t, config)
	for i := 1; i <= 40; i++ {
		mustStore(t, s, []string{"b", "a"}[i%2], strings.Repeat("order ", 300))
	}
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	hangs, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fault.SetHook(func(op blocktest.Op) (f blocktest.Fault) {
		if op.Kind == blocktest.OpSync && strings.HasSuffix(op.Name, ".rewrite.tmp") {
			once.Do(func() { f.Wait = func() { close(hangs); <-goOn } })
		}
		return f
	})
	config.Compression = actors.On
	require.NoError(t, s.UpdateConfig(t.Context(), config))
	<-hangs
	return s, config, disk, goOn
}

// TestWhatIsRemovedWhileItsBlockIsCompressed does not come back with the file that takes the place of the block's: not at
// once, not after a stop, and not from the blocks alone after a loss of power.
func TestWhatIsRemovedWhileItsBlockIsCompressed(t *testing.T) {
	without := func(gone func(sequence uint64) bool) (live []uint64) {
		for sequence := uint64(1); sequence <= 40; sequence++ {
			if !gone(sequence) {
				live = append(live, sequence)
			}
		}
		return live
	}
	removed := func(_ any, err error) error { return err }
	for _, row := range []struct {
		name   string
		waits  bool // for the file
		remove func(t *testing.T, s *actors.Store, config actors.Config) error
		live   []uint64
	}{
		{"purge", false, func(t *testing.T, s *actors.Store, _ actors.Config) error { return removed(s.Purge(t.Context())) }, nil},
		{"purge of a subject", false, func(t *testing.T, s *actors.Store, _ actors.Config) error {
			return removed(s.PurgeEx(t.Context(), actors.Literal("a"), 0, 0))
		}, without(func(n uint64) bool { return n%2 == 1 })},
		{"compact", false, func(t *testing.T, s *actors.Store, _ actors.Config) error { return removed(s.Compact(t.Context(), 31)) }, sequences(31, 40)},
		{"compact within each block", false, func(t *testing.T, s *actors.Store, _ actors.Config) error {
			return removed(s.Compact(t.Context(), 3))
		}, sequences(3, 40)},
		{"remove", false, func(t *testing.T, s *actors.Store, _ actors.Config) error {
			mustRemove(t, s, sequences(2, 39)...)
			return nil
		}, []uint64{1, 40}},
		{"erase", true, func(t *testing.T, s *actors.Store, _ actors.Config) error {
			for _, sequence := range []uint64{1, 2, 9, 20} {
				if _, err := s.EraseMsg(t.Context(), sequence); err != nil {
					return err
				}
			}
			return nil
		}, without(func(n uint64) bool { return n == 1 || n == 2 || n == 9 || n == 20 })},
		{"a limit", false, func(t *testing.T, s *actors.Store, config actors.Config) error {
			config.MaxMsgs = 6
			return s.UpdateConfig(t.Context(), config)
		}, sequences(35, 40)},
		{"truncate", true, func(t *testing.T, s *actors.Store, _ actors.Config) error { return removed(s.Truncate(t.Context(), 2)) }, sequences(1, 2)},
		{"what another copy has deleted", false, func(t *testing.T, s *actors.Store, _ actors.Config) error {
			return removed(s.SyncDeleted(t.Context(), []actors.SequenceRange{{First: 1, Last: 30}}))
		}, sequences(31, 40)},
	} {
		t.Run(row.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				s, config, disk, goOn := hangingRewrites(t, level)
				done := make(chan error, 1)
				go func() { done <- row.remove(t, s, config) }()
				if !row.waits {
					eventually(t, func() bool { return stateOf(t, s).Messages == uint64(len(row.live)) })
				}
				close(goOn)
				require.NoError(t, <-done)
				require.NoError(t, s.Flush(t.Context()))
				eventually(t, func() bool { return s.Stats().Unindexed == 0 })
				require.Equal(t, row.live, liveOf(t, s), "at once")
				stop(t, s)
				image := disk.CrashImage(blocktest.DropUnsynced, rand.New(rand.NewSource(1)))
				for _, files := range []blockio.FS{config.FS, image} {
					config.FS, config.MaxMsgs = files, -1
					s := open(t, config)
					require.Equal(t, row.live, liveOf(t, s))
					requireInvariants(t, s)
					eventually(t, func() bool { return s.Stats().Unindexed == 0 })
					require.Equal(t, row.live, liveOf(t, s))
					stop(t, s)
				}
			})
		})
	}
}

// TestTTLsOfAllBlocksEndWhileTheStreamIsClosed, with the file of TTLs that a server leaves, with an older one, with one
// that knows of messages which are gone, and without.
func TestTTLsOfAllBlocksEndWhileTheStreamIsClosed(t *testing.T) {
	second := func(n int) int64 { return int64(n) * int64(time.Second) }
	for _, row := range []struct {
		name string
		file func(begin int64) *streamstate.TTLs
	}{
		{"without", func(int64) *streamstate.TTLs { return nil }},
		{"with it", func(begin int64) *streamstate.TTLs {
			t := &streamstate.TTLs{Next: 13}
			for i := 1; i <= 12; i += 2 {
				t.Entries = append(t.Entries, streamstate.TTL{At: begin + second(60+i), Sequence: uint64(i)})
			}
			return t
		}},
		{"older", func(begin int64) *streamstate.TTLs {
			return &streamstate.TTLs{Next: 4, Entries: []streamstate.TTL{{At: begin + second(61), Sequence: 1}, {At: begin + second(63), Sequence: 3}}}
		}},
		{"of what is gone", func(begin int64) *streamstate.TTLs {
			return &streamstate.TTLs{Next: 4, Entries: []streamstate.TTL{
				{At: begin + second(1), Sequence: 100}, {At: begin + second(61), Sequence: 1}, {At: begin + second(63), Sequence: 3},
			}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			behave(t, allowTTLs, func(r *world) {
				for i := 1; i <= 12; i++ { // odd ones live for a minute
					waitFor(time.Second)
					var options []actors.StoreOption
					if i%2 == 1 {
						options = append(options, actors.TTL(time.Minute))
					}
					_, err := r.s.StoreMsg(r.Context(), "a", nil, []byte(strings.Repeat("x", 900)), options...)
					require.NoError(r, err)
				}
				require.Greater(r, r.s.Stats().Blocks, uint64(2))
				r.stop()
				path := filepath.Join(r.config.Dir, r.config.Name, "msgs", blockio.TTLFile)
				if file := row.file(r.begin.UnixNano()); file != nil {
					require.NoError(r, blockio.ReplaceFile(r.config.FS, path, file.Append(nil)))
				}
				waitFor(65*time.Second - 12*time.Second) // what was stored in the first five seconds is over
				r.s = open(r.T, r.config)
				waitFor(300 * time.Millisecond)
				r.live(2, 4, 6, 7, 8, 9, 10, 11, 12)
				waitFor(time.Minute)
				r.stays("6 5586 2@2 12@12 [3 5 7 9 11] 1")
			})
		})
	}
}

// TestCompactedBlocksAreCompressed again, and read as before, whatever of them went.
func TestCompactedBlocksAreCompressed(t *testing.T) {
	config := compressionConfig(t)
	s := open(t, config)
	n := &naive{}
	for i := range 600 {
		subject, payload := fmt.Sprintf("s.%d", i%7), string(noise(i, 200))+strings.Repeat("order ", 60)
		ack := mustStore(t, s, subject, payload)
		n.add(record{sequence: ack.Sequence, time: ack.Time, subject: subject, payload: payload})
	}
	require.NoError(t, s.Flush(t.Context()))
	compressed := func() bool { return s.Stats().Unindexed == 0 && plainFiles(t, config) <= 1 }
	eventually(t, compressed)
	middle := func() (size int64) { // of blocks of which a quarter stays
		for id := 4; id <= 8; id++ {
			if info, err := os.Stat(blockPath(config, id)); err == nil {
				size += info.Size()
			}
		}
		return size
	}
	before := middle()
	for sequence := uint64(100); sequence < 500; sequence++ {
		if sequence%4 != 0 {
			mustRemove(t, s, sequence)
			n.remove(sequence)
		}
	}
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return middle() < before*2/3 && compressed() })
	require.NotContains(t, compressedFiles(t, config)[:8], false)
	checkEverything(t, s, n)
	stop(t, s)
	dropIndexFiles(t, config)
	checkEverything(t, open(t, config), n)
}
