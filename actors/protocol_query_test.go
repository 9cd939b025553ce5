package actors_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// inquiry is a request that reads, and what the handle says to the same question: the
// reply without its tag.
type inquiry struct {
	request any
	handle  func(ctx context.Context, s *actors.Store) any
}

func (q inquiry) String() string {
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", q.request, q.request), "*actors.")
}

// tagged returns the request with a tag.
func (q inquiry) tagged(tag any) any {
	v := reflect.New(reflect.TypeOf(q.request).Elem())
	v.Elem().Set(reflect.ValueOf(q.request).Elem())
	v.Elem().FieldByName("Tag").Set(reflect.ValueOf(tag))
	return v.Interface()
}

// untag takes the tag and the error out of a reply.
func untag(reply any) (tag any, err error) {
	v := reflect.ValueOf(reply).Elem()
	tag = v.FieldByName("Tag").Interface()
	v.FieldByName("Tag").SetZero()
	if e := v.FieldByName("Err"); !e.IsNil() {
		err = e.Interface().(error)
		e.SetZero()
	}
	return tag, err
}

func inquireNext(start uint64, reverse bool, filters ...actors.Filters) inquiry {
	return inquiry{&actors.LoadNextRequest{Start: start, Reverse: reverse, Filters: filters}, func(ctx context.Context, s *actors.Store) any {
		load := s.LoadNextMsg
		if reverse {
			load = s.LoadPrevMsg
		}
		m, skip, err := load(ctx, start, filters...)
		return &actors.LoadNextReply{Message: m, Skip: skip, Err: err}
	}}
}

func inquirePending(from uint64, last bool, filters ...actors.Filters) inquiry {
	return inquiry{&actors.PendingRequest{From: from, LastPerSubject: last, Filters: filters}, func(ctx context.Context, s *actors.Store) any {
		count := s.NumPending
		if last {
			count = s.NumPendingLastPerSubject
		}
		total, through, err := count(ctx, from, filters...)
		return &actors.PendingReply{Total: total, ValidThrough: through, Err: err}
	}}
}

func inquireSubjects(states bool, filters ...actors.Filters) inquiry {
	return inquiry{&actors.SubjectsRequest{States: states, Filters: filters}, func(ctx context.Context, s *actors.Store) any {
		var reply actors.SubjectsReply
		if states {
			reply.States, reply.Err = s.SubjectsState(ctx, filters...)
		} else {
			reply.Totals, reply.Err = s.SubjectsTotals(ctx, filters...)
		}
		return &reply
	}}
}

func inquireRead(from uint64, reverse bool, filters ...actors.Filters) inquiry {
	return inquiry{&actors.ReadRequest{From: from, Reverse: reverse, Filters: filters}, func(ctx context.Context, s *actors.Store) any {
		var opts []actors.ReadOption
		if from > 0 || !reverse { // 0 is the last one in a request
			opts = append(opts, actors.From(from))
		}
		for _, f := range filters {
			opts = append(opts, f)
		}
		var reply actors.ReadReply
		if reverse {
			opts = append(opts, actors.Reverse())
		} else {
			state, _ := s.FastState(ctx)
			reply.Next = max(from, state.LastSequence+1)
		}
		for m, err := range s.Messages(ctx, opts...) {
			if err != nil {
				return &actors.ReadReply{Err: err, Next: from}
			}
			reply.Messages = append(reply.Messages, m)
		}
		return &reply
	}}
}

func inquireLasts(patterns []string, most uint64, allowed int) inquiry {
	return inquiry{&actors.LastSequencesRequest{Patterns: patterns, MaxSequence: most, MaxAllowed: allowed}, func(ctx context.Context, s *actors.Store) any {
		sequences, err := s.MultiLastSeqs(ctx, patterns, most, allowed)
		return &actors.LastSequencesReply{Sequences: sequences, Err: err}
	}}
}

