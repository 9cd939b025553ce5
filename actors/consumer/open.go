package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Open opens a consumer of source, which it makes if there is none, and takes it from whoever has it open. Its state is
// in the stream state, which may be source itself where the filters do not select subjects that begin with "_consumer.",
// and which must not remove old messages by itself: no MaxAge, and no MaxMsgs and MaxBytes with DiscardOld. The
// consumer's actor belongs to system. It stops when one of the two streams does.
//
// Errors: ErrConfig lists every problem; ErrNoConsumer; ErrDifferent; ErrOtherStream; ErrState; those of the stores.
func Open(ctx context.Context, system *actor.ActorSystem, source, state *actors.Store, config Config) (*Consumer, error) {
	if err := check(system, source, state, &config); err != nil {
		return nil, err
	}
	c, err := open(ctx, system, source, state, config)
	if err != nil {
		return nil, fmt.Errorf("open consumer %s of %s: %w", config.Name, source.Name(), err)
	}
	return c, nil
}

// check refuses what cannot be.
func check(system *actor.ActorSystem, source, state *actors.Store, config *Config) error {
	if system == nil || source == nil || state == nil {
		return fmt.Errorf("%w: the actor system or a stream is nil", ErrConfig)
	}
	if err := config.Validate(); err != nil {
		return err
	}
	limits := state.Limits()
	if limits.MaxAge > 0 || limits.Discard == engine.DiscardOld && (limits.MaxMsgs > 0 || limits.MaxBytes > 0) {
		return fmt.Errorf("%w: stream %s removes old messages, and would remove the state", ErrConfig, state.Name())
	}
	return nil
}

func open(ctx context.Context, system *actor.ActorSystem, source, state *actors.Store, config Config) (*Consumer, error) {
	// What is published can be read of a stopped stream, too.
	if _, err := source.LoadMsg(ctx, 0); errors.Is(err, actors.ErrStopped) {
		return nil, err
	}
	// Whoever has it open is left alone if it turns out that it cannot be opened so.
	if _, _, _, err := look(ctx, source, state, &config); err != nil {
		return nil, err
	}
	subject := stateSubject(source.Name(), config.Name)
	claim, err := state.StoreMsg(ctx, ownerSubject(subject), nil, nil, actors.Rollup(actors.RollupSubject))
	if err != nil {
		return nil, err
	}
	// From now on nobody else stores anything, unless he takes the consumer from us.
	h, core, has, err := look(ctx, source, state, &config)
	if err != nil {
		return nil, err
	}
	h.whole = 0 // begin with a snapshot
	h.claim = claim.Sequence
	m, journal := h.record(core, 0)
	ack, err := state.StoreMsg(ctx, m.Subject, nil, m.Payload, m.Options...)
	if errors.Is(err, actors.ErrSequenceMismatch) {
		err = ErrTaken
	}
	if err != nil {
		return nil, err
	}
	journal.last = ack.Sequence
	return start(system, source, state, &config, has, core, journal), nil
}

// look reads the state of a consumer, or makes that of a new one.
func look(ctx context.Context, source, state *actors.Store, config *Config) (h *history, core *cursor.Cursor, has stored, err error) {
	if h, err = loadState(ctx, state, stateSubject(source.Name(), config.Name)); err != nil {
		return nil, nil, has, err
	}
	created, err := createdAt(source)
	if err != nil {
		return nil, nil, has, err
	}
	switch {
	case h.last > 0:
		core, has, err = reopen(ctx, source, h, config, created)
	case config.MustExist:
		err = ErrNoConsumer
	default:
		core, has, err = begin(ctx, source, config, created)
	}
	if err == nil {
		err = errors.Join(loops(source, state, has), fits(state, has))
	}
	return h, core, has, err
}

// createdAt returns when a stream was made.
func createdAt(stream *actors.Store) (time.Time, error) {
	b, err := stream.StreamConfig()
	if err != nil {
		return time.Time{}, err
	}
	var meta struct {
		Created time.Time `json:"created"`
	}
	err = json.Unmarshal(b, &meta)
	return meta.Created, err
}

// reopen goes on with a state.
func reopen(ctx context.Context, source *actors.Store, h *history, config *Config, created time.Time) (*cursor.Cursor, stored, error) {
	core, has, err := h.rebuild()
	if err != nil {
		return nil, has, err
	}
	if !has.Created.Equal(created) {
		return nil, has, fmt.Errorf("%w: made at %v, not at %v", ErrOtherStream, has.Created, created)
	}
	if has, err = has.with(config); err != nil {
		return nil, has, err
	}
	core.Settings = has.settings()
	core.SetConfig(has.bytes())
	state, err := source.FastState(ctx)
	if err == nil {
		// The stream may have been truncated meanwhile.
		core.Rewind(state.LastSequence+1, time.Now().UnixNano())
	}
	return core, has, err
}

