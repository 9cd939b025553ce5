package millracestorage

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

var (
	queueMegabytes = flag.Int("queue.mb", 0, "how much goes through the queue of TestAQueueTakesTwiceItsLength, in MB, on the disk; 0 is the short form, in memory")
	queueWaiting   = flag.Int("queue.waiting", 200, "how much waits in that queue at most, in MB")
	queueFSync     = flag.Bool("queue.fsync", false, "whether that queue is synced")
	queueSeed      = flag.Uint64("queue.seed", 1, "the seed of the sizes and of the length of that queue")
)

// TestAQueueTakesTwiceItsLength has a queue whose length goes up and down: all along its files take at most twice what
// waits and some blocks. The short form has a clock of its own, in which whatever is compacted in the background is done
// before the next item comes. On a disk what was taken within the last two seconds may still be there: the tombstones
// live for one, and a compaction takes time.
func TestAQueueTakesTwiceItsLength(t *testing.T) {
	if *queueMegabytes > 0 {
		dir := t.TempDir()
		c := newClient(t, newTest(t, nil, func(c *Config) { c.Directory, c.FSync = dir, *queueFSync }), "a", "")
		q := newQueue(c, 1<<20)
		q.upAndDown(t, *queueMegabytes<<20, *queueWaiting<<20, blockSize, 2*time.Second, func() int { return filesBytes(t, dir) })
		return
	}
	synctest.Test(t, func(t *testing.T) {
		extension := newExtension(zap.NewNop(), &Config{Directory: "/storage", fs: blocktest.NewMemFS(), blockSize: 64 << 10})
		defer func() { require.NoError(t, extension.Shutdown(t.Context())) }()
		opened, err := extension.GetClient(t.Context(), component.KindReceiver, testID("a"), "")
		require.NoError(t, err)
		q := newQueue(opened.(*client), 16<<10)
		q.pause = func() { <-time.After(2 * time.Millisecond) }
		q.upAndDown(t, 12<<20, 2<<20, 64<<10, 0, func() int {
			usage, err := q.client.store.DiskUsage(t.Context())
			require.NoError(t, err)
			return int(usage.Total())
		})
	})
}

// longQueue is the queue of an exporter on a client: items of random sizes, and a length that goes up and down.
type longQueue struct {
	client        *client
	random        *rand.Rand
	pause         func() // before each item; may be nil
	noise         []byte // what items are cut from
	largest       int    // item
	first, behind int    // items that wait, by number
	sizes         []int  // of these
	live, through int    // bytes of what waits, and of what was put in
	taken         []takenItem
}

// takenItem is an item that was deleted: its tombstone lives for a second.
type takenItem struct {
	at   time.Time
	size int
}

func newQueue(c *client, largest int) *longQueue {
	q := &longQueue{client: c, random: rand.New(rand.NewPCG(*queueSeed, 0)), largest: largest, noise: make([]byte, 2*largest)}
	for i := range q.noise {
		q.noise[i] = byte(q.random.Uint32())
	}
	return q
}

// put is what an exporter does for an item that comes: it is stored with the number of the next one.
func (q *longQueue) put(t *testing.T) {
	if q.pause != nil {
		q.pause()
	}
	size := q.largest/16 + q.random.IntN(q.largest-q.largest/16)
	from := q.random.IntN(len(q.noise) - size)
	item := fmt.Sprint(q.behind)
	q.behind++
	require.NoError(t, q.client.Batch(t.Context(),
		storage.SetOperation("wi", fmt.Append(nil, q.behind)), storage.SetOperation(item, q.noise[from:from+size])))
	q.sizes = append(q.sizes, size)
	q.live += size
	q.through += size
}

// take is what it does for an item that goes: it is read and deleted with the number of the next one.
func (q *longQueue) take(t *testing.T) {
	item := fmt.Sprint(q.first)
	q.first++
	read := storage.GetOperation(item)
	require.NoError(t, q.client.Batch(t.Context(), storage.SetOperation("ri", fmt.Append(nil, q.first)), read, storage.DeleteOperation(item)))
	require.Len(t, read.Value, q.sizes[0], "item %s", item)
	q.taken = append(q.taken, takenItem{time.Now(), q.sizes[0]})
	q.live -= q.sizes[0]
	q.sizes = q.sizes[1:]
}

// takenSince sums what was taken lately.
func (q *longQueue) takenSince(age time.Duration) (sum int) {
	for len(q.taken) > 0 && time.Since(q.taken[0].at) > age {
		q.taken = q.taken[1:]
	}
	for _, item := range q.taken {
		sum += item.size
	}
	return sum
}

// move puts items in at one end and takes some out at the other, so that the queue grows or shrinks.
func (q *longQueue) move(t *testing.T, grows bool) {
	for range 1 + q.random.IntN(3) {
		if grows {
			q.put(t)
		} else if q.live > 0 {
			q.take(t)
		}
	}
	if !grows {
		q.put(t)
	} else if q.live > 0 {
		q.take(t)
	}
}

// upAndDown has a queue grow and shrink between an eighth of what may wait and all of it, until so much went through, and
// then drains it. It looks how much the files have all along.
func (q *longQueue) upAndDown(t *testing.T, through, waiting, block int, tombstones time.Duration, files func() int) {
	worst, looked, report := 0.0, 0, 0
	look := func() {
		looked = q.through
		used, taken := files(), q.takenSince(tombstones)
		ratio := float64(used) / float64(q.live)
		if q.live >= waiting/2 {
			worst = max(worst, ratio)
		}
		if q.through >= report {
			report = q.through + through/20
			t.Logf("after %d MB: %d KB wait, %d KB were taken lately, the files have %d KB: %.2f times", q.through>>20, q.live>>10, taken>>10, used>>10, ratio)
		}
		require.LessOrEqual(t, used, 2*q.live+8*block+taken, "after %d MB, %d KB wait, %d KB were taken lately", q.through>>20, q.live>>10, taken>>10)
	}
	for q.through < through {
		length := waiting/8 + q.random.IntN(waiting-waiting/8)
		for grows := length > q.live; grows == (length > q.live); {
			if q.move(t, grows); q.through-looked > 2*block {
				look()
			}
		}
	}
	t.Logf("%d MB went through in %d items; while half of the queue or more waited, the files had %.2f times that at the worst", q.through>>20, q.behind, worst)
	for q.live > 0 {
		q.take(t)
	}
	for files() > 3*block {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("the queue is empty, and its files have %d bytes", files())
		}
	}
}

// filesBytes sums the sizes of the files below a folder. Files come and go meanwhile.
func filesBytes(t *testing.T, dir string) (sum int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				sum += int(info.Size())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
	return sum
}