func inquireLastMessages(patterns []string, most uint64) inquiry {
	return inquiry{&actors.LastMessagesRequest{Patterns: patterns, MaxSequence: most}, func(ctx context.Context, s *actors.Store) any {
		var reply actors.ReadReply
		for m, err := range s.MultiLastMsgs(ctx, patterns, most, 0) {
			if err != nil {
				return &actors.ReadReply{Err: err}
			}
			reply.Messages = append(reply.Messages, m)
		}
		return &reply
	}}
}

// inquiries are every request that reads, with many arguments. A stream of about 300
// sequences answers each in one reply.
func inquiries() (list []inquiry) {
	sets := [][]actors.Filters{
		nil,
		{actors.Filter()},
		{actors.Filter("")},
		{actors.Filter("s.*")},
		{actors.Filter("s.1.>"), actors.Literal("s.2")},
		{actors.Literal("s.*")},
		{actors.Literal("rare")},
		{actors.Literal("absent", "nobody")},
	}
	sequences := []uint64{0, 1, 2, 60, 150, 299, 300, 1 << 60}
	for _, filters := range sets {
		for _, sequence := range sequences {
			list = append(list,
				inquireNext(sequence, false, filters...), inquireNext(sequence, true, filters...),
				inquirePending(sequence, false, filters...), inquirePending(sequence, true, filters...),
				inquireRead(sequence, false, filters...), inquireRead(sequence, true, filters...),
				inquiry{&actors.FilteredStateRequest{From: sequence, Filters: filters}, func(ctx context.Context, s *actors.Store) any {
					state, err := s.FilteredState(ctx, sequence, filters...)
					return &actors.FilteredStateReply{State: state, Err: err}
				}},
			)
		}
		list = append(list, inquireSubjects(false, filters...), inquireSubjects(true, filters...),
			inquiry{&actors.LoadLastRequest{Filters: filters}, func(ctx context.Context, s *actors.Store) any {
				m, err := s.LoadLastMsg(ctx, filters...)
				return &actors.LoadReply{Message: m, Err: err}
			}})
	}
	for _, sequence := range sequences {
		list = append(list,
			inquiry{&actors.LoadRequest{Sequence: sequence}, func(ctx context.Context, s *actors.Store) any {
				m, err := s.LoadMsg(ctx, sequence)
				return &actors.LoadReply{Message: m, Err: err}
			}},
			inquiry{&actors.SubjectRequest{Sequence: sequence}, func(ctx context.Context, s *actors.Store) any {
				subject, err := s.SubjectForSeq(ctx, sequence)
				return &actors.SubjectReply{Subject: subject, Err: err}
			}})
	}
	for _, subject := range []string{"s.1", "", "s.*", "rare", "absent"} {
		list = append(list, inquiry{&actors.FirstSequenceRequest{Subject: subject}, func(ctx context.Context, s *actors.Store) any {
			sequence, err := s.FirstSeqForSubject(ctx, subject)
			return &actors.SequenceReply{Sequence: sequence, Err: err}
		}})
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(150, 0), time.Unix(1<<40, 0)} {
		list = append(list, inquiry{&actors.SequenceAtRequest{Time: at}, func(ctx context.Context, s *actors.Store) any {
			sequence, err := s.GetSeqFromTime(ctx, at)
			return &actors.SequenceReply{Sequence: sequence, Err: err}
		}})
	}
	for _, patterns := range [][]string{nil, {""}, {">"}, {"s.1.>", "s.2", "s.2"}, {"absent"}} {
		for _, most := range sequences {
			list = append(list, inquireLasts(patterns, most, 0), inquireLasts(patterns, most, 3), inquireLastMessages(patterns, most))
		}
	}
	list = append(list,
		inquiry{&actors.LastSequencesRequest{Patterns: []string{">"}}, func(ctx context.Context, s *actors.Store) any {
			sequences, err := s.AllLastSeqs(ctx)
			return &actors.LastSequencesReply{Sequences: sequences, Err: err}
		}},
		inquiry{&actors.FullStateRequest{}, func(ctx context.Context, s *actors.Store) any {
			state, err := s.State(ctx)
			return &actors.FullStateReply{State: state, Err: err}
		}})
	return list
}

