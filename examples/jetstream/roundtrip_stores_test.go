package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// tripState is all that a client and a store of ours can say of a stream.
type tripState struct {
	scriptState
	// alike is a hash of each message that does not depend on the stream's name or on the order of its headers, which a
	// client of NATS chooses at random.
	alike map[uint64]uint64
}

// likeness is what two streams have in common on which the same script was run.
func (s tripState) likeness() scriptState {
	like := s.withoutTimes()
	like.Contents = s.alike
	like.Subjects = map[string]actors.SubjectState{}
	for subject, state := range s.Subjects {
		_, rest, _ := strings.Cut(subject, ".")
		like.Subjects[rest] = state
	}
	return like
}

// endsBelow reports whether there is no message at or above a sequence, although that is not above the last one. A server that
// purges all below it leaves a first sequence then that is no message's, as scriptRun.endsAmongDeleted says.
func (s tripState) endsBelow(sequence uint64) bool {
	for live := range s.Contents {
		if live >= sequence {
			return false
		}
	}
	return sequence <= s.Last
}

// see adds a message.
func (s *tripState) see(sequence uint64, nanos int64, subject string, header, payload []byte) {
	s.Contents[sequence], s.Times[sequence] = contentHash(subject, header, payload), nanos
	lines := strings.SplitAfter(string(header), "\r\n")
	slices.Sort(lines)
	_, rest, _ := strings.Cut(subject, ".")
	s.alike[sequence] = contentHash(rest, []byte(strings.Join(lines, "")), payload)
}

// count adds a message to what is known of its subject.
func (s *tripState) count(subject string, sequence uint64) {
	of := s.Subjects[subject]
	if of.Messages == 0 {
		of.First = sequence
	}
	of.Messages, of.Last = of.Messages+1, sequence
	s.Subjects[subject] = of
}

func newTripState(state scriptState) tripState {
	state.Contents, state.Times = map[uint64]uint64{}, map[uint64]int64{}
	state.Subjects = map[string]actors.SubjectState{}
	return tripState{scriptState: state, alike: map[uint64]uint64{}}
}

// tripClient is a stream of a server, as a client has it.
type tripClient struct {
	ctx    context.Context
	server *oracle.Server
	name   string
	config tripConfig
}

// prefix is the first token of the subjects of a stream: its name in lower case. Names of both kinds are as long.
func prefix(stream string) string { return strings.ToLower(stream) }

func (c tripConfig) forServer(name string) server.StreamConfig {
	config := server.StreamConfig{
		Name: name, Subjects: []string{prefix(name) + ".>"}, Storage: server.FileStorage, Replicas: 1,
		MaxMsgs: c.maxMsgs, MaxBytes: c.maxBytes, MaxMsgsPer: c.maxPer, MaxAge: c.age, Duplicates: c.duplicates,
		DiscardNewPer: c.newPer, AllowMsgTTL: c.ttl, AllowRollup: c.rollup,
	}
	if c.compress {
		config.Compression = server.S2Compression
	}
	if c.discardNew {
		config.Discard = server.DiscardNew
	}
	return config
}

// refused is the answer to a message that a store does not take.
const refused = "refused"

func (c *tripClient) publish(m tripMessage) (string, error) {
	message := nats.NewMsg(prefix(c.name) + "." + m.subject)
	message.Header, message.Data = nats.Header(m.header), m.payload
	ack, err := c.server.JetStream().PublishMsg(message, nats.Context(c.ctx))
	var api *nats.APIError
	switch {
	case errors.As(err, &api):
		return refused, nil
	case err != nil:
		return "", err
	}
	return fmt.Sprint(ack.Sequence, ack.Duplicate), nil
}

