package actors_test

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// The tests in rows_*_test.go are the rows of docs/behaviours.md, each a subtest of its name.

// world is what a row is about: a stream in memory, and a clock that moves only when the row says so. Its messages take
// 1,000 bytes each, three of them a block, and come a second apart, so the time of a sequence is as many seconds.
type world struct {
	*testing.T
	s      *actors.Store
	config actors.Config
	begin  time.Time
	heard  *heard
	looks  atomic.Int64 // at the clock
	ahead  atomic.Int64 // what it shows more than the time, in nanoseconds
}

// behaves runs a row, over a stream of the configuration that set changes.
func behaves(t *testing.T, name string, set func(*actors.Config), do func(r *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { behave(t, set, do) })
}

// behave runs a row at each sync level, or at the one that set asks for.
func behave(t *testing.T, set func(*actors.Config), do func(r *world)) {
	for _, level := range levels {
		synctest.Test(t, func(t *testing.T) {
			r := &world{T: t, config: inMemory(), begin: time.Now()}
			r.config.Name, r.config.Sync = "ORDERS", level
			r.config.Runtime = actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time {
				r.looks.Add(1)
				return time.Now().Add(time.Duration(r.ahead.Load()))
			}})
			if set != nil {
				set(&r.config)
			}
			if r.config.Sync != level {
				return
			}
			t.Log("at level", level)
			r.s = open(t, r.config)
			do(r)
			r.stop()
		})
	}
}

// foo stores n messages, odd ones of foo.A, even ones of foo.B.
func (r *world) foo(n int) {
	r.Helper()
	for i := 1; i <= n; i++ {
		r.put([]string{"foo.B", "foo.A"}[i%2])
	}
}

// put stores a message of each subject, also of the empty one, which only raw messages have.
func (r *world) put(subjects ...string) {
	r.Helper()
	for _, subject := range subjects {
		waitFor(time.Second)
		store := mustStore
		if subject == "" {
			store = mustStoreRaw
		}
		store(r.T, r.s, subject, strings.Repeat("x", 970-len(subject)))
	}
}

// is wants the stream to be: messages, bytes, first sequence and its time, last sequence and its time, what is deleted
// in between, subjects. Times are in seconds; - is none.
func (r *world) is(want string) {
	r.Helper()
	requireShape(r.T, r.s, r.begin, want)
}

func requireShape(t *testing.T, s *actors.Store, begin time.Time, want string) {
	t.Helper()
	full, err := s.State(t.Context())
	require.NoError(t, err)
	at := func(when time.Time) string {
		if when.IsZero() {
			return "-"
		}
		return fmt.Sprint(when.Sub(begin).Seconds())
	}
	deleted := []uint64{}
	for sequence := range actors.Sequences(full.DeletedRanges) {
		deleted = append(deleted, sequence)
	}
	require.Equal(t, want, fmt.Sprintf("%d %d %d@%s %d@%s %v %d", full.Messages, full.Bytes, full.FirstSequence, at(full.FirstTime),
		full.LastSequence, at(full.LastTime), deleted, full.Subjects))
	require.Zero(t, full.LostMessages)
	requireInvariants(t, s)
	for _, sequence := range deleted {
		_, err := s.LoadMsg(t.Context(), sequence)
		require.ErrorIs(t, err, actors.ErrNotFound)
	}
}

// stays wants the stream to be so now, after a loss of power that takes all files which can be made again, and after a
// stop.
func (r *world) stays(want string) {
	r.Helper()
	r.is(want)
	r.crashed(func(s *actors.Store) { requireShape(r.T, s, r.begin, want) })
	r.reopen(nil)
	r.is(want)
}

// crashed opens what a loss of power leaves now, without any file that can be made again.
func (r *world) crashed(check func(s *actors.Store)) {
	r.Helper()
	config := r.config
	config.FS = r.powerLoss()
	s := open(r.T, config)
	check(s)
	require.NoError(r, s.Stop(r.Context()))
}

// powerLoss is what a loss of power leaves now, without any file that can be made again.
func (r *world) powerLoss() blockio.FS {
	r.Helper()
	if r.config.Sync != actors.SyncAlways {
		require.NoError(r, r.s.Flush(r.Context()))
	}
	image := r.disk().CrashImage(blocktest.DropUnsynced, rand.New(rand.NewSource(1)))
	blocks := filepath.Join(r.config.Dir, r.config.Name, "msgs")
	entries, err := image.ReadDir(blocks)
	require.NoError(r, err)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name, ".blk") {
			require.NoError(r, image.Remove(filepath.Join(blocks, entry.Name)))
		}
	}
	return image
}

func (r *world) disk() *blocktest.MemFS { return r.config.FS.(*blocktest.MemFS) }

func (r *world) stop() {
	r.Helper()
	require.NoError(r, r.s.Stop(r.Context()))
}

// reopen stops the stream and opens it with a configuration that set changes.
func (r *world) reopen(set func(*actors.Config)) {
	r.Helper()
	r.stop()
	if set != nil {
		set(&r.config)
	}
	r.s = open(r.T, r.config)
}

// update changes the configuration while the stream is open, to what set makes of one that names nothing.
func (r *world) update(set func(*actors.Config)) {
	r.Helper()
	config := actors.Config{Name: r.config.Name}
	set(&config)
	require.NoError(r, r.s.UpdateConfig(r.Context(), config))
}

// listen begins to hear notices.
func (r *world) listen() {
	r.Helper()
	r.heard = listen(r.T, r.Context(), r.s)
	r.heard.take(r.T)
}

// hears wants these notices since the last time, or since listen.
func (r *world) hears(want ...string) {
	r.Helper()
	require.Equal(r, want, r.heard.take(r.T))
}

// live wants these messages.
func (r *world) live(want ...uint64) {
	r.Helper()
	require.Equal(r, want, liveOf(r.T, r.s))
}

// removes runs what removes messages, and wants it to have removed so many.
func (r *world) removes(want uint64) func(removed uint64, err error) {
	return func(removed uint64, err error) {
		r.Helper()
		require.NoError(r, err)
		require.Equal(r, want, removed)
	}
}

// wakesNobody wants nothing to be due within so long, but for what comes of the calls before it.
func (r *world) wakesNobody(within time.Duration) {
	r.Helper()
	waitFor(3 * time.Minute) // what is known of the stream is written
	before := r.looks.Load()
	waitFor(within)
	require.Equal(r, before, r.looks.Load(), "the stream has looked at the clock")
}

// blockBytes returns the size of a block's file, 0 when there is none.
func (r *world) blockBytes(id int) int64 {
	r.Helper()
	entries, err := r.config.FS.ReadDir(filepath.Join(r.config.Dir, r.config.Name, "msgs"))
	require.NoError(r, err)
	for _, entry := range entries {
		if entry.Name == fmt.Sprint(id, ".blk") {
			return entry.Size
		}
	}
	return 0
}