// oneInquiryEach is one request of each type, first those that read a file if nothing
// is in memory.
func oneInquiryEach() (list []inquiry) {
	seen := map[reflect.Type]bool{}
	for _, q := range inquiries() {
		if kind := reflect.TypeOf(q.request); !seen[kind] {
			seen[kind] = true
			list = append(list, q)
		}
	}
	return list
}

// inquired makes the stream that inquiries are about: blocks with gaps, evicted ones,
// messages with headers and without subjects.
func inquired(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	config.BlockSize, config.MaxMsgs, config.IndexFrom, config.Sync = 4<<10, 200, 1, actors.SyncNever
	s := open(t, config)
	for i := uint64(1); i <= 300; i++ {
		m := actors.RawMessage{Sequence: i, Time: time.Unix(int64(i), 0), Subject: fmt.Sprint("s.", i%7), Payload: fmt.Append(nil, "payload-", i)}
		switch {
		case i%11 == 0:
			_, err := s.Skip(t.Context(), i, 1)
			require.NoError(t, err)
			continue
		case i == 130:
			m.Subject = "rare"
		case i%13 == 0:
			m.Subject = ""
		case i%5 == 0:
			m.Subject, m.HeaderBlock = fmt.Sprint("s.1.", i), []byte("NATS/1.0\r\n\r\n")
		}
		_, err := s.StoreRaw(t.Context(), m)
		require.NoError(t, err)
	}
	require.NoError(t, s.Flush(t.Context()))
	return s
}

// TestRequestsAgreeWithTheHandle, each with its tag, and whatever has been stored.
func TestRequestsAgreeWithTheHandle(t *testing.T) {
	full := inquired(t, actors.Config{})
	dir := t.TempDir()
	require.NoError(t, inquired(t, actors.Config{Dir: dir}).Stop(t.Context()))
	for name, s := range map[string]*actors.Store{
		"full": full, "reopened": open(t, actors.Config{Dir: dir, BlockSize: 4 << 10}), "new": open(t, actors.Config{}),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, 10)
			kinds := map[reflect.Type]bool{}
			for i, q := range inquiries() {
				kinds[reflect.TypeOf(q.request)] = true
				got, want := c.ask(t, s, q.tagged(i)), q.handle(t.Context(), s)
				tag, gotErr := untag(got)
				_, wantErr := untag(want)
				require.Equal(t, i, tag, "%v", q)
				require.Equal(t, want, got, "%v", q)
				require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr), "%v", q)
			}
			require.Len(t, kinds, 13)
			require.Empty(t, c.replies)
		})
	}
}

// TestRequestsWithoutASender are carried out for nobody, and hurt nobody.
func TestRequestsWithoutASender(t *testing.T) {
	s := inquired(t, actors.Config{MaxInFlightBytes: 1}) // most are refused
	for range 3 {
		for _, q := range oneInquiryEach() {
			quiet.Root.Send(s.PID(), q.request)
			quiet.Root.Send(s.PID(), reflect.Zero(reflect.TypeOf(q.request)).Interface())
		}
	}
	c := newClient(t, 10)
	eventually(t, func() bool { return c.ask(t, s, &actors.LoadRequest{Sequence: 300}).(*actors.LoadReply).Err == nil })
	mustStore(t, s, "a", "x")
	require.Empty(t, c.replies)
}

// TestNilQuestionsAreAnswered with an error in their type.
func TestNilQuestionsAreAnswered(t *testing.T) {
	s := inquired(t, actors.Config{})
	c := newClient(t, 10)
	for _, q := range oneInquiryEach() {
		reply := c.ask(t, s, reflect.Zero(reflect.TypeOf(q.request)).Interface())
		require.IsType(t, q.handle(t.Context(), s), reply)
		_, err := untag(reply)
		require.ErrorContains(t, err, "nil", "%v", q)
	}
	require.Empty(t, c.replies)
}

