package actors_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// heard collects notices.
type heard struct {
	*actors.NoticeTaker
	mu   sync.Mutex
	list []actors.Notice
}

func listen(t *testing.T, ctx context.Context, s *actors.Store) *heard {
	t.Helper()
	h := &heard{}
	taker, err := s.Notices(ctx, func(list []actors.Notice) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = append(h.list, list...)
	})
	require.NoError(t, err)
	h.NoticeTaker = taker
	return h
}

// take returns what was heard since the last time, once all that is due is.
func (h *heard) take(t *testing.T) []string {
	t.Helper()
	require.NoError(t, h.Wait(t.Context()))
	h.mu.Lock()
	defer h.mu.Unlock()
	list := describe(h.list)
	h.list = nil
	return list
}

func describe(list []actors.Notice) (texts []string) {
	for _, n := range list {
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%v %+d %+d %d %s", n.Reason, n.Messages, n.Bytes, n.Sequence, n.Subject)))
	}
	return texts
}

// TestNoticesOfWhatHappens are waiting when the call returns that has caused it, in order.
func TestNoticesOfWhatHappens(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level, MaxMsgs: 4})
		mustStore(t, s, "a", "0123456789")
		h := listen(t, t.Context(), s)
		require.Equal(t, []string{"registered +0 +41 0"}, h.take(t))
		for _, subject := range []string{"b", "a", "c", "a"} {
			mustStore(t, s, subject, "0123456789")
		}
		require.Equal(t, []string{
			"stored +1 +41 2 b", "stored +1 +41 3 a", "stored +1 +41 4 c", "max messages -1 -41 1 a", "stored +1 +41 5 a",
		}, h.take(t))
		removed, err := s.RemoveMsg(t.Context(), 4)
		require.NoError(t, err)
		require.True(t, removed)
		require.Equal(t, []string{"removed -1 -41 4 c"}, h.take(t))
		_, err = s.PurgeEx(t.Context(), actors.Filter("a"), 0, 0)
		require.NoError(t, err)
		require.Equal(t, []string{"purged -2 -82 0"}, h.take(t))
		_, err = s.Compact(t.Context(), 5)
		require.NoError(t, err)
		require.Equal(t, []string{"compacted -1 -41 0"}, h.take(t))
		mustStore(t, s, "a", "")
		_, err = s.Purge(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"stored +1 +31 6 a", "purged -1 -31 0"}, h.take(t))
		mustStore(t, s, "last", "")
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, []string{"stored +1 +34 7 last", "stopped +0 -34 0"}, h.take(t))
		<-h.Done()
		_, err = s.Notices(t.Context(), func([]actors.Notice) {})
		require.ErrorIs(t, err, actors.ErrStopped)
	})
}

// TestNoticesAndWatchesOfExpiry come from the store itself, one for each message.
func TestNoticesAndWatchesOfExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, actors.Config{
			Dir: "data", FS: blocktest.NewMemFS(), MaxAge: time.Second, Runtime: actors.NewRuntime(actors.RuntimeConfig{}),
		})
		for _, subject := range []string{"a", "b", "c"} {
			mustStore(t, s, subject, "")
		}
		h := listen(t, t.Context(), s)
		last, err := s.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(3), <-last)
		c := newClient(t, 10)
		require.Equal(t, &actors.Advanced{Last: 3}, c.ask(t, s, &actors.WatchRequest{}))
		h.take(t)
		<-last
		require.Equal(t, &actors.Advanced{Last: 3}, <-c.replies)
		require.Equal(t, []string{"max age -1 -31 1 a", "max age -1 -31 2 b", "max age -1 -31 3 c"}, h.take(t))
		require.Zero(t, stateOf(t, s).Messages)
	})
}

