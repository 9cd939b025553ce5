package engine

import "slices"

// NoticeReason says what a notice tells of.
type NoticeReason uint8

const (
	// NoticeRegistered is the first notice of a taker: the bytes that were there, and no messages.
	NoticeRegistered NoticeReason = iota + 1
	// NoticeStopped gives back the bytes that are there, as the stream has stopped. The messages stay.
	NoticeStopped
	// NoticeRecovered is the difference that a recovery after a failure has made.
	NoticeRecovered
	// NoticeStored is a message that was stored.
	NoticeStored
	// NoticeRemoved is a message that somebody asked to remove.
	NoticeRemoved
	// NoticePurged is messages that a purge has removed.
	NoticePurged
	// NoticeCompacted is messages that a compaction has removed.
	NoticeCompacted
	// NoticeMaxMsgs is a message that MaxMsgs has removed.
	NoticeMaxMsgs
	// NoticeMaxBytes is a message that MaxBytes has removed.
	NoticeMaxBytes
	// NoticeMaxMsgsPer is a message that MaxMsgsPer has removed.
	NoticeMaxMsgsPer
	// NoticeMaxAge is a message that MaxAge has removed.
	NoticeMaxAge
	// NoticeTruncated is messages that a truncation has removed.
	NoticeTruncated
	// NoticeSyncDeleted is messages that SyncDeleted has removed.
	NoticeSyncDeleted
	// NoticeTTL is a message whose own TTL has come.
	NoticeTTL
	// NoticeLost is messages that were found to be lost through damage.
	NoticeLost
	// NoticeDeleted is all messages of a stream that was deleted.
	NoticeDeleted
	// NoticeJoined is the sum of what a taker was too slow for.
	NoticeJoined
	// NoticeFailed tells that the storage has failed, and changes nothing. The engine does not make it: the shell does.
	NoticeFailed
)

var noticeNames = [...]string{
	NoticeRegistered: "registered", NoticeStopped: "stopped", NoticeRecovered: "recovered", NoticeStored: "stored",
	NoticeRemoved: "removed", NoticePurged: "purged", NoticeCompacted: "compacted", NoticeMaxMsgs: "max messages",
	NoticeMaxBytes: "max bytes", NoticeMaxMsgsPer: "max messages of a subject", NoticeMaxAge: "max age", NoticeTTL: "TTL", NoticeLost: "lost",
	NoticeSyncDeleted: "deleted elsewhere", NoticeTruncated: "truncated",
	NoticeJoined: "joined", NoticeDeleted: "deleted", NoticeFailed: "failed",
}

// String returns the reason in words.
func (r NoticeReason) String() string {
	if int(r) < len(noticeNames) && noticeNames[r] != "" {
		return noticeNames[r]
	}
	return "unknown"
}

// noticeReasons are the reasons of single removals, by what counts them.
var noticeReasons = [counters]NoticeReason{
	countRemovedMsgs: NoticeMaxMsgs, countRemovedBytes: NoticeMaxBytes, countRemovedAge: NoticeMaxAge, countRemovedTTL: NoticeTTL,
	countRemovedPer: NoticeMaxMsgsPer, countRemovedRequest: NoticeRemoved,
}

// Notice tells of messages that were stored or removed. That of a single message has its sequence and subject; a
// sum has neither.
type Notice struct {
	Reason   NoticeReason
	Messages int64 // how many more there are now: 1 for a store, -1 for a removal
	Bytes    int64 // and how many bytes of them
	Sequence uint64
	Subject  string
	Joined   uint64 // of NoticeJoined: how many notices it stands for
	Err      error  // of NoticeFailed: why
}