// requireRefused asks for everything once, and looks at the refusals.
func requireRefused(t *testing.T, c *client, s *actors.Store, want error) {
	t.Helper()
	for i, q := range oneInquiryEach() {
		reply := c.ask(t, s, q.tagged(i))
		require.IsType(t, q.handle(t.Context(), s), reply)
		tag, err := untag(reply)
		require.Equal(t, i, tag)
		require.ErrorIs(t, err, want, "%v", q)
		switch r := reply.(type) {
		case *actors.ReadReply:
			r.Next = 0
		case *actors.FullStateReply:
			require.Equal(t, stateOf(t, s), r.State.State)
			r.State.State = actors.State{}
		}
		require.True(t, reflect.ValueOf(reply).Elem().IsZero(), "%v: %+v", q, reply)
	}
	read := c.ask(t, s, &actors.ReadRequest{From: 2, Reverse: true}).(*actors.ReadReply)
	require.ErrorIs(t, read.Err, want)
	require.Equal(t, uint64(2), read.Next)
	read = c.ask(t, s, &actors.LastMessagesRequest{Patterns: []string{">"}, From: 9}).(*actors.ReadReply)
	require.ErrorIs(t, read.Err, want)
	require.Equal(t, uint64(9), read.Next)
}

// TestRequestsBeyondTheCreditOfReadsAreRefused, of every type, and once there is room
// again they are not.
func TestRequestsBeyondTheCreditOfReadsAreRefused(t *testing.T) {
	s, goOn := hangingReads(t, actors.Config{MaxInFlightBytes: 1})
	c, hanging := newClient(t, 10), newClient(t, 10)
	hang := func() { quiet.Root.Send(hanging.pid, &send{s.PID(), &actors.LoadLastRequest{Tag: "hangs"}}) }
	hang()
	eventually(t, func() bool {
		select {
		case r := <-hanging.replies: // the question below had the credit
			require.ErrorIs(t, r.(*actors.LoadReply).Err, actors.ErrOverloaded)
			hang()
		default:
		}
		err := c.ask(t, s, &actors.SequenceAtRequest{Time: time.Unix(1<<40, 0)}).(*actors.SequenceReply).Err
		return err != nil
	})
	// What hangs has the credit: the handle's answers are for their types alone.
	for i, q := range oneInquiryEach() {
		tag, err := untag(c.ask(t, s, q.tagged(i)))
		require.Equal(t, i, tag)
		require.ErrorIs(t, err, actors.ErrOverloaded, "%v", q)
	}
	close(goOn)
	loaded := (<-hanging.replies).(*actors.LoadReply)
	require.NoError(t, loaded.Err)
	require.Equal(t, "hangs", loaded.Tag)
	for i, q := range oneInquiryEach() {
		_, err := untag(c.ask(t, s, q.tagged(i)))
		require.NotErrorIs(t, err, actors.ErrOverloaded, "%v", q)
	}
	require.Empty(t, c.replies)
}

// TestQuestionsToAFullLane are refused at once, while the store actor does not look at
// its mailbox.
func TestQuestionsToAFullLane(t *testing.T) {
	block := make(chan struct{})
	var blocked atomic.Bool
	entered := make(chan struct{}, 1)
	clk := func() time.Time {
		if blocked.Load() {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-block
		}
		return time.Now()
	}
	s := open(t, actors.Config{MaxInFlight: 2, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk})})
	mustStore(t, s, "a", "x")
	c, queued := newClient(t, 10), newClient(t, 10)
	blocked.Store(true)
	quiet.Root.RequestWithCustomSender(s.PID(), &actors.FlushRequest{}, queued.pid)
	<-entered
	waiting := 1
	for ; s.Stats().MailboxDepth < 4; waiting++ { // the lane's bound is twice MaxInFlight
		quiet.Root.RequestWithCustomSender(s.PID(), &actors.PendingRequest{}, queued.pid)
	}
	requireRefused(t, c, s, actors.ErrOverloaded)
	blocked.Store(false)
	close(block)
	for range waiting {
		<-queued.replies
	}
	require.Empty(t, queued.replies)
	require.Empty(t, c.replies)
}

