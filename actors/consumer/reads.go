package consumer

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// What is read ahead at a time.
const (
	readMax   = 256
	readBytes = 1 << 20
	// lastsMax is that of the last messages of subjects: to find them costs the same however many are read.
	lastsMax = 4096
	// retryRead is after how long a read is tried again.
	retryRead = 100 * time.Millisecond
	// sectorPatience is after how long a message is tried again of which the disk cannot read a sector.
	sectorPatience = 10 * time.Second
)

// subjects are what the filters select.
type subjects = subject.Set

func subjectsOf(filters []string) subjects {
	if len(filters) == 0 {
		return subject.Everything()
	}
	patterns := make([]subject.Pattern, len(filters))
	for i, filter := range filters {
		patterns[i] = subject.Compile(filter)
	}
	return subject.NewSet(patterns...)
}

// readTag says when a read was begun.
type readTag struct {
	era, view, stored uint64
	lasts             bool
}

// read reads ahead, if there is anything to read.
func (a *consumerActor) read(now int64) {
	_, lasts := a.core.Position()
	if lasts > 0 && a.lastsRead {
		a.core.EndLasts()
		lasts = 0
	}
	if a.reading || a.caughtUp || now < a.retryAt {
		return
	}
	a.reading = true
	tag := readTag{a.era, a.view, a.stored, lasts > 0}
	if lasts == 0 {
		a.ask(a.source, &actors.ReadRequest{From: a.next, Max: readMax, MaxBytes: readBytes, Filters: a.filters, Tag: tag})
		return
	}
	filters := a.filters
	if len(filters) == 0 {
		filters = []actors.Filters{actors.Filter(">")}
	}
	a.ask(a.source, &actors.LastMessagesRequest{
		Filters: filters, MaxSequence: lasts, From: a.next, Max: lastsMax, MaxBytes: readBytes, Tag: tag,
	})
}

// outcome is what an error of a read means.
type outcome uint8

const (
	readFine    outcome = iota
	readGone            // there is no message
	readDamaged         // it is damaged
	readSector          // the disk cannot read it, which may pass
	readLater           // another attempt may have it
	readStopped
)

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return readFine
	case errors.Is(err, actors.ErrNotFound), errors.Is(err, actors.ErrEOF):
		return readGone
	case errors.Is(err, actors.ErrSector):
		return readSector
	case errors.Is(err, actors.ErrCorrupt):
		return readDamaged
	case errors.Is(err, actors.ErrStopped):
		return readStopped
	}
	return readLater
}

// onRead takes what was read ahead.
func (a *consumerActor) onRead(m *actors.ReadReply) {
	tag, ours := m.Tag.(readTag)
	if !ours || tag.era != a.era || tag.view != a.view || a.mode != running {
		return
	}
	a.reading = false
	switch outcomeOf(m.Err) {
	case readStopped:
		a.stop(ErrStreamStopped)
		return
	case readLater:
		a.retryAt = later(a.now(), retryRead)
		if len(m.Messages) == 0 {
			return
		}
	case readDamaged, readSector:
		a.log.Warn("messages are passed over that cannot be read", "error", m.Err)
	}
	a.buffer = slices.DeleteFunc(m.Messages, func(m actors.Message) bool {
		_, gone := a.removed[m.Sequence]
		return gone
	})
	a.removed = nil
	switch {
	case tag.lasts && m.Next == 0:
		_, lasts := a.core.Position()
		a.lastsRead, a.next = true, lasts+1
	default:
		a.next = max(m.Next, a.next)
	}
	if len(m.Messages) > 0 || tag.lasts {
		return
	}
	a.core.Advance(a.next)
	a.caughtUp = m.Err == nil && tag.stored == a.stored
}

// anew forgets what was read ahead, and what is being read.
func (a *consumerActor) anew() {
	a.view++
	a.buffer, a.reading, a.removed, a.caughtUp, a.lastsRead = nil, false, nil, false, false
	a.next, _ = a.core.Position()
}

// onNotices takes what the stream tells of what was stored and removed.
func (a *consumerActor) onNotices(m *actors.Notices) {
	ends := m.Stopped
	for i := range m.Notices {
		a.onNotice(&m.Notices[i])
		ends = ends || m.Notices[i].Reason == actors.NoticeStopped
	}
	switch {
	case ends:
		a.stop(ErrStreamStopped)
	case m.Err != nil:
		box := a.inbox
		time.AfterFunc(resendAfter, func() { box.PostUserMessage(&askNotices{}) })
	default:
		a.ask(a.source, &actors.NoticesRequest{})
	}
}