// notices collects what takers are told, if there are any. Notices gather in their group, in the order of what
// happened, and leave when the group is published, ahead of its replies.
type notices struct {
	takers  int
	waiting int      // takers that came while the stream was being opened
	out     []Notice // of what is published

	summing bool          // removals are part of one sum
	sum     *stagedNotice // of the first of them on
	summed  int           // removals in it
	as      NoticeReason  // why messages are removed, where that is not what counts them; 0 where it is

	parts []*noticeSum // of which something was published, and nothing told

	before usage // what readers were shown before the stream was opened
}

type usage struct{ messages, bytes int64 }

// stagedNotice is a notice that waits in its group. The name of its subject is looked up when it leaves.
type stagedNotice struct {
	Notice
	subject uint32
	part    *noticeSum // that it is a part of, or nil
}

// mostSpareNotices bounds the memory that a group keeps for the notices of the next one.
const mostSpareNotices = 4096

// Notify adds a taker of notices. Its first one is that it is registered, with the bytes of what happened before;
// from then on it is due all that Notices returns.
func (e *Engine) Notify() {
	e.notices.takers++
	if !e.serving() {
		e.notices.waiting++
		return
	}
	e.noteInOrder(Notice{Reason: NoticeRegistered, Bytes: int64(e.counts[countBytes])})
}

// NotifyOn goes on to tell so many takers that an engine which failed has told before. The notice of the
// difference is the next one.
func (e *Engine) NotifyOn(takers int) {
	x := &e.notices
	if x.takers += takers; takers > 0 {
		e.noteInOrder(Notice{
			Reason: NoticeRecovered, Messages: int64(e.counts[countMessages]) - x.before.messages,
			Bytes: int64(e.counts[countBytes]) - x.before.bytes,
		})
	}
}

// Unnotify takes away a taker.
func (e *Engine) Unnotify() { e.notices.takers-- }

// Notices returns the notices that are due since the last call, ahead of any replies. They are the caller's.
func (e *Engine) Notices() []Notice {
	list := e.notices.out
	e.notices.out = nil
	return list
}

// noting reports whether anybody wants notices.
func (e *Engine) noting() bool { return e.notices.takers > 0 && e.serving() }

// openedNotices registers those who came while the stream was being opened, and notes what readers were shown
// until then. What opening has changed is not published yet.
func (e *Engine) openedNotices() {
	x, shown := &e.notices, e.pub.numbers()
	x.before = usage{int64(shown.counts[countMessages]), int64(shown.counts[countBytes])}
	for ; x.waiting > 0; x.waiting-- {
		x.out = append(x.out, Notice{Reason: NoticeRegistered, Bytes: int64(e.counts[countBytes])})
	}
}

// noteInOrder adds a notice of something that is in no group, behind all notices of what was before.
func (e *Engine) noteInOrder(n Notice) {
	switch {
	case e.failed != nil || !e.noting():
	case e.current.staged():
		e.current.notices = append(e.current.notices, stagedNotice{n, noSubject, nil})
	case e.inflight != nil && (e.cfg.Level != SyncNever || e.inflight.held):
		e.inflight.notices = append(e.inflight.notices, stagedNotice{n, noSubject, nil})
	default:
		if n.Reason == NoticeRegistered {
			e.tellParts()
		}
		e.notices.out = append(e.notices.out, n)
	}
}

// noteStored notes a message that the current group stores, for those who take notices.
func (e *Engine) noteStored(id uint32, sequence uint64, size int) {
	e.current.notices = append(e.current.notices, stagedNotice{Notice{NoticeStored, 1, int64(size), sequence, "", 0, nil}, id, nil})
}

// noteOrder ends the notices of a command that has stored messages from a sequence on: those of the older messages
// which made room for them come first.
func (e *Engine) noteOrder(first uint64) {
	if !e.noting() {
		return
	}
	list := e.current.notices
	i := len(list) - 1
	for i >= 0 && (list[i].Reason != NoticeStored || list[i].Sequence != first) {
		i--
	}
	if i < 0 || i == len(list)-1 {
		return
	}
	mine := list[i:]
	ahead := func(n *stagedNotice) bool { return n.Messages < 0 && n.Sequence < first }
	own := make([]stagedNotice, 0, len(mine))
	n := 0
	for k := range mine {
		if ahead(&mine[k]) {
			mine[n] = mine[k]
			n++
		} else {
			own = append(own, mine[k])
		}
	}
	copy(mine[n:], own)
}