// TestQuestionsToAStoppingStore are refused, to one that has stopped are dead letters.
func TestQuestionsToAStoppingStore(t *testing.T) {
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	var hang atomic.Bool
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: fault})
	mustStore(t, s, "a", "x")
	_, err := s.Skip(t.Context(), 0, 1)
	require.NoError(t, err)
	mustStore(t, s, "a", "x")
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync && hang.Load() {
			return blocktest.Fault{Wait: func() { <-goOn }}
		}
		return blocktest.Fault{}
	})
	hang.Store(true)
	c := newClient(t, 10)
	quiet.Root.Send(c.pid, &send{s.PID(), &actors.StoreRequest{Subject: "a", Tag: "hangs"}})
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	eventually(t, func() bool {
		_, err := s.LoadMsg(t.Context(), 1)
		return err != nil
	})
	asker := newClient(t, 10)
	requireRefused(t, asker, s, actors.ErrStopped)
	release()
	require.NoError(t, <-stopped)
	for _, q := range oneInquiryEach() {
		require.IsType(t, &actor.DeadLetterResponse{}, asker.ask(t, s, q.request), "%v", q)
	}
	require.Empty(t, asker.replies)
}

// TestPanicInAQuestionIsAnswered, and its credit comes back.
func TestPanicInAQuestionIsAnswered(t *testing.T) {
	files := &panicFS{FS: blocktest.NewMemFS()}
	config := actors.Config{Dir: "data", FS: files, MaxInFlightBytes: 1, IndexFrom: -1, Runtime: actors.NewRuntime(actors.RuntimeConfig{Workers: 2})}
	s := open(t, config)
	mustStore(t, s, "a", "x")
	mustStore(t, s, "b", "x")
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	c := newClient(t, 10)
	files.reads.Store(true)
	for range 3 {
		panicked := 0
		for i, q := range oneInquiryEach() {
			tag, err := untag(c.ask(t, s, q.tagged(i)))
			require.Equal(t, i, tag)
			require.NotErrorIs(t, err, actors.ErrOverloaded)
			if err != nil && strings.Contains(err.Error(), "panic") {
				panicked++
			}
		}
		require.GreaterOrEqual(t, panicked, 3)
		for _, request := range []any{
			&actors.LoadNextRequest{}, &actors.LoadLastRequest{}, &actors.SubjectRequest{Sequence: 1},
			&actors.LastMessagesRequest{Patterns: []string{">"}}, &actors.ReadRequest{Reverse: true},
			&actors.ReadRequest{Filters: []actors.Filters{actors.Filter("a")}},
		} {
			_, err := untag(c.ask(t, s, request))
			require.ErrorContains(t, err, "panic", "%T", request)
		}
	}
	files.reads.Store(false)
	require.Len(t, c.ask(t, s, &actors.LastMessagesRequest{Patterns: []string{">"}}).(*actors.ReadReply).Messages, 2)
	mustStore(t, s, "a", "x")
}

// TestActorsAskWhileOthersStore: every reply comes, once, while messages come and go.
func TestActorsAskWhileOthersStore(t *testing.T) {
	s := inquired(t, actors.Config{})
	all := inquiries()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			if _, err := s.StoreMsg(context.Background(), fmt.Sprint("s.", i%50), nil, []byte("payload")); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	c := newClient(t, 1000)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for i, q := range all {
			quiet.Root.Send(c.pid, &send{s.PID(), q.tagged(i)})
		}
		seen := map[any]bool{}
		for range all {
			tag, err := untag(<-c.replies)
			require.False(t, seen[tag])
			seen[tag] = true
			require.NotErrorIs(t, err, actors.ErrCorrupt, "%v", all[tag.(int)])
			require.NotErrorIs(t, err, actors.ErrStopped)
		}
	}
	require.Empty(t, c.replies)
}
