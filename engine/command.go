package engine

import (
	"bytes"
	"slices"
	"strings"
)

// Command is one input of an engine: a *Store, *StoreRaw, *StoreBatch, *Skip, *Flush
// or *Stop. Each kind is in a file of its own, with all that it does.
type Command interface {
	// Size returns how many bytes of subjects, headers and payloads the command has,
	// and in how many pieces: one, and one for each message of a batch.
	Size() (pieces, bytes int)
	// apply carries the command out and answers it. It reports false when a table
	// is missing that it needs; nothing has changed then, and it is tried again.
	apply(e *Engine, tag any) bool
	// clone returns a command that shares no memory with the caller's.
	clone() Command
	// subjectAhead returns the subject that the command will look up, or "" when it
	// is not worth fetching: see Engine.Fetch.
	subjectAhead() string
}

// Message is what a message consists of, besides its sequence and its time.
type Message struct {
	Subject string
	Header  []byte // a header block, or empty
	Payload []byte
	// Identified tells that whoever stores the message relies on its id: it is refused where none is remembered.
	Identified bool
	// Mortal tells that whoever stores the message relies on its TTL: it is refused where none means anything.
	Mortal bool
	Rollup Rollup         // which messages it takes the place of
	Expect []ExpectedLast // what refuses the message, and its batch, unless it holds
}

func (m *Message) clone() Message {
	expect := slices.Clone(m.Expect)
	for i := range expect {
		expect[i] = expect[i].clone()
	}
	return Message{
		Subject:    strings.Clone(m.Subject),
		Header:     bytes.Clone(m.Header),
		Payload:    bytes.Clone(m.Payload),
		Rollup:     m.Rollup,
		Identified: m.Identified,
		Mortal:     m.Mortal,
		Expect:     expect,
	}
}

// plain reports whether a message is no more than a subject and a payload: it has no header that could mean
// something, and asks for nothing. What is done for the others need not be looked at for it.
func (m *Message) plain() bool {
	return len(m.Header) == 0 && len(m.Expect) == 0 && m.Rollup == RollupNone && !m.Identified && !m.Mortal
}

func (m *Message) size() int { return len(m.Subject) + len(m.Header) + len(m.Payload) }

// Precondition refuses a command, with ErrSequenceMismatch, unless it holds.
type Precondition struct {
	// ExpectLast, with HasExpectLast, is what the last sequence has to be.
	ExpectLast    uint64
	HasExpectLast bool
}

// Reply answers one command.
type Reply struct {
	Tag      any
	Sequence uint64 // store: the sequence; batch: of its last message; skip: the last skipped
	Count    int    // messages stored
	Time     int64
	// Duplicate tells that the messages were stored before, with these sequences. Their time is not told.
	Duplicate bool
	Err       error
}
