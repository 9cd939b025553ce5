package actors

import (
	"context"
	"log/slog"
	"sync"

	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// Notice tells of messages that were stored or removed: of one message with its sequence and subject, or of
	// several as a sum without. See Store.Notices.
	Notice = engine.Notice
	// NoticeReason says what a Notice tells of.
	NoticeReason = engine.NoticeReason
)

// The reasons of notices.
const (
	// NoticeRegistered is the first notice of a taker: the bytes that were there, and no messages.
	NoticeRegistered = engine.NoticeRegistered
	// NoticeStopped gives back the bytes that are there, as the store has stopped. The messages stay.
	NoticeStopped = engine.NoticeStopped
	// NoticeDeleted is all messages of a stream that was deleted.
	NoticeDeleted = engine.NoticeDeleted
	// NoticeRecovered is the difference that a recovery after a failure has made, mostly none.
	NoticeRecovered = engine.NoticeRecovered
	// NoticeStored is a message that was stored.
	NoticeStored = engine.NoticeStored
	// NoticeRemoved is a message that RemoveMsg has removed.
	NoticeRemoved = engine.NoticeRemoved
	// NoticePurged is what Purge or PurgeEx has removed.
	NoticePurged = engine.NoticePurged
	// NoticeCompacted is what Compact has removed.
	NoticeCompacted = engine.NoticeCompacted
	// NoticeMaxMsgs is a message that MaxMsgs has removed.
	NoticeMaxMsgs = engine.NoticeMaxMsgs
	// NoticeMaxBytes is a message that MaxBytes has removed.
	NoticeMaxBytes = engine.NoticeMaxBytes
	// NoticeMaxMsgsPer is a message that MaxMsgsPer has removed.
	NoticeMaxMsgsPer = engine.NoticeMaxMsgsPer
	// NoticeMaxAge is a message that MaxAge has removed.
	NoticeMaxAge = engine.NoticeMaxAge
	// NoticeTruncated is what Truncate has removed.
	NoticeTruncated = engine.NoticeTruncated
	// NoticeSyncDeleted is a message that SyncDeleted has removed, or what it has removed from the head of the
	// stream with whole blocks.
	NoticeSyncDeleted = engine.NoticeSyncDeleted
	// NoticeTTL is a message whose own TTL has come.
	NoticeTTL = engine.NoticeTTL
	// NoticeLost is messages that were found to be lost through damage.
	NoticeLost = engine.NoticeLost
	// NoticeJoined is the sum of Joined notices that a taker was too slow for.
	NoticeJoined = engine.NoticeJoined
	// NoticeFailed tells that a write or a sync has failed, with Err: what writes are refused with, see Store.Err. It
	// comes before those whose operations were on their way are told. What readers see stays as it is. Unless
	// Config.NoRecovery is set, NoticeRecovered follows.
	NoticeFailed = engine.NoticeFailed
)

// What bounds the notices that wait for a taker, in bytes. Each counts for its subject and so many bytes more.
const (
	mostNoticeBytes = 4 << 20
	noticeOverhead  = 128
)

// noticeQueue holds the notices that wait for a taker. Beyond its bounds it joins them.
type noticeQueue struct {
	list  []Notice
	bytes int
}

func (q *noticeQueue) add(list []Notice) {
	for i := range list {
		n := &list[i]
		if q.bytes < mostNoticeBytes || n.Reason == NoticeStopped || n.Reason == NoticeFailed {
			q.list = append(q.list, *n)
			q.bytes += noticeOverhead + len(n.Subject)
			continue
		}
		if q.list[len(q.list)-1].Reason != NoticeJoined {
			q.list = append(q.list, Notice{Reason: NoticeJoined})
		}
		sum := &q.list[len(q.list)-1]
		sum.Messages, sum.Bytes, sum.Joined = sum.Messages+n.Messages, sum.Bytes+n.Bytes, sum.Joined+1
	}
}

func (q *noticeQueue) take() []Notice {
	list := q.list
	q.list, q.bytes = nil, 0
	return list
}

// noticeSink is where the store actor leaves the notices for one taker. It never waits for it.
type noticeSink interface {
	add(list []Notice)
	// end tells that no more will come. What waits is dropped, unless the store has stopped.
	end(stopped bool)
}