func (c *tripClient) publishMany(messages []tripMessage) error {
	for _, m := range messages {
		message := nats.NewMsg(prefix(c.name) + "." + m.subject)
		message.Header, message.Data = nats.Header(m.header), m.payload
		if _, err := c.server.JetStream().PublishMsgAsync(message); err != nil {
			return err
		}
	}
	select {
	case <-c.server.JetStream().PublishAsyncComplete():
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (c *tripClient) remove(sequence uint64, erase bool) (string, error) {
	remove := c.server.JetStream().DeleteMsg
	if erase {
		remove = c.server.JetStream().SecureDeleteMsg
	}
	err := remove(c.name, sequence, nats.Context(c.ctx))
	var api *nats.APIError
	if err != nil && !errors.As(err, &api) && !errors.Is(err, nats.ErrInvalidArg) {
		return "", err
	}
	return fmt.Sprint(err == nil), nil
}

func (c *tripClient) purge(subject string, below, keep uint64) (string, error) {
	request := server.JSApiStreamPurgeRequest{Sequence: below, Keep: keep}
	if subject != "" {
		request.Subject = prefix(c.name) + "." + subject
	}
	data, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	answer, err := c.server.Conn().RequestWithContext(c.ctx, fmt.Sprintf(server.JSApiStreamPurgeT, c.name), data)
	if err != nil {
		return "", err
	}
	var purged server.JSApiStreamPurgeResponse
	if err := json.Unmarshal(answer.Data, &purged); err != nil {
		return "", err
	}
	if purged.Error != nil {
		return "", purged.Error
	}
	return fmt.Sprint(purged.Purged), nil
}

func (c *tripClient) limit(maxPer int64) error {
	c.config.maxPer = maxPer
	data, err := json.Marshal(c.config.forServer(c.name))
	if err != nil {
		return err
	}
	answer, err := c.server.Conn().RequestWithContext(c.ctx, fmt.Sprintf(server.JSApiStreamUpdateT, c.name), data)
	if err != nil {
		return err
	}
	var updated server.JSApiStreamUpdateResponse
	if err := json.Unmarshal(answer.Data, &updated); err != nil {
		return err
	}
	if updated.Error != nil {
		return updated.Error
	}
	return nil
}

func (c *tripClient) last() (uint64, error) {
	info, err := c.server.JetStream().StreamInfo(c.name, nats.Context(c.ctx))
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

func (c *tripClient) observe() (tripState, error) {
	state, err := c.server.State(c.ctx, c.name)
	if err != nil {
		return tripState{}, err
	}
	seen := newTripState(scriptState{
		Messages: state.Messages, Bytes: state.Bytes, First: state.First, Last: state.Last,
		FirstNanos: nanosOrNone(state.FirstTime), LastNanos: nanosOrNone(state.LastTime), Deleted: slices.Compact(state.Deleted),
	})
	if seen.Deleted = slices.DeleteFunc(seen.Deleted, func(s uint64) bool { return s < state.First || state.Last == 0 }); len(seen.Deleted) == 0 {
		seen.Deleted = nil
	}
	for m, err := range c.server.Messages(c.ctx, c.name, max(1, state.First), state.Last) {
		if err != nil {
			return tripState{}, err
		}
		seen.see(m.Sequence, m.Time.UnixNano(), m.Subject, m.Header, m.Payload)
		seen.count(m.Subject, m.Sequence)
	}
	for subject, n := range state.Subjects {
		if seen.Subjects[subject].Messages != n {
			return seen, fmt.Errorf("the server says that %s has %d messages, and has %d", subject, n, seen.Subjects[subject].Messages)
		}
	}
	seen.mendFirst()
	return seen, nil
}

// tripOurs is a stream in a store of ours.
type tripOurs struct {
	ctx context.Context
	*actors.Store
}

// openTrip opens a stream of a server, or one of ours.
func openTrip(ctx context.Context, system *actor.ActorSystem, storeDir, name string, c tripConfig, stage tripStage, isNew bool) (*tripOurs, error) {
	config := actors.Config{
		Dir: filepath.Dir(oracle.StreamDir(storeDir, name)), Name: name, BlockSize: c.blockSize, Duplicates: c.duplicates,
		CompactBelow: 90, Key: stage.key,
	}
	if stage.key != nil {
		config.Cipher = stage.cipher
	}
	if isNew {
		config.Subjects = []string{prefix(name) + ".>"}
		config.MaxMsgs, config.MaxBytes, config.MaxMsgsPer, config.MaxAge = c.maxMsgs, c.maxBytes, c.maxPer, c.age
		config.AllowMsgTTL, config.AllowRollup, config.Compression = onIf(c.ttl), onIf(c.rollup), onIf(c.compress)
		config.DiscardNewPer = onIf(c.newPer)
		if c.discardNew {
			config.Discard = actors.DiscardNew
		}
	}
	store, err := actors.Open(ctx, system, config)
	if err != nil {
		return nil, err
	}
	return &tripOurs{ctx, store}, nil
}

func onIf(on bool) actors.Switch {
	if on {
		return actors.On
	}
	return actors.AsStored
}

func (s *tripOurs) publish(m tripMessage) (string, error) {
	var options []actors.StoreOption
	if m.expectLast != nil {
		options = append(options, actors.ExpectLast(*m.expectLast))
	}
	ack, err := s.StoreMsg(s.ctx, prefix(s.Name())+"."+m.subject, m.header, m.payload, options...)
	for _, refusal := range []error{actors.ErrMaxMsgs, actors.ErrMaxBytes, actors.ErrMaxMsgsPerSubject, actors.ErrSequenceMismatch, actors.ErrBadHeader} {
		if errors.Is(err, refusal) {
			return refused, nil
		}
	}
	return fmt.Sprint(ack.Sequence, ack.Duplicate), err
}

func (s *tripOurs) publishMany(messages []tripMessage) error {
	pipeline := s.Pipeline(16, nil)
	for _, m := range messages {
		if _, err := pipeline.Store(s.ctx, prefix(s.Name())+"."+m.subject, m.header, m.payload); err != nil {
			return err
		}
	}
	err := pipeline.Wait(s.ctx)
	if errors.Is(err, actors.ErrMaxMsgs) || errors.Is(err, actors.ErrMaxMsgsPerSubject) || errors.Is(err, actors.ErrMaxBytes) {
		return nil
	}
	return err
}

func (s *tripOurs) remove(sequence uint64, erase bool) (string, error) {
	remove := s.RemoveMsg
	if erase {
		remove = s.EraseMsg
	}
	removed, err := remove(s.ctx, sequence)
	if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
		err = nil
	}
	return fmt.Sprint(removed), err
}

func (s *tripOurs) purge(subject string, below, keep uint64) (string, error) {
	switch {
	case subject != "":
		return counted(s.PurgeEx(s.ctx, actors.Filter(prefix(s.Name())+"."+subject), below, keep))
	case below > 0:
		return counted(s.Compact(s.ctx, below))
	}
	return counted(s.Purge(s.ctx))
}

func (s *tripOurs) limit(maxPer int64) error {
	return s.UpdateConfig(s.ctx, actors.Config{Name: s.Name(), MaxMsgsPer: maxPer})
}

func (s *tripOurs) last() (uint64, error) {
	state, err := s.FastState(s.ctx)
	return state.LastSequence, err
}

func (s *tripOurs) observe() (tripState, error) { return s.observing() }

// observing is observe that reads the messages with options.
func (s *tripOurs) observing(options ...actors.ReadOption) (tripState, error) {
	state, err := s.State(s.ctx)
	if err != nil {
		return tripState{}, err
	}
	seen := newTripState(scriptState{
		Messages: state.Messages, Bytes: state.Bytes, First: state.FirstSequence, Last: state.LastSequence,
		FirstNanos: nanosOrNone(state.FirstTime), LastNanos: nanosOrNone(state.LastTime),
	})
	for sequence := range actors.Sequences(state.DeletedRanges) {
		seen.Deleted = append(seen.Deleted, sequence)
	}
	subjects, err := s.SubjectsState(s.ctx)
	if err != nil {
		return tripState{}, err
	}
	for subject, of := range subjects {
		seen.Subjects[subject] = of
	}
	for m, err := range s.Messages(s.ctx, append(options, actors.From(1))...) {
		if err != nil {
			return tripState{}, err
		}
		seen.see(m.Sequence, m.Time.UnixNano(), m.Subject, m.HeaderBlock, m.Payload)
	}
	return seen, nil
}

var _, _ tripStore = (*tripClient)(nil), (*tripOurs)(nil)

// tripTimeout bounds what one group of scripts may take.
const tripTimeout = 5 * time.Minute
