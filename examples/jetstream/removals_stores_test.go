package main

import (
	"context"
	"errors"
	"hash/fnv"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

const (
	scriptStream    = "SCRIPT"
	scriptBlockSize = 4 << 10
)

// scriptState is all that the stores say about a stream, in one form.
type scriptState struct {
	Messages, Bytes uint64
	First, Last     uint64
	FirstNanos      int64 // 0 for none
	LastNanos       int64
	Deleted         []uint64
	Subjects        map[string]actors.SubjectState
	Contents        map[uint64]uint64 // a hash of subject, header and payload by sequence
	Times           map[uint64]int64  // by sequence
}

// withoutTimes is for two stores of which each has stored the message of each sequence at its own time.
func (s scriptState) withoutTimes() scriptState {
	s.FirstNanos, s.LastNanos, s.Times = 0, 0, nil
	return s
}

// nanosOrNone returns 0 for no time, which a server may have stored as the nanoseconds of no time.
func nanosOrNone(t time.Time) int64 {
	if t.IsZero() || t.UnixNano() == (time.Time{}).UnixNano() {
		return 0
	}
	return t.UnixNano()
}

func contentHash(subject string, header, payload []byte) uint64 {
	h := fnv.New64a()
	for _, part := range [][]byte{[]byte(subject), header, payload} {
		_, _ = h.Write(part)
		_, _ = h.Write([]byte{0xff, byte(len(part))})
	}
	return h.Sum64()
}

// theirs is the server's store.
type theirs struct{ *oracle.LoneStore }

func openTheirs(t *testing.T, streams string, maxPer int64) theirs {
	t.Helper()
	store, err := oracle.OpenLone(filepath.Join(streams, scriptStream), theirConfig(maxPer), scriptBlockSize)
	require.NoError(t, err)
	return theirs{store}
}

func theirConfig(maxPer int64) server.StreamConfig {
	return server.StreamConfig{
		Name: scriptStream, Subjects: []string{"s.>"}, MaxMsgs: -1, MaxBytes: -1, MaxMsgsPer: maxPer,
		Retention: server.LimitsPolicy, Discard: server.DiscardOld, Replicas: 1, Storage: server.FileStorage,
	}
}

func (s theirs) store(subject string, header, payload []byte) error {
	_, err := s.Store(subject, header, payload)
	return err
}

func (s theirs) batch(messages []scriptMessage) error {
	for _, m := range messages {
		if err := s.store(m.subject, nil, m.payload); err != nil {
			return err
		}
	}
	return nil
}

func (s theirs) skip(count uint64) error { return s.Skip(count) }

// remove answers the errors of both stores in one form: false.
func (s theirs) remove(sequence uint64) (bool, error) {
	removed, err := s.Remove(sequence)
	if errors.Is(err, server.ErrStoreMsgNotFound) || errors.Is(err, server.ErrStoreEOF) {
		err = nil
	}
	return removed, err
}

func (s theirs) purge() (uint64, error) { return s.Purge() }

func (s theirs) purgeEx(filter string, below, keep uint64) (uint64, error) {
	return s.PurgeEx(filter, below, keep)
}

func (s theirs) compact(below uint64) (uint64, error) { return s.Compact(below) }

// erase removes: what a server does when it erases is not what is asked here, but what it makes of our files when we do.
func (s theirs) erase(sequence uint64) (bool, error) { return s.remove(sequence) }

func (s theirs) truncate(above uint64) error { return s.Truncate(above) }

func (s theirs) limit(maxPer int64) error { return s.UpdateConfig(theirConfig(maxPer)) }

func (s theirs) observe() (scriptState, error) {
	state := s.State()
	seen := scriptState{
		Messages: state.Msgs, Bytes: state.Bytes, First: state.FirstSeq, Last: state.LastSeq,
		FirstNanos: nanosOrNone(state.FirstTime), LastNanos: nanosOrNone(state.LastTime), Deleted: slices.Compact(state.Deleted), // some are in it twice
		Subjects: map[string]actors.SubjectState{}, Contents: map[uint64]uint64{}, Times: map[uint64]int64{},
	}
	// A new stream has sequence 0, and rarely another one that is below the first.
	seen.Deleted = slices.DeleteFunc(seen.Deleted, func(sequence uint64) bool { return sequence < state.FirstSeq || state.LastSeq == 0 })
	if len(seen.Deleted) == 0 {
		seen.Deleted = nil
	}
	for subject, of := range s.Subjects() {
		seen.Subjects[subject] = actors.SubjectState{Messages: of.Msgs, First: of.First, Last: of.Last}
	}
	for sequence := max(state.FirstSeq, 1); sequence <= state.LastSeq; sequence++ {
		m, err := s.Load(sequence)
		if err != nil {
			continue // removed: what is missing by mistake is missing from the contents
		}
		seen.Contents[sequence], seen.Times[sequence] = contentHash(m.Subject, m.Header, m.Payload), m.Nanos
	}
	seen.mendFirst()
	return seen, nil
}

// mendFirst puts right what the server does not know of its first message; all else that it says is taken as it is.
//
// Its first sequence can be one that was removed: when a compaction leaves nothing in the block that it ends in, the
// server says that the next block begins behind that one, although there may be only removed sequences before the first
// message. It lists those as deleted, too.
//
// Its first time can be none: when it reads a block again that begins with a skip, or with what was erased, it
// forgets to set the time at the first message. The times of all messages are compared besides.
func (s *scriptState) mendFirst() {
	if s.Messages == 0 {
		return
	}
	first := s.First
	for len(s.Deleted) > 0 && s.Deleted[0] == s.First {
		s.First, s.Deleted = s.First+1, s.Deleted[1:]
	}
	if len(s.Deleted) == 0 {
		s.Deleted = nil
	}
	if s.First != first || s.FirstNanos == 0 {
		s.FirstNanos = s.Times[s.First]
	}
}

// ours is a store of this repository.
type ours struct {
	*actors.Store
	ctx context.Context
}

func openOurs(t *testing.T, streams string, maxPer int64, compress bool) ours {
	t.Helper()
	config := actors.Config{
		Dir: streams, Name: scriptStream, Subjects: []string{"s.>"}, BlockSize: scriptBlockSize, MaxMsgsPer: maxPer,
		CompactBelow: 90,
	}
	if compress {
		config.BlockSize, config.Compression = 2*scriptBlockSize, actors.On // smaller blocks are not compressed
	}
	store, err := actors.Open(t.Context(), scriptSystem(), config)
	require.NoError(t, err)
	return ours{store, t.Context()}
}

func (s ours) store(subject string, header, payload []byte) error {
	_, err := s.StoreRaw(s.ctx, actors.RawMessage{Time: time.Now(), Subject: subject, HeaderBlock: header, Payload: payload})
	return err
}

func (s ours) batch(messages []scriptMessage) error {
	var batch []actors.BatchMessage
	for _, m := range messages {
		batch = append(batch, actors.BatchMessage{Subject: m.subject, Payload: m.payload})
	}
	_, err := s.StoreBatch(s.ctx, batch)
	return err
}

func (s ours) skip(count uint64) error {
	_, err := s.Skip(s.ctx, 0, count)
	return err
}

func (s ours) remove(sequence uint64) (bool, error) {
	removed, err := s.RemoveMsg(s.ctx, sequence)
	if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
		err = nil
	}
	return removed, err
}