// NoticeTaker is somebody who is told of what is stored and removed, see Store.Notices.
type NoticeTaker struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	queue   noticeQueue
	queued  uint64 // notices so far
	handled uint64 // of them
	ended   bool
	moved   chan struct{} // closed when handled is raised, and replaced

	begun   chan struct{} // closed when the taker is registered, or has ended before
	told    bool          // begun is closed; of the store actor alone
	wake    chan struct{} // of capacity 1
	done    chan struct{}
	release func() bool // takes the taker off its context
	left    bool        // the context has ended; of the store actor alone
}

// Notices has take called with all that is stored and removed from now on, in the order of what happened: with one
// notice for each message that is stored, removed, lost, or removed by a limit or by its age, and with one sum for
// what Purge, Compact, PurgeEx of more than one message, Truncate, and SyncDeleted of whole blocks
// remove. Those about the messages that made room for a
// new one come before its own. The first notice is NoticeRegistered with the bytes that are there; whoever adds up
// Bytes from there on has the stream's Bytes. The last one is NoticeStopped, if there are any bytes to give back.
//
// Notices are waiting for take before the calls return that caused them, and reads show already what they tell of.
// take runs on a goroutine of its own, with all notices that wait, and owns the slice. It may call any method of the
// store but Wait of its taker. The store never waits for it: beyond about 4 MiB, which is some 30,000 notices,
// those that follow are joined into one of the reason NoticeJoined, which says how many they were. After such a sum,
// as after any other, whoever knows single messages has to look at the stream anew. Wait is for callers who want
// what they have caused to be handled.
//
// It ends when the context does, and drops what take has not been given; or when the store stops, and take gets
// everything. A store without takers collects nothing.
func (s *Store) Notices(ctx context.Context, take func([]Notice)) (*NoticeTaker, error) {
	t := &NoticeTaker{
		log: s.log, moved: make(chan struct{}), wake: make(chan struct{}, 1), begun: make(chan struct{}), done: make(chan struct{}),
	}
	// The end of the context may reach the actor before the taker does: onNotices takes both orders.
	t.release = context.AfterFunc(ctx, func() {
		// A store that is gone has ended the taker.
		_ = s.postControl(&noticesOp{taker: t, remove: true})
	})
	err := s.postControl(&noticesOp{taker: t})
	if err == nil {
		select {
		case <-t.begun:
			go t.run(take)
			return t, nil
		case <-s.gone:
			err = ErrStopped
		}
	}
	t.release()
	return nil, err
}

// Wait waits until all notices that were due when it was called are handled, or the context ends.
func (t *NoticeTaker) Wait(ctx context.Context) error {
	t.mu.Lock()
	due := t.queued
	for t.handled < due {
		moved := t.moved
		t.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		t.mu.Lock()
	}
	t.mu.Unlock()
	return nil
}

// Done returns a channel that is closed when no more notices come, and the last were handled.
func (t *NoticeTaker) Done() <-chan struct{} { return t.done }

func (t *NoticeTaker) run(take func([]Notice)) {
	defer close(t.done)
	for {
		t.mu.Lock()
		list, queued, ended := t.queue.take(), t.queued, t.ended
		t.mu.Unlock()
		if len(list) > 0 {
			t.give(take, list)
			t.handledTo(queued)
			continue
		}
		if ended {
			return
		}
		<-t.wake
	}
}

// give hands notices to the caller's function. A panic there is not the store's: it is logged, and the next notices
// come.
func (t *NoticeTaker) give(take func([]Notice), list []Notice) {
	defer func() {
		if reason := recover(); reason != nil {
			t.log.Error("panic in a function that takes notices", "reason", reason)
		}
	}()
	take(list)
}

func (t *NoticeTaker) handledTo(queued uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handled = max(t.handled, queued)
	close(t.moved)
	t.moved = make(chan struct{})
}

// add implements noticeSink.
func (t *NoticeTaker) add(list []Notice) {
	t.mu.Lock()
	t.queue.add(list)
	t.queued += uint64(len(list))
	t.mu.Unlock()
	t.begin()
	t.wakeUp()
}

// begin lets the call return that waits for the registration.
func (t *NoticeTaker) begin() {
	if !t.told {
		t.told = true
		close(t.begun)
	}
}

// end implements noticeSink.
func (t *NoticeTaker) end(stopped bool) {
	t.release()
	t.mu.Lock()
	t.ended = true
	dropped := uint64(0)
	if !stopped && len(t.queue.take()) > 0 {
		dropped = t.queued
	}
	t.mu.Unlock()
	t.handledTo(dropped)
	t.begin()
	t.wakeUp()
}

func (t *NoticeTaker) wakeUp() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
