package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// The questions that actors send to Store.PID: what Store answers by its methods, as
// messages. What StoreRequest says of requests is true of them, too. Filters are those
// of the methods: none select everything. An error says what it says there.
type (
	// LoadNextRequest loads the first message at or after Start that the filters
	// select; with Reverse the last one at or before it. See Store.LoadNextMsg and
	// Store.LoadPrevMsg. It counts for 64 KiB. Reply: *LoadNextReply.
	LoadNextRequest struct {
		Start   uint64
		Filters []Filters
		Reverse bool
		Tag     any
	}
	// LoadNextReply answers LoadNextRequest. Skip is the message's sequence. With
	// ErrEOF it is the last sequence of the stream, with Reverse the first one.
	LoadNextReply struct {
		Message Message
		Skip    uint64
		Err     error
		Tag     any
	}

	// LoadLastRequest loads the newest message that the filters select. See
	// Store.LoadLastMsg. It counts for 64 KiB. Reply: *LoadReply.
	LoadLastRequest struct {
		Filters []Filters
		Tag     any
	}

	// SubjectRequest asks for the subject of the message at a sequence. See
	// Store.SubjectForSeq. It counts for 64 KiB. Reply: *SubjectReply.
	SubjectRequest struct {
		Sequence uint64
		Tag      any
	}
	// SubjectReply answers SubjectRequest.
	SubjectReply struct {
		Subject string
		Err     error
		Tag     any
	}

	// FirstSequenceRequest asks for the first sequence of a subject, taken byte for
	// byte; 0 when it has none. See Store.FirstSeqForSubject. Reply: *SequenceReply.
	FirstSequenceRequest struct {
		Subject string
		Tag     any
	}
	// SequenceAtRequest asks for the sequence of the first message whose time is not
	// before one. See Store.GetSeqFromTime. Reply: *SequenceReply.
	SequenceAtRequest struct {
		Time time.Time
		Tag  any
	}
	// SequenceReply answers FirstSequenceRequest and SequenceAtRequest.
	SequenceReply struct {
		Sequence uint64
		Err      error
		Tag      any
	}

	// FilteredStateRequest asks how many messages from a sequence on the filters
	// select, and for the first and the last of them. See Store.FilteredState.
	// Reply: *FilteredStateReply.
	FilteredStateRequest struct {
		From    uint64
		Filters []Filters
		Tag     any
	}
	// FilteredStateReply answers FilteredStateRequest.
	FilteredStateReply struct {
		State SubjectState
		Err   error
		Tag   any
	}

	// PendingRequest asks how many messages from a sequence on the filters select;
	// with LastPerSubject, how many of the last messages of their subjects. See
	// Store.NumPending and Store.NumPendingLastPerSubject. Reply: *PendingReply.
	PendingRequest struct {
		From           uint64
		Filters        []Filters
		LastPerSubject bool
		Tag            any
	}
	// PendingReply answers PendingRequest. ValidThrough is the last sequence of the
	// stream as of the same instant.
	PendingReply struct {
		Total, ValidThrough uint64
		Err                 error
		Tag                 any
	}

	// SubjectsRequest asks how many messages each subject has that the filters
	// select; with States also for the first and the last of them. See
	// Store.SubjectsTotals and Store.SubjectsState. When there are more than Max
	// subjects (0: 10,000; no more than 1,048,576), or more than MaxBytes of their
	// names (0: 1 MiB; no more than 64 MiB), it is ErrTooManyResults: ask again
	// with other bounds, or with filters. It counts for what these allow, with 128
	// bytes a subject. Reply: *SubjectsReply.
	SubjectsRequest struct {
		Filters       []Filters
		States        bool
		Max, MaxBytes int
		Tag           any
	}
	// SubjectsReply answers SubjectsRequest: with States or else with Totals. Both
	// are nil where those of the methods are.
	SubjectsReply struct {
		Totals map[string]uint64
		States map[string]SubjectState
		Err    error
		Tag    any
	}

	// LastSequencesRequest asks for the sequence of the last message at or before
	// MaxSequence (0: of the last message) of each subject that matches a pattern,
	// ascending. Without patterns there is none; > stands for every subject. See
	// Store.MultiLastSeqs and Store.AllLastSeqs. When there are more than MaxAllowed
	// (0: 65,536; no more than 1,048,576), it is ErrTooManyResults. It counts for
	// 16 bytes each. Reply: *LastSequencesReply.
	LastSequencesRequest struct {
		Patterns    []string
		MaxSequence uint64
		MaxAllowed  int
		Tag         any
	}
	// LastSequencesReply answers LastSequencesRequest.
	LastSequencesReply struct {
		Sequences []uint64
		Err       error
		Tag       any
	}

	// LastMessagesRequest reads the messages whose sequences LastSequencesRequest
	// asks for, those from From on. How many it reads and what it counts for is as
	// for ReadRequest. See Store.MultiLastMsgs. Reply: *ReadReply, with Next 0 when
	// there are no more. Each reply is of an instant of its own: with a MaxSequence
	// no message that is stored between two takes the place of another.
	LastMessagesRequest struct {
		Patterns      []string
		MaxSequence   uint64
		From          uint64
		Max, MaxBytes int
		Tag           any
	}

	// FullStateRequest asks for the state with the sequences that have no message.
	// See Store.State. At most Max of their ranges are given (0: 65,536; no more
	// than 1,048,576), those from From on. It counts for 16 bytes each. Reply:
	// *FullStateReply.
	FullStateRequest struct {
		From uint64
		Max  int
		Tag  any
	}
	// FullStateReply answers FullStateRequest. Next is where the ranges go on, 0 when
	// there are no more. With an error there are only the numbers.
	FullStateReply struct {
		State FullState
		Next  uint64
		Err   error
		Tag   any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*LoadNextReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps what may be long out of the actor library's log.
func (*SubjectsReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps what may be long out of the actor library's log.
func (*LastSequencesReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps what may be long out of the actor library's log.
func (*FullStateReply) IgnoreDeadLetterLogging() {}

// reading is a request that is carried out beside the store actor.
type reading interface {
	// weight returns the credit that it takes, in bytes.
	weight() int64
	// refuse makes the reply when it is not carried out.
	refuse(s *stream, err error) any
	// carryOut makes the reply, on a worker's goroutine.
	carryOut(s *stream) any
}

// What bounds reads for actors, and so their goroutines and the memory of replies.
const (
	mostReads  = 1024
	loadCredit = 64 << 10 // what one message counts for, in bytes

	defaultReadMax   = 1000
	mostReadMax      = 1 << 16
	defaultReadBytes = 1 << 20
	mostReadBytes    = 8 << 20

	defaultSubjects     = 10_000
	defaultSubjectBytes = 1 << 20
	mostSubjectBytes    = 64 << 20

	defaultRow = 1 << 16 // of sequences or ranges
	mostRow    = 1 << 20 // and of subjects
	rowCredit  = 16      // what each of a row counts for, in bytes
)

// bounded returns what is asked for within bounds.
func bounded(asked, usual, most int) int {
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}

// readFor reads on a worker's goroutine.
func (s *stream) readFor(request reading, sender *actor.PID) {
	bytes := request.weight()
	if !s.reads.tryAcquire(bytes) {
		s.respond(sender, request.refuse(s, ErrOverloaded))
		return
	}
	s.runtime.spawn(func() {
		reply := s.tryRead(request)
		s.reads.release(bytes)
		s.respond(sender, reply)
	})
}

var errReadPanic = errors.New("actors: panic while reading; the log says more")

// tryRead reads. A panic is a bug, or damage that nobody thought of: the requester
// is told, and nobody else is hurt.
func (s *stream) tryRead(request reading) (reply any) {
	defer func() {
		if reason := recover(); reason != nil {
			s.log.Error("panic while reading for an actor", "reason", reason, "stack", string(debug.Stack()))
			reply = request.refuse(s, errReadPanic)
		}
	}()
	return request.carryOut(s)
}

// forever is the context of who reads for an actor: nobody takes the request back.
var forever = context.Background()

// handle returns a handle to ask questions by. It has no PID.
func (s *stream) handle() *Store { return &Store{stream: s} }

func (*LoadRequest) weight() int64                   { return loadCredit }
func (m *LoadRequest) refuse(_ *stream, e error) any { return &LoadReply{Err: e, Tag: m.Tag} }

func (m *LoadRequest) carryOut(s *stream) any {
	var loaded MessageBuffer
	err := s.load(m.Sequence, &loaded)
	return &LoadReply{loaded.Message, err, m.Tag}
}

func (*LoadNextRequest) weight() int64                   { return loadCredit }
func (m *LoadNextRequest) refuse(_ *stream, e error) any { return &LoadNextReply{Err: e, Tag: m.Tag} }

func (m *LoadNextRequest) carryOut(s *stream) any {
	load := s.handle().LoadNextMsg
	if m.Reverse {
		load = s.handle().LoadPrevMsg
	}
	message, skip, err := load(forever, m.Start, m.Filters...)
	return &LoadNextReply{message, skip, err, m.Tag}
}

func (*LoadLastRequest) weight() int64                   { return loadCredit }
func (m *LoadLastRequest) refuse(_ *stream, e error) any { return &LoadReply{Err: e, Tag: m.Tag} }

func (m *LoadLastRequest) carryOut(s *stream) any {
	message, err := s.handle().LoadLastMsg(forever, m.Filters...)
	return &LoadReply{message, err, m.Tag}
}

func (*SubjectRequest) weight() int64                   { return loadCredit }
func (m *SubjectRequest) refuse(_ *stream, e error) any { return &SubjectReply{Err: e, Tag: m.Tag} }

func (m *SubjectRequest) carryOut(s *stream) any {
	subject, err := s.handle().SubjectForSeq(forever, m.Sequence)
	// It would keep the whole message.
	return &SubjectReply{strings.Clone(subject), err, m.Tag}
}

func (*FirstSequenceRequest) weight() int64 { return opOverhead }

func (m *FirstSequenceRequest) refuse(_ *stream, err error) any {
	return &SequenceReply{Err: err, Tag: m.Tag}
}

func (m *FirstSequenceRequest) carryOut(s *stream) any {
	sequence, err := s.handle().FirstSeqForSubject(forever, m.Subject)
	return &SequenceReply{sequence, err, m.Tag}
}

func (*SequenceAtRequest) weight() int64                   { return opOverhead }
func (m *SequenceAtRequest) refuse(_ *stream, e error) any { return &SequenceReply{Err: e, Tag: m.Tag} }

func (m *SequenceAtRequest) carryOut(s *stream) any {
	sequence, err := s.handle().GetSeqFromTime(forever, m.Time)
	return &SequenceReply{sequence, err, m.Tag}
}

func (*FilteredStateRequest) weight() int64 { return opOverhead }

func (m *FilteredStateRequest) refuse(_ *stream, err error) any {
	return &FilteredStateReply{Err: err, Tag: m.Tag}
}

func (m *FilteredStateRequest) carryOut(s *stream) any {
	state, err := s.handle().FilteredState(forever, m.From, m.Filters...)
	return &FilteredStateReply{state, err, m.Tag}
}

func (*PendingRequest) weight() int64                   { return opOverhead }
func (m *PendingRequest) refuse(_ *stream, e error) any { return &PendingReply{Err: e, Tag: m.Tag} }

func (m *PendingRequest) carryOut(s *stream) any {
	count := s.handle().NumPending
	if m.LastPerSubject {
		count = s.handle().NumPendingLastPerSubject
	}
	total, through, err := count(forever, m.From, m.Filters...)
	return &PendingReply{total, through, err, m.Tag}
}

// subjectBound bounds how many subjects an answer may have, and the bytes of their
// names. The zero value bounds nothing.
type subjectBound struct{ subjects, bytes int }

// within reports whether the subjects that are selected are within a bound.
func (l *lookup) within(most subjectBound) error {
	if most == (subjectBound{}) {
		return nil
	}
	left := most
	l.now.Subjects.Walk(&l.set, func(name []byte, _ subjectInfo) bool {
		left.subjects--
		left.bytes -= len(name)
		return left.subjects >= 0 && left.bytes >= 0
	})
	if left.subjects < 0 || left.bytes < 0 {
		return fmt.Errorf("%w: more than %d subjects, or than %d bytes of them", ErrTooManyResults, most.subjects, most.bytes)
	}
	return nil
}

func (m *SubjectsRequest) bounds() subjectBound {
	return subjectBound{
		bounded(m.Max, defaultSubjects, mostRow),
		bounded(m.MaxBytes, defaultSubjectBytes, mostSubjectBytes),
	}
}

func (m *SubjectsRequest) weight() int64 {
	most := m.bounds()
	return int64(opOverhead + most.bytes + most.subjects*opOverhead)
}

func (m *SubjectsRequest) refuse(_ *stream, e error) any { return &SubjectsReply{Err: e, Tag: m.Tag} }

func (m *SubjectsRequest) carryOut(s *stream) any {
	reply := &SubjectsReply{Tag: m.Tag}
	if m.States {
		reply.States, reply.Err = s.subjectsState(forever, m.Filters, m.bounds())
	} else {
		reply.Totals, reply.Err = s.subjectsTotals(forever, m.Filters, m.bounds())
	}
	return reply
}

func (m *LastSequencesRequest) allowed() int  { return bounded(m.MaxAllowed, defaultRow, mostRow) }
func (m *LastSequencesRequest) weight() int64 { return int64(opOverhead + m.allowed()*rowCredit) }

func (m *LastSequencesRequest) refuse(_ *stream, err error) any {
	return &LastSequencesReply{Err: err, Tag: m.Tag}
}

func (m *LastSequencesRequest) carryOut(s *stream) any {
	sequences, err := s.handle().MultiLastSeqs(forever, m.Patterns, m.MaxSequence, m.allowed())
	return &LastSequencesReply{sequences, err, m.Tag}
}

func (m *FullStateRequest) most() int     { return bounded(m.Max, defaultRow, mostRow) }
func (m *FullStateRequest) weight() int64 { return int64(opOverhead + m.most()*rowCredit) }

func (m *FullStateRequest) refuse(s *stream, err error) any {
	// The numbers need no room: they are there to be read.
	return &FullStateReply{State: FullState{State: stateOf(s.published.State())}, Err: err, Tag: m.Tag}
}

func (m *FullStateRequest) carryOut(s *stream) any {
	if s.stopped.Load() {
		return m.refuse(s, ErrStopped)
	}
	state, ranges := s.published.Deleted()
	reply := &FullStateReply{State: FullState{State: stateOf(state)}, Tag: m.Tag}
	from, _ := slices.BinarySearchFunc(ranges, m.From, func(r SequenceRange, from uint64) int {
		if r.Last < from {
			return -1
		}
		return 1
	})
	ranges = ranges[from:]
	if most := m.most(); len(ranges) > most {
		reply.Next = ranges[most].First
		ranges = ranges[:most]
	}
	if len(ranges) > 0 {
		ranges[0].First = max(ranges[0].First, m.From)
		reply.State.DeletedRanges = slices.Clone(ranges)
	}
	return reply
}

// readBounds are what is left of the messages and bytes that a reply may have.
type readBounds struct{ messages, bytes int }

func boundsOf(messages, bytes int) readBounds {
	return readBounds{bounded(messages, defaultReadMax, mostReadMax), bounded(bytes, defaultReadBytes, mostReadBytes)}
}

func (b readBounds) weight() int64 { return int64(opOverhead + b.bytes + b.messages*opOverhead) }

// take counts a message. It reports whether another one may follow.
func (b *readBounds) take(m *Message) bool {
	b.messages--
	b.bytes -= len(m.Subject) + len(m.HeaderBlock) + len(m.Payload)
	return b.more()
}

func (b *readBounds) more() bool { return b.messages > 0 && b.bytes > 0 }

func (m *ReadRequest) weight() int64 { return boundsOf(m.Max, m.MaxBytes).weight() }

func (m *ReadRequest) refuse(_ *stream, err error) any {
	return &ReadReply{Next: m.From, Err: err, Tag: m.Tag}
}

func (m *ReadRequest) carryOut(s *stream) any {
	left := boundsOf(m.Max, m.MaxBytes)
	reply := &ReadReply{Tag: m.Tag}
	opts := []ReadOption{From(m.From)}
	for _, f := range m.Filters {
		opts = append(opts, f)
	}
	if m.Reverse {
		opts = append(opts, Reverse())
	}
	sc := newScan(forever, s, opts)
	last := sc.last
	sc.emit = func(message Message, err error) bool {
		if err != nil {
			reply.Err = err
			return false
		}
		reply.Messages = append(reply.Messages, message)
		return left.take(&message)
	}
	sc.run()
	reply.Next = sc.next
	if errors.Is(reply.Err, ErrCorrupt) && errors.Is(reply.Err, fs.ErrNotExist) {
		// A block without a file: it costs what it covers.
		reply.Next = s.beyondBlock(sc.next, last, m.Reverse)
	}
	atEnd := reply.Err == nil && left.more()
	switch {
	case m.Reverse && (atEnd || reply.Next < s.published.First()):
		reply.Next = 0
	case !m.Reverse && atEnd:
		// What was skipped or removed there is not to be looked at again.
		reply.Next = max(reply.Next, last+1)
	}
	return reply
}

// beyondBlock returns where to go on behind the block of a sequence.
func (s *stream) beyondBlock(sequence, last uint64, reverse bool) uint64 {
	view := s.published.View()
	b := view.Find(sequence)
	switch {
	case b == nil:
		return sequence
	case reverse:
		return b.First - 1
	}
	if after := view.Next(b); after != nil {
		return after.First
	}
	return last + 1
}

func (m *LastMessagesRequest) weight() int64 { return boundsOf(m.Max, m.MaxBytes).weight() }

func (m *LastMessagesRequest) refuse(_ *stream, err error) any {
	return &ReadReply{Next: m.From, Err: err, Tag: m.Tag}
}

func (m *LastMessagesRequest) carryOut(s *stream) any {
	left := boundsOf(m.Max, m.MaxBytes)
	reply := &ReadReply{Tag: m.Tag}
	var sequences []uint64
	err := s.ask(forever, patternSet(m.Patterns), func(l *lookup) (err error) {
		sequences, reply.Next, err = l.lastsFrom(m.From, m.MaxSequence, left.messages)
		return err
	})
	if err != nil {
		return m.refuse(s, err)
	}
	for i, sequence := range sequences {
		var loaded MessageBuffer
		err := s.load(sequence, &loaded)
		if errors.Is(err, ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			reply.Err = err
			if !errors.Is(err, ErrCorrupt) {
				reply.Next = sequence
				break
			}
		} else {
			reply.Messages = append(reply.Messages, loaded.Message)
		}
		if err != nil || !left.take(&loaded.Message) {
			if i+1 < len(sequences) {
				reply.Next = sequences[i+1]
			}
			break
		}
	}
	return reply
}

// lastsFrom is lasts of the first few at or after a sequence, ascending. It returns the
// one after them, 0 if there is none.
func (l *lookup) lastsFrom(from, most uint64, few int) (sequences []uint64, next uint64, err error) {
	if most == 0 || most > l.now.LastSequence {
		most = l.now.LastSequence
	}
	few++
	err = l.eachLast(max(from, 1), most, func(_ []byte, last uint64) {
		if sequences = append(sequences, last); len(sequences) == 2*few {
			slices.Sort(sequences)
			sequences = sequences[:few]
		}
	})
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(sequences)
	if len(sequences) >= few {
		return sequences[:few-1], sequences[few-1], nil
	}
	return sequences, 0, nil
}
