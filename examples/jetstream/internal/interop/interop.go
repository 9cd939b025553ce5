// Package interop compares what a real nats-server reads in a stream directory with what another
// reader of the same files says is there.
package interop

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// Message is a message as the other reader sees it.
type Message struct {
	Sequence uint64
	Time     time.Time
	Subject  string
	Header   []byte // the raw header block
	Payload  []byte
}

// Reading is what the other reader says about a stream.
type Reading struct {
	Messages uint64
	Bytes    uint64
	First    uint64
	Last     uint64
	// All yields every message in order. A message is good until the next is asked for.
	All iter.Seq2[Message, error]
}

// Difference says where server and reader disagree. It shows lengths and never content.
type Difference struct {
	Stream   string
	Sequence uint64 // 0: about the stream as a whole
	What     string
	Server   any
	Reader   any
}

// Error is the difference in one line.
func (d *Difference) Error() string {
	where := d.Stream
	if d.Sequence > 0 {
		where = fmt.Sprintf("%s message %d", d.Stream, d.Sequence)
	}
	return fmt.Sprintf("interop: %s: %s: the server has %v, the reader %v", where, d.What, d.Server, d.Reader)
}

// Compare asks the server for a stream and wants the same as the reading: number of messages,
// bytes, first and last sequence, and every message's sequence, time, subject, header block and
// payload. It returns how many messages were compared, and a *Difference at the first one.
func Compare(ctx context.Context, server *oracle.Server, stream string, reading Reading) (uint64, error) {
	state, err := server.State(ctx, stream)
	if err != nil {
		return 0, err
	}
	for _, pair := range []struct {
		what           string
		server, reader uint64
	}{
		{"messages", state.Messages, reading.Messages},
		{"bytes", state.Bytes, reading.Bytes},
		{"first sequence", state.First, reading.First},
		{"last sequence", state.Last, reading.Last},
	} {
		if pair.server != pair.reader {
			return 0, &Difference{Stream: stream, What: pair.what, Server: pair.server, Reader: pair.reader}
		}
	}
	return compareMessages(ctx, server, stream, state, reading)
}

func compareMessages(ctx context.Context, server *oracle.Server, stream string,
	state oracle.State, reading Reading) (compared uint64, err error) {
	next, stop := iter.Pull2(reading.All)
	defer stop()
	for theirs, err := range server.Messages(ctx, stream, max(state.First, 1), state.Last) {
		if err != nil {
			return compared, err
		}
		ours, err, more := next()
		if err != nil {
			return compared, err
		}
		if !more {
			return compared, &Difference{Stream: stream, Sequence: theirs.Sequence, What: "message",
				Server: "it", Reader: "reached its end"}
		}
		if difference := differ(theirs, ours); difference != nil {
			difference.Stream, difference.Sequence = stream, theirs.Sequence
			return compared, difference
		}
		compared++
	}
	if ours, err, more := next(); err != nil {
		return compared, err
	} else if more {
		return compared, &Difference{Stream: stream, Sequence: ours.Sequence, What: "message",
			Server: "reached its end", Reader: "it"}
	}
	if compared != state.Messages {
		return compared, &Difference{Stream: stream, What: "messages that can be read", Server: compared, Reader: state.Messages}
	}
	return compared, nil
}

func differ(theirs oracle.Message, ours Message) *Difference {
	switch {
	case theirs.Sequence != ours.Sequence:
		return &Difference{What: "sequence", Server: theirs.Sequence, Reader: ours.Sequence}
	case !theirs.Time.Equal(ours.Time):
		return &Difference{What: "time", Server: theirs.Time, Reader: ours.Time}
	case theirs.Subject != ours.Subject:
		return &Difference{What: "subject", Server: theirs.Subject, Reader: ours.Subject}
	case !bytes.Equal(theirs.Header, ours.Header):
		return &Difference{What: "bytes of header", Server: len(theirs.Header), Reader: len(ours.Header)}
	case !bytes.Equal(theirs.Payload, ours.Payload):
		return &Difference{What: "bytes of payload", Server: len(theirs.Payload), Reader: len(ours.Payload)}
	}
	return nil
}
