package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

var (
	// ErrBadStreamStateEncoding: the bytes are no encoded state of a stream, or of a version that is not known.
	ErrBadStreamStateEncoding = streamstate.ErrNoReplica
	// ErrCorruptStreamState: an encoded state that is cut, or contradicts itself.
	ErrCorruptStreamState = streamstate.ErrBadReplica
)

// StreamState is what Store.EncodedStreamState encodes.
type StreamState struct {
	Messages, Bytes             uint64
	FirstSequence, LastSequence uint64
	// Failed is what was given to EncodedStreamState.
	Failed uint64
	// Deleted are the sequences between the first and the last that have no message, as Store.SyncDeleted takes them.
	Deleted []SequenceRange
}

// EncodedStreamState returns the state of the stream and its deleted sequences as nats-server encodes them for another copy
// of the stream, as of one instant. failed is a number of the caller's, which is passed through. It costs what State
// does, and the size is a few bytes for each range of deleted sequences, or a bit for each sequence where there are many
// ranges.
func (s *Store) EncodedStreamState(ctx context.Context, failed uint64) ([]byte, error) {
	state, err := s.State(ctx)
	if err != nil {
		return nil, err
	}
	r := streamstate.Replica{
		Messages: state.Messages, Bytes: state.Bytes, First: state.FirstSequence, Last: state.LastSequence, Failed: failed,
		Deleted: make([]streamstate.Range, len(state.DeletedRanges)),
	}
	for i, d := range state.DeletedRanges {
		r.Deleted[i] = streamstate.Range(d)
	}
	return r.Append(nil), nil
}

// DecodeStreamState decodes what EncodedStreamState or a nats-server has encoded. It takes memory in proportion to the
// bytes, whatever they say. Errors: ErrBadStreamStateEncoding, ErrCorruptStreamState.
func DecodeStreamState(encoded []byte) (StreamState, error) {
	r, err := streamstate.DecodeReplica(encoded)
	if err != nil {
		return StreamState{}, err
	}
	s := StreamState{Messages: r.Messages, Bytes: r.Bytes, FirstSequence: r.First, LastSequence: r.Last, Failed: r.Failed}
	for _, d := range r.Deleted {
		s.Deleted = append(s.Deleted, SequenceRange(d))
	}
	return s, nil
}