// TestATakerMayCallTheStore, also to store and to remove, and with the store busy.
func TestATakerMayCallTheStore(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level, MaxInFlight: 2})
		const n = 50
		var echoed atomic.Int64
		all := make(chan struct{})
		taker, err := s.Notices(t.Context(), func(list []actors.Notice) {
			for _, notice := range list {
				if notice.Reason != actors.NoticeStored || notice.Subject != "ask" {
					continue
				}
				if _, err := s.StoreMsg(t.Context(), "answer", nil, nil); err != nil {
					t.Error(err)
				}
				if _, err := s.RemoveMsg(t.Context(), notice.Sequence); err != nil {
					t.Error(err)
				}
				if echoed.Add(1) == n {
					close(all)
				}
			}
		})
		require.NoError(t, err)
		for range n {
			mustStore(t, s, "ask", "x")
		}
		<-all
		require.NoError(t, taker.Wait(t.Context()))
		require.Equal(t, uint64(n), stateOf(t, s).Messages)
		require.Equal(t, uint64(1), stateOf(t, s).Subjects)
	})
}

// TestASlowTakerDoesNotHoldTheStore: what it is too slow for is joined, and the sums stay right.
func TestASlowTakerDoesNotHoldTheStore(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever})
	ready, release := make(chan struct{}), make(chan struct{})
	var list []actors.Notice
	taker, err := s.Notices(t.Context(), func(more []actors.Notice) {
		if list == nil {
			close(ready)
			<-release
		}
		list = append(list, more...)
	})
	require.NoError(t, err)
	<-ready
	subject := strings.Repeat("s", 60_000)
	const n = 200
	for range n {
		mustStore(t, s, subject, "")
	}
	_, err = s.RemoveMsg(t.Context(), 7)
	require.NoError(t, err)
	short, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, taker.Wait(short), context.Canceled)
	close(release)
	require.NoError(t, taker.Wait(t.Context()))
	mustStore(t, s, "a", "")
	require.NoError(t, taker.Wait(t.Context()))
	var messages, bytes, single, joined int64
	for _, notice := range list {
		messages, bytes = messages+notice.Messages, bytes+notice.Bytes
		if joined += int64(notice.Joined); notice.Reason == actors.NoticeStored {
			single++
		}
	}
	state := stateOf(t, s)
	require.Equal(t, int64(state.Messages), messages)
	require.Equal(t, int64(state.Bytes), bytes)
	require.Equal(t, int64(n+2), single+joined, "all are accounted for")
	require.InDelta(t, 4<<20/(60_000+128), single, 2, "as many as there is room for")
	require.Equal(t, actors.NoticeStored, list[len(list)-1].Reason, "when it has caught up it is told one by one again")
}

// TestATakerEndsWithItsContext, and the store collects nothing any more.
func TestATakerEndsWithItsContext(t *testing.T) {
	s := open(t, actors.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	h, other := listen(t, ctx, s), listen(t, t.Context(), s)
	cancel()
	<-h.Done()
	mustStore(t, s, "a", "")
	require.Equal(t, []string{"registered +0 +0 0", "stored +1 +31 1 a"}, other.take(t))
	require.NotContains(t, h.take(t), "stored +1 +31 1 a")
	<-listen(t, ctx, s).Done()
}

// TestNoticesAfterAFailure: the recovered store tells of the difference, and goes on.
func TestNoticesAfterAFailure(t *testing.T) {
	s, files := faulty(t, actors.Config{Sync: actors.SyncInterval, SyncEvery: time.Hour, NoPreallocation: true})
	mustStore(t, s, "a", "")
	require.NoError(t, s.Flush(t.Context()))
	h := listen(t, t.Context(), s)
	mustStore(t, s, "written", "")
	var failing atomic.Bool
	failing.Store(true)
	hold := make(chan struct{})
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch {
		case failing.Load() && op.Kind == blocktest.OpSync:
			failing.Store(false)
			return blocktest.Fault{Err: blocktest.ErrIO}
		case !failing.Load() && op.Kind == blocktest.OpOpen:
			<-hold // so that the test has time to register while the store has failed
		}
		return blocktest.Fault{}
	})
	require.ErrorIs(t, s.Flush(t.Context()), actors.ErrFailed)
	late := listen(t, t.Context(), s)
	require.Equal(t, []string{"registered +0 +68 0", "failed +0 +0 0"}, late.take(t))
	close(hold)
	eventually(t, recovered(s))
	mustStore(t, s, "b", "")
	require.Equal(t, []string{"registered +0 +31 0", "stored +1 +37 2 written", "failed +0 +0 0", "recovered -1 -37 0", "stored +1 +31 3 b"}, h.take(t))
	require.Equal(t, []string{"recovered -1 -37 0", "stored +1 +31 3 b"}, late.take(t))
}