// askNotices has the stream asked for notices again.
type askNotices struct{}

// Control implements mailbox.Control.
func (*askNotices) Control() {}

func (a *consumerActor) onNotice(n *actors.Notice) {
	switch n.Reason {
	case actors.NoticeStored:
		a.onStored(n)
	case actors.NoticeStopped, actors.NoticeFailed:
	case actors.NoticeTruncated:
		a.truncated = true
		a.sum()
	case actors.NoticeRegistered:
		a.toRead()
	default:
		if n.Sequence == 0 {
			a.sum()
			return
		}
		a.drop(n.Sequence)
	}
}

func (a *consumerActor) onStored(n *actors.Notice) {
	if a.truncated {
		a.truncated = false
		a.rewind(n.Sequence)
	}
	switch {
	case a.set.Match([]byte(n.Subject)):
		a.toRead()
	case a.caughtUp && a.mode == running && n.Sequence >= a.next: // passed by, so that nobody has to look for it again
		a.next = n.Sequence + 1
		a.core.Advance(a.next)
	}
}

// toRead says that there may be something to read, which a read that is under way need not have seen.
func (a *consumerActor) toRead() {
	a.stored++
	a.caughtUp = false
}

// drop settles a message that the stream does not have any more.
func (a *consumerActor) drop(sequence uint64) {
	if a.mode == running {
		a.core.Removed(sequence, a.now())
	}
	if a.reading && sequence >= a.next {
		if a.removed == nil {
			a.removed = map[uint64]struct{}{}
		}
		a.removed[sequence] = struct{}{}
	}
	i, there := slices.BinarySearchFunc(a.buffer, sequence, func(m actors.Message, sequence uint64) int {
		switch {
		case m.Sequence < sequence:
			return -1
		case m.Sequence > sequence:
			return 1
		}
		return 0
	})
	if there {
		a.buffer = slices.Delete(a.buffer, i, i+1)
	}
}

// sum looks at the stream anew: several messages were removed, and nobody says which.
func (a *consumerActor) sum() {
	a.anew()
	// It reads what is published, without waiting. Only a stream that has ended has none.
	if state, err := a.source.FastState(a.life); err == nil {
		a.rewind(state.LastSequence + 1)
	}
	a.look()
}

// rewind says that messages from a sequence on are not those that were there before, if any were.
func (a *consumerActor) rewind(position uint64) {
	if a.mode != running {
		if a.rewindTo == 0 || position < a.rewindTo {
			a.rewindTo = position
		}
		return
	}
	if has, _ := a.core.Position(); position >= has {
		return
	}
	a.core.Rewind(position, a.now())
	a.anew()
}

// looked brings the stream's gaps.
type looked struct {
	state actors.FullState
	view  uint64
	err   error
}

// Control implements mailbox.Control.
func (*looked) Control() {}

// look has the messages settled that are not in the stream any more. To list its gaps may take a while, so a goroutine does.
func (a *consumerActor) look() {
	if a.looking {
		a.lookAgain = true
		return
	}
	if a.mode != running || a.core.Pending()+a.core.Held() == 0 {
		return
	}
	a.looking, a.lookAgain = true, false
	life, source, box, view := a.life, a.source, a.inbox, a.view
	go func() {
		state, err := source.State(life)
		box.PostUserMessage(&looked{state, view, err})
	}()
}

func (a *consumerActor) onLooked(m *looked) {
	a.looking = false
	if m.view != a.view || a.lookAgain || m.err != nil {
		if m.err == nil {
			a.look()
		}
		return
	}
	if a.mode != running {
		return
	}
	var lost []uint64
	for sequence := range a.core.Outstanding() {
		if sequence <= m.state.LastSequence && (sequence < m.state.FirstSequence || inRanges(m.state.DeletedRanges, sequence)) {
			lost = append(lost, sequence)
		}
	}
	slices.Sort(lost)
	for _, sequence := range lost {
		a.core.Removed(sequence, a.now())
	}
}

func inRanges(ranges []actors.SequenceRange, sequence uint64) bool {
	_, there := slices.BinarySearchFunc(ranges, sequence, func(r actors.SequenceRange, sequence uint64) int {
		switch {
		case r.Last < sequence:
			return -1
		case r.First > sequence:
			return 1
		}
		return 0
	})
	return there
}
