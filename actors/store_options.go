package actors

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// StoreOption changes what a store does.
type StoreOption func(*storeOptions)

// storeOptions is what the options of one message say.
type storeOptions struct {
	last   engine.Precondition
	expect []engine.ExpectedLast
	rollup RollupKind
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
// as much as there are subjects that they select.
func ExpectLastOf(filters Filters, sequence uint64) StoreOption {
	return func(o *storeOptions) {
		set := setOf([]Filters{filters})
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
// or nothing. Where new messages of a full subject are refused (DiscardNewPer), such a message is not. It
// is refused in a batch, with ErrRollupInBatch; when a block that may have such messages cannot be read at the
// moment, with ErrUnreadable.
func Rollup(kind RollupKind) StoreOption {
	return func(o *storeOptions) { o.rollup = kind }
}

// setOptions applies the options of a single message.
func (o *op) setOptions(options []StoreOption) {
	if len(options) == 0 {
		return
	}
	var all storeOptions
	for _, option := range options {
		option(&all)
	}
	o.store.Precondition, o.store.Expect, o.store.Rollup = all.last, all.expect, all.rollup
}

// setOptions applies the options of one message of a batch, for which ExpectLast is an expectation like others:
// that of the sequence before its own.
func (m *BatchMessage) setOptions(own *engine.Message) {
	if len(m.Options) == 0 {
		return
	}
	var all storeOptions
	for _, option := range m.Options {
		option(&all)
	}
	if all.last.HasExpectLast {
		all.expect = append(all.expect, engine.ExpectedLast{Stream: true, Sequence: all.last.ExpectLast})
	}
	own.Expect, own.Rollup = all.expect, all.rollup
}

// setBatchOptions applies the options of a batch, which are looked at before its first message.
func (o *op) setBatchOptions(options []StoreOption) {
	if len(options) == 0 {
		return
	}
	var all storeOptions
	for _, option := range options {
		option(&all)
	}
	o.batch.Precondition = all.last
	if len(o.batch.Messages) > 0 {
		first := &o.batch.Messages[0]
		first.Expect = slices.Concat(all.expect, first.Expect)
		first.Rollup = max(first.Rollup, all.rollup)
	}
}