// noteRemoved notes a message that was taken out of the stream.
func (e *Engine) noteRemoved(id uint32, sequence, size uint64, reason counter) {
	if !e.noting() {
		return
	}
	n := stagedNotice{Notice{noticeReasons[reason], -1, -int64(size), sequence, "", 0, nil}, id, nil}
	if as := e.notices.as; as != 0 {
		n.Reason = as
	}
	if x := &e.notices; x.summing {
		x.add(n)
		return
	}
	e.current.notices = append(e.current.notices, n)
}

// noteMany notes messages that were taken out together.
func (e *Engine) noteMany(reason NoticeReason, messages, bytes uint64) {
	if !e.noting() {
		return
	}
	n := stagedNotice{Notice{reason, -int64(messages), -int64(bytes), 0, "", 0, nil}, noSubject, nil}
	if x := &e.notices; x.summing && reason != NoticeLost {
		x.add(n)
		return
	}
	e.current.notices = append(e.current.notices, n)
}

// noteLost notes messages that were found to be lost. removals is how many the group had before: those of the lost
// ones whose subjects are known are behind them.
func (e *Engine) noteLost(messages, bytes uint64, removals int) {
	if !e.noting() {
		return
	}
	n := stagedNotice{Notice{NoticeLost, -int64(messages), -int64(bytes), 0, "", 0, nil}, noSubject, nil}
	if messages == 1 {
		if known := e.current.removals[removals:]; len(known) == 1 {
			n.Sequence, n.subject = known[0].sequence, known[0].subject
		}
	}
	e.current.notices = append(e.current.notices, n)
}

// sumNotices makes the removals that follow one sum, until summedNotices.
func (e *Engine) sumNotices() {
	e.notices.summing, e.notices.summed = true, 0
}

// summedNotices ends a sum. A sum of one message, if alone says so, is the notice of that message.
func (e *Engine) summedNotices(reason NoticeReason, alone bool) {
	x := &e.notices
	x.summing = false
	if !e.noting() || x.summed == 0 {
		return
	}
	n := *x.sum
	x.sum = nil
	if n.Reason = reason; x.summed > 1 || !alone {
		n.Sequence, n.subject = 0, noSubject
	}
	e.current.notices = append(e.current.notices, n)
}

// add adds a notice to the sum.
func (x *notices) add(n stagedNotice) {
	if x.summed++; x.summed == 1 {
		x.sum = &n
		return
	}
	x.sum.Messages += n.Messages
	x.sum.Bytes += n.Bytes
}

// releaseNotices lets the notices of a group go, which is being published: with the names of their subjects, all
// of which are still in the subject index.
func (e *Engine) releaseNotices(g *group) {
	if len(g.notices) == 0 {
		return
	}
	out := slices.Grow(e.notices.out, len(g.notices))
	// One string holds all names.
	var names []byte
	ends := make([]int, len(g.notices))
	for i := range g.notices {
		if id := g.notices[i].subject; id != noSubject && e.subjects.Known(id) {
			names = e.subjects.AppendName(names, id)
		}
		ends[i] = len(names)
	}
	all, from := string(names), 0
	for i := range g.notices {
		n := g.notices[i].Notice
		n.Subject, from = all[from:ends[i]], ends[i]
		if p := g.notices[i].part; p != nil {
			out = e.takePart(out, p, n)
			continue
		}
		if n.Reason == NoticeRegistered {
			out = e.appendParts(out)
		}
		out = append(out, n)
	}
	if e.notices.out = out; cap(g.notices) > mostSpareNotices {
		g.notices = nil
	}
	g.notices = g.notices[:0]
}
