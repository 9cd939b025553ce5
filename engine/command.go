package engine

import (
	"bytes"
	"fmt"
	"strings"
)

// CommandKind names a command.
type CommandKind uint8

const (
	// CommandStore appends one message with the next sequence and the time of
	// the command.
	CommandStore CommandKind = iota + 1
	// CommandStoreRaw appends one message with the given sequence (0: the next)
	// and time, as a replica or a migration does.
	CommandStoreRaw
	// CommandStoreBatch appends all of Batch or none of it, also across a crash.
	CommandStoreBatch
	// CommandSkip uses up Count sequences from Sequence (0: the next) on
	// without a message.
	CommandSkip
	// CommandFlush is answered when everything before it is durable, whatever
	// the sync level.
	CommandFlush
	// CommandStop is answered when everything before it is durable and the tail
	// block is sealed. Later commands are refused with ErrStopped.
	CommandStop
)

var commandNames = [...]string{
	CommandStore: "store", CommandStoreRaw: "store raw", CommandStoreBatch: "store batch",
	CommandSkip: "skip", CommandFlush: "flush", CommandStop: "stop",
}

// String returns the command's name.
func (k CommandKind) String() string {
	if int(k) < len(commandNames) && commandNames[k] != "" {
		return commandNames[k]
	}
	return fmt.Sprintf("CommandKind(%d)", uint8(k))
}

// Message is one message of a batch.
type Message struct {
	Subject string
	Header  []byte // a header block, or empty
	Payload []byte
}

// Command is one input. Which fields count depends on its kind.
type Command struct {
	Kind    CommandKind
	Message           // store, store raw
	Batch   []Message // store batch

	// Sequence is what a raw store or a skip asks for; 0 means the next one.
	Sequence uint64
	// Count is the number of sequences to skip.
	Count uint64
	// Time is a raw store's time.
	Time int64
	// ExpectLast, with HasExpectLast, refuses the command unless the last
	// sequence is this one. Store and store batch.
	ExpectLast    uint64
	HasExpectLast bool
	// CheckDiscardNew applies the limits of DiscardNew to a raw store. Replicas
	// leave it false, so that they never refuse what the leader accepted.
	CheckDiscardNew bool

	// Tag comes back in the reply. A nil tag asks for no reply.
	Tag any
}

// Reply answers one command.
type Reply struct {
	Tag      any
	Sequence uint64 // store: the sequence; batch: of its last message; skip: the last skipped
	Count    int    // messages stored
	Time     int64
	Err      error
}

// clone returns a command that shares no bytes with the caller's.
func (c *Command) clone() Command {
	own := *c
	own.Message = c.Message.clone()
	if c.Batch != nil {
		own.Batch = make([]Message, len(c.Batch))
		for i := range c.Batch {
			own.Batch[i] = c.Batch[i].clone()
		}
	}
	return own
}

func (m *Message) clone() Message {
	return Message{
		Subject: strings.Clone(m.Subject),
		Header:  bytes.Clone(m.Header),
		Payload: bytes.Clone(m.Payload),
	}
}
