package actors_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

var removalScale = flag.Int("removals.scale", 1, "how many times as much the tests of removals at scale do; 50 is a million subjects")

// heapPeak samples the bytes of live objects, as each collection finds them, until stop is called, which returns the
// highest number. What is garbage by then is not counted: how much of that there is, is up to how soon the collector gets
// a processor, and to what other tests have left.
func heapPeak() (stop func() int64) {
	var peak int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		calm := sample[1].Value.Uint64() + 8<<20
		for {
			if metrics.Read(sample); sample[1].Value.Uint64() > calm {
				runtime.GC()
				metrics.Read(sample)
			}
			peak = max(peak, int64(sample[0].Value.Uint64()))
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return peak
	}
}

// TestAPurgeOfManySubjects by a filter that does not select everything is one operation, whose memory is in proportion
// to the messages, and small: none of it stays.
func TestAPurgeOfManySubjects(t *testing.T) {
	n := 20_000 * *removalScale
	config := actors.Config{Dir: t.TempDir(), Sync: actors.SyncNever}
	s := open(t, config)
	empty := heap()
	p := s.Pipeline(4096, nil)
	for i := range n {
		_, err := p.Store(t.Context(), fmt.Sprintf("k.%d", i), nil, []byte("payload"))
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	stays := mustStore(t, s, "stays", "x").Sequence
	require.NoError(t, s.Flush(t.Context()))
	full := heap()
	stop := heapPeak()
	removed, err := s.PurgeEx(t.Context(), actors.Filter("k.>"), 0, 0)
	peak := stop() - full
	require.NoError(t, err)
	require.Equal(t, uint64(n), removed)
	require.NoError(t, s.Flush(t.Context()))
	after := heap() - empty
	t.Logf("%d subjects: %d bytes a subject while they are purged, %d bytes in all after that", n, peak/int64(n), after)
	require.Less(t, peak, int64(n)*1000+32<<20)
	require.Less(t, after, int64(n)*64+8<<20)
	for range 2 {
		state := stateOf(t, s)
		require.Equal(t, uint64(1), state.Messages)
		require.Equal(t, uint64(1), state.Subjects)
		require.Equal(t, stays, state.FirstSequence)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
	}
}

// TestATruncationInTheMiddleOfGroups: stores are on their way before it and behind it, many at a time, at every level.
// Each gets the sequence that is its turn, and nothing of what was cut off is left, on the disk or in memory.
func TestATruncationInTheMiddleOfGroups(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		const window = 400
		config := actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 64 << 10}
		s := open(t, config)
		c := newClient(t, window)
		base := heap()
		var live []string
		var wants []uint64
		took := 0
		take := func() {
			switch r := within(t, c.replies).(type) {
			case *actors.StoreReply:
				require.NoError(t, r.Err)
				require.Equal(t, wants[took], r.Ack.Sequence)
			case *actors.PurgeReply:
				require.NoError(t, r.Err)
				require.Equal(t, wants[took], r.Removed)
			}
			took++
		}
		for i := range 6000 * *removalScale {
			var request any
			if i%300 == 299 {
				above := len(live) - 70
				request = &actors.TruncateRequest{Sequence: uint64(above)}
				wants, live = append(wants, uint64(len(live)-above)), live[:above]
			} else {
				live = append(live, fmt.Sprintf("%d;%s", i, strings.Repeat("x", i%200)))
				request = &actors.StoreRequest{Subject: fmt.Sprintf("s.%d", i%50), Payload: []byte(live[len(live)-1])}
				wants = append(wants, uint64(len(live)))
			}
			quiet.Root.Send(c.pid, &send{s.PID(), request})
			for i-took >= window-1 {
				take()
			}
		}
		for took < len(wants) {
			take()
		}
		require.NoError(t, s.Flush(t.Context()))
		require.Less(t, heap()-base, int64(16<<20+1000*len(wants)))
		for range 2 {
			at := 0
			for m, err := range s.Messages(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, uint64(at+1), m.Sequence)
				require.Equal(t, live[at], string(m.Payload))
				at++
			}
			require.Equal(t, len(live), at)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
		}
	})
}

// TestACompactionUnderScanners: each of 24 readers sees all that stays, in order, while every block is written anew
// under it. The memory is that of the readers, whatever they hold open.
func TestACompactionUnderScanners(t *testing.T) {
	n := uint64(4000 * *removalScale)
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 32 << 10, Sync: actors.SyncInterval, NoPreallocation: true}
	s := open(t, config)
	p := s.Pipeline(1000, nil)
	for i := range n {
		_, err := p.Store(t.Context(), fmt.Sprintf("s.%d", (i+1)%10), nil, fmt.Appendf(nil, "%d;%s", i+1, strings.Repeat("x", 150)))
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	before, size := heap(), blockBytes(t, config)
	stop := heapPeak()
	var readers sync.WaitGroup
	var done atomic.Bool
	for range 24 {
		readers.Go(func() {
			for rounds := 0; rounds < 1 || !done.Load(); rounds++ {
				kept, last := uint64(0), uint64(0)
				for m, err := range s.Messages(t.Context(), actors.Borrowed()) {
					number, _, _ := strings.Cut(string(m.Payload), ";")
					if err != nil || m.Sequence <= last || number != fmt.Sprint(m.Sequence) {
						t.Errorf("message %d is %s, after %d: %v", m.Sequence, number, last, err)
						return
					}
					if last = m.Sequence; last%10 == 0 {
						kept++
					}
				}
				if kept != n/10 {
					t.Errorf("%d of %d messages that stay", kept, n/10)
					return
				}
			}
		})
	}
	for i := range 9 {
		removed, err := s.PurgeEx(t.Context(), actors.Filter(fmt.Sprintf("s.%d", i+1)), 0, 0)
		require.NoError(t, err)
		require.Equal(t, n/10, removed)
	}
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return blockBytes(t, config) < size/2 })
	done.Store(true)
	readers.Wait()
	peak := stop() - before
	t.Logf("%d messages, %d KiB at most", n, peak>>10)
	require.Less(t, peak, int64(64<<20))
	got, _ := collect(t, s)
	require.Len(t, got, int(n/10))
}
