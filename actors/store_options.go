package actors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// StoreOption changes what a store does.
type StoreOption func(*storeOptions)

// storeOptions is what the options of one message say.
type storeOptions struct {
	last   engine.Precondition
	expect []engine.ExpectedLast
	rollup RollupKind
	id     string
	hasID  bool
	err    error // of an option
	ttl    time.Duration
	hasTTL bool
	mortal string // the value of the header for it
}

// ExpectLast refuses a store with ErrSequenceMismatch unless the stream's last
// sequence is this one when its turn comes.
func ExpectLast(sequence uint64) StoreOption {
	return func(o *storeOptions) { o.last = engine.Precondition{ExpectLast: sequence, HasExpectLast: true} }
}

// ExpectLastOfSubject refuses a store with ErrSequenceMismatch unless the last message of a subject
// has this sequence when its turn comes; 0 means that the subject has no message. Wildcards
// in the subject have no meaning, and the empty one stands for every message, as in Literal. A message
// that was removed is not the last one any more: that is the newest that is there.
//
// The option may be given several times; all of it has to hold.
func ExpectLastOfSubject(subject string, sequence uint64) StoreOption {
	return func(o *storeOptions) {
		o.expect = append(o.expect, engine.ExpectedLast{Subject: subject, Sequence: sequence})
	}
}

// ExpectLastOf is ExpectLastOfSubject for the messages that filters select: the last of them all. It costs
// as much as there are subjects that they select. Filters of Where are refused with ErrPredicate.
func ExpectLastOf(filters Filters, sequence uint64) StoreOption {
	return func(o *storeOptions) {
		set, err := setOfChange([]Filters{filters})
		o.err = cmp.Or(o.err, err)
		o.expect = append(o.expect, engine.ExpectedLast{Filter: &set, Sequence: sequence})
	}
}

// RollupKind says which messages a message takes the place of.
type RollupKind = engine.Rollup

// What a message can take the place of, see Rollup.
const (
	RollupSubject = engine.RollupSubject // the messages of its subject
	RollupAll     = engine.RollupAll     // all messages of the stream
)

// Rollup stores a message and removes the ones whose place it takes, as one: a crash leaves all of it or
// nothing (of more than a million messages of a subject perhaps some, with the message). Readers see all of it
// or nothing. Where new messages of a full subject are refused (DiscardNewPer), such a message is not. In a batch it
// also takes the place of the messages of its subject that come before it there, and all that goes does so with the
// batch, as one; only the first message of a batch may take the place of all (ErrRollupInBatch). When a block that may
// have such messages cannot be read at the moment, it is refused with ErrUnreadable.
func Rollup(kind RollupKind) StoreOption {
	return func(o *storeOptions) { o.rollup = kind }
}

// MsgID gives a message an id, with which it can be stored again safely when the outcome of a store is not
// known: after ErrOutcomeUnknown, ErrFailed, the end of a context, or a crash. If a message with the same id
// was stored within Config.Duplicates, the answer is its sequence, with Ack.Duplicate, once that message is
// as durable as the sync level says; preconditions and limits do not count then. The id is stored as the header
// Nats-Msg-Id, in the place of one that the message has.
//
// Ids are rebuilt from the messages when the stream is opened. That of a message which was removed is
// remembered until then, and may be forgotten by it.
func MsgID(id string) StoreOption {
	return func(o *storeOptions) { o.id, o.hasID = id, true }
}

// msgIDHeader is the header that has the id of a message.
const msgIDHeader = msgheader.MsgID

// gatherOptions returns what options say.
func gatherOptions(list []StoreOption) (all storeOptions, err error) {
	for _, option := range list {
		option(&all)
	}
	if all.err != nil {
		return all, all.err
	}
	if all.hasID && (all.id == "" || all.id[0] == ' ') {
		return all, fmt.Errorf("%w: it is empty or begins with a space", ErrBadMsgID)
	}
	if all.hasTTL {
		all.mortal, err = ttlValue(all.ttl)
	}
	return all, err
}

// header returns the headers of a message that has these.
func (all *storeOptions) header(h Header) Header {
	if !all.hasID && !all.hasTTL {
		return h
	}
	own := make(Header, len(h)+2)
	maps.Copy(own, h)
	if all.hasID {
		own[msgIDHeader] = []string{all.id}
	}
	if all.hasTTL {
		own[msgheader.TTL] = []string{all.mortal}
	}
	return own
}

// ofMessage sets what options say of a message of a batch, for which ExpectLast is an expectation like others: that
// of the sequence before its own.
func (all *storeOptions) ofMessage(m *engine.Message) {
	if all.last.HasExpectLast {
		all.expect = append(all.expect, engine.ExpectedLast{Stream: true, Sequence: all.last.ExpectLast})
	}
	m.Expect, m.Rollup, m.Identified, m.Mortal = all.expect, all.rollup, all.hasID, all.hasTTL
}

// ofStore sets what options say of a single message.
func (all *storeOptions) ofStore(c *engine.Store) {
	c.Precondition, c.Expect, c.Rollup, c.Identified, c.Mortal = all.last, all.expect, all.rollup, all.hasID, all.hasTTL
}

// takeOptions sets what options say of the op's message, and returns its headers with those that they add.
func (o *op) takeOptions(header Header, options []StoreOption) (Header, error) {
	if len(options) == 0 {
		return header, nil
	}
	all, err := gatherOptions(options)
	if err != nil {
		return nil, err
	}
	all.ofStore(&o.store)
	return all.header(header), nil
}

// setBatchOptions applies the options of a batch, which are looked at before its first message.
func (o *op) setBatchOptions(options []StoreOption) error {
	if len(options) == 0 {
		return nil
	}
	all, err := gatherOptions(options)
	if err != nil {
		return err
	}
	if all.hasID {
		return fmt.Errorf("%w: each message of a batch has its own", ErrBadMsgID)
	}
	if all.hasTTL {
		return fmt.Errorf("%w: each message of a batch has a TTL of its own", ErrBadHeader)
	}
	o.batch.Precondition = all.last
	if len(o.batch.Messages) > 0 {
		first := &o.batch.Messages[0]
		first.Expect = slices.Concat(all.expect, first.Expect)
		first.Rollup = max(first.Rollup, all.rollup)
	}
	return nil
}