func (s ours) purge() (uint64, error) { return s.Purge(s.ctx) }

func (s ours) purgeEx(filter string, below, keep uint64) (uint64, error) {
	return s.PurgeEx(s.ctx, actors.Filter(filter), below, keep)
}

func (s ours) compact(below uint64) (uint64, error) { return s.Compact(s.ctx, below) }

func (s ours) erase(sequence uint64) (bool, error) {
	removed, err := s.EraseMsg(s.ctx, sequence)
	if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
		err = nil
	}
	return removed, err
}

func (s ours) limit(maxPer int64) error {
	return s.UpdateConfig(s.ctx, actors.Config{Name: scriptStream, MaxMsgsPer: maxPer})
}

func (s ours) truncate(above uint64) error {
	_, err := s.Truncate(s.ctx, above)
	return err
}

func (s ours) observe() (scriptState, error) {
	state, err := s.State(s.ctx)
	if err != nil {
		return scriptState{}, err
	}
	seen := scriptState{
		Messages: state.Messages, Bytes: state.Bytes, First: state.FirstSequence, Last: state.LastSequence,
		FirstNanos: nanosOrNone(state.FirstTime), LastNanos: nanosOrNone(state.LastTime), Contents: map[uint64]uint64{}, Times: map[uint64]int64{},
	}
	for sequence := range actors.Sequences(state.DeletedRanges) {
		seen.Deleted = append(seen.Deleted, sequence)
	}
	if seen.Subjects, err = s.SubjectsState(s.ctx); err != nil {
		return scriptState{}, err
	}
	if seen.Subjects == nil {
		seen.Subjects = map[string]actors.SubjectState{}
	}
	for m, err := range s.Messages(s.ctx, actors.From(1)) {
		if err != nil {
			return scriptState{}, err
		}
		seen.Contents[m.Sequence], seen.Times[m.Sequence] = contentHash(m.Subject, m.HeaderBlock, m.Payload), m.Time.UnixNano()
	}
	return seen, nil
}

// scriptSystem is the actor system for the stores of scripts, of which there are thousands: the library never lets go of the
// memory of one.
var scriptSystem = sync.OnceValue(interop.QuietSystem)