// begin makes the state of a new consumer.
func begin(ctx context.Context, source *actors.Store, config *Config, created time.Time) (*cursor.Cursor, stored, error) {
	has := newStored(config, created)
	state, err := source.FastState(ctx)
	if err != nil {
		return nil, has, err
	}
	position, lasts := uint64(1), uint64(0)
	switch config.Start {
	case StartNew:
		position = state.LastSequence + 1
	case StartLast:
		last, err := source.LoadLastMsg(ctx, has.filters()...)
		switch {
		case errors.Is(err, actors.ErrNotFound):
			position = state.LastSequence + 1
		case err != nil:
			return nil, has, err
		default:
			position = last.Sequence
		}
	case StartLastPerSubject:
		lasts = state.LastSequence
	case StartSequence:
		position = min(config.StartSequence, state.LastSequence+1)
	case StartTime:
		if position, err = source.GetSeqFromTime(ctx, config.StartTime); err != nil {
			return nil, has, err
		}
	}
	return cursor.New(has.settings(), has.bytes(), position, lasts), has, nil
}

// loops refuses a consumer that would be delivered what it writes down about deliveries.
func loops(source, state *actors.Store, has stored) error {
	if source.PID() != state.PID() {
		return nil
	}
	if len(has.Filters) == 0 {
		return fmt.Errorf("%w: the state is in the stream itself, so it needs Filters", ErrConfig)
	}
	for _, filter := range has.Filters {
		if first, _, _ := strings.Cut(filter, "."); first == "*" || first == ">" || first+"." == subjectPrefix {
			return fmt.Errorf("%w: the state is in the stream itself, and filter %q may select it", ErrConfig, filter)
		}
	}
	return nil
}

// What a snapshot of the state takes at most: for each message that is pending or waits for its turn, and for the rest.
const (
	mostEntryBytes = 64
	mostOtherBytes = 8 << 10
)

// fits refuses a state whose snapshots the stream would not take some day.
func fits(state *actors.Store, has stored) error {
	entries := has.MaxAckPending
	if has.OrderPerSubject {
		entries *= 2
	}
	needs := mostOtherBytes + mostEntryBytes*entries + len(has.bytes())
	if most := state.Limits().MaxMsgSize; most > 0 && most < needs {
		return fmt.Errorf("%w: the state may take %d bytes, and MaxMsgSize of stream %s is %d", ErrConfig, needs, state.Name(), most)
	}
	return nil
}

// start spawns the consumer's actor.
func start(system *actor.ActorSystem, source, state *actors.Store, config *Config, has stored, core *cursor.Cursor, j journal) *Consumer {
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &shared{
		name: config.Name, system: system, source: source, state: state, filters: has.filters(), extend: has.shortestWait() / 2,
		log:     log.With("stream", source.Name(), "consumer", config.Name),
		credits: mailbox.NewCredits(mostOps, mostOpBytes, ErrStopped),
		gone:    make(chan struct{}),
	}
	s.inbox = &inbox{mailbox.New(mailbox.Options{MaxData: 2 * mostOps, Reject: s.reject})}
	life, end := context.WithCancel(context.Background())
	a := &consumerActor{
		shared: s, core: core, has: has, journal: j, set: subjectsOf(has.Filters), life: life, endLife: end,
		clock: newClock(config.clock), maxWaiting: config.MaxWaiting, ops: map[*op]struct{}{}, subscribers: map[string]*subscriber{},
	}
	if a.maxWaiting == 0 {
		a.maxWaiting = 512
	}
	a.next, _ = core.Position()
	a.durable = core.Noticed()
	props := actor.PropsFromProducer(func() actor.Actor { return a },
		actor.WithMailbox(func() actor.Mailbox { return s.inbox }),
		actor.WithGuardian(stopOnPanic{}))
	pid := system.Root.SpawnPrefix(props, "millrace/"+source.Name()+"/"+config.Name+"/")
	return &Consumer{shared: s, pid: pid}
}

// Name is what a consumer is called, and of which stream it is.
type Name struct{ Stream, Consumer string }

// List returns the consumers that have their state in a stream, sorted.
func List(ctx context.Context, state *actors.Store) ([]Name, error) {
	totals, err := state.SubjectsTotals(ctx, actors.Filter(subjectPrefix+"*.*"))
	if err != nil {
		return nil, err
	}
	var names []Name
	for _, subject := range slices.Sorted(maps.Keys(totals)) {
		stream, consumer, _ := strings.Cut(strings.TrimPrefix(subject, subjectPrefix), ".")
		names = append(names, Name{stream, consumer})
	}
	return names, nil
}

// Remove deletes a consumer that need not be open, as of a stream that is gone. One that is open ends with ErrTaken. It
// reports whether there was one.
func Remove(ctx context.Context, state *actors.Store, name Name) (bool, error) {
	subject := stateSubject(name.Stream, name.Consumer)
	there, err := state.SubjectsTotals(ctx, actors.Literal(subject))
	if err == nil {
		_, err = state.PurgeEx(ctx, subjectsOfState(subject), 0, 0)
	}
	return len(there) > 0, err
}