// TestNoticesForActors come one batch for each request, before the replies to what caused them.
func TestNoticesForActors(t *testing.T) {
	s := open(t, actors.Config{})
	c := newClient(t, 10)
	notices := func(message any) []string {
		t.Helper()
		n := message.(*actors.Notices)
		require.NoError(t, n.Err)
		require.Equal(t, "tag", n.Tag)
		return describe(n.Notices)
	}
	ask := func(message any) { quiet.Root.Send(c.pid, &send{s.PID(), message}) }
	request := &actors.NoticesRequest{Tag: "tag"}
	require.Equal(t, []string{"registered +0 +0 0"}, notices(c.ask(t, s, request)))
	ask(request)
	require.Equal(t, []string{"stored +1 +31 1 a"}, notices(c.ask(t, s, &actors.StoreRequest{Subject: "a"})))
	require.IsType(t, &actors.StoreReply{}, <-c.replies)
	mustStore(t, s, "b", "")
	mustStore(t, s, "c", "")
	require.Equal(t, []string{"stored +1 +31 2 b", "stored +1 +31 3 c"}, notices(c.ask(t, s, request)), "what waited")
	ask(request)
	require.Empty(t, notices(c.ask(t, s, request)), "the second takes the place of the first")
	require.Empty(t, notices(c.ask(t, s, &actors.EndNoticesRequest{})))
	mustStore(t, s, "d", "")
	require.Equal(t, []string{"registered +0 +124 0"}, notices(c.ask(t, s, request)), "it begins anew")
	mustStore(t, s, "e", "")
	require.NoError(t, s.Stop(t.Context()))
	last := (<-c.replies).(*actors.Notices)
	require.True(t, last.Stopped)
	require.Equal(t, []string{"stored +1 +31 5 e", "stopped +0 -155 0"}, describe(last.Notices))
}

// TestNoticesForAnActorThatEnds are given up; one that watches, too, is watched until both have ended.
func TestNoticesForAnActorThatEnds(t *testing.T) {
	s := open(t, actors.Config{})
	w := &watcher{make(chan any, 10), make(chan bool, 10)}
	pid, ok := quiet.ProcessRegistry.Add(w, quiet.ProcessRegistry.NextId())
	require.True(t, ok)
	defer quiet.ProcessRegistry.Remove(pid)
	ask := func(message any) { quiet.Root.RequestWithCustomSender(s.PID(), message, pid) }
	ask(&actors.WatchRequest{})
	ask(&actors.NoticesRequest{})
	require.True(t, <-w.watched)
	require.True(t, <-w.watched)
	ask(&actors.UnwatchRequest{})
	ask(&actors.EndNoticesRequest{})
	require.False(t, <-w.watched)
	require.NoError(t, s.Stop(t.Context()))
	require.Empty(t, w.watched, "once is enough")
}

// TestManyTakersAddUpToTheState while many store and remove.
func TestManyTakersAddUpToTheState(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level, MaxMsgs: 300, BlockSize: 4 << 10})
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				for i := range 100 {
					ack, err := s.StoreMsg(t.Context(), subjectOf(i), nil, payloadOf(i))
					if err == nil && i%3 == w%3 {
						_, err = s.RemoveMsg(t.Context(), ack.Sequence)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		var hs []*heard
		for range 5 {
			hs = append(hs, listen(t, t.Context(), s))
		}
		all.Wait()
		_, err := s.PurgeEx(t.Context(), actors.Filter("orders.2"), 0, 1)
		require.NoError(t, err)
		for _, h := range hs {
			require.NoError(t, h.Wait(t.Context()))
			h.mu.Lock()
			defer h.mu.Unlock()
			bytes := int64(0)
			for _, n := range h.list {
				bytes += n.Bytes
			}
			require.Equal(t, int64(stateOf(t, s).Bytes), bytes)
			require.Equal(t, actors.NoticeRegistered, h.list[0].Reason)
			require.Equal(t, 0, slices.IndexFunc(h.list, func(n actors.Notice) bool { return n.Reason == actors.NoticeRegistered }))
		}
	})
}
