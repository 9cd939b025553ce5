package consumer

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// probe is an actor that asks, and keeps what it is sent.
type probe struct {
	t   *testing.T
	pid *actor.PID
	got chan any
}

func newProbe(t *testing.T) *probe {
	p := &probe{t: t, got: make(chan any, 10_000)}
	p.pid = testSystem.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case actor.AutoReceiveMessage, actor.SystemMessage, *actor.Started:
		default:
			p.got <- m
		}
	}))
	t.Cleanup(func() { _ = testSystem.Root.StopFuture(p.pid).Wait() })
	return p
}

func (p *probe) send(c *Consumer, request any) {
	testSystem.Root.RequestWithCustomSender(c.PID(), request, p.pid)
}

func (p *probe) ask(c *Consumer, request any) any {
	p.send(c, request)
	return <-p.got
}

// TestActorsAsk: every operation is a message with a typed reply, which has the tag of its request.
func TestActorsAsk(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b", "c", "d")
	c, p := w.consumer(Config{AckWait: time.Hour}), newProbe(t)
	pulled := p.ask(c, &PullRequest{Batch: 4, Tag: 1}).(*PullReply)
	require.NoError(t, pulled.Err)
	require.Equal(t, 1, pulled.Tag)
	list := pulled.Deliveries
	require.Equal(t, []uint64{1, 2, 3, 4}, sequences(list))
	settled := p.ask(c, &SettleRequest{Tokens: tokens(list[:1]), Outputs: output("out", "x"), Tag: 2}).(*SettleReply)
	require.Equal(t, &SettleReply{Ack: settled.Ack, Tag: 2}, settled)
	require.Positive(t, settled.Ack.First)
	require.Equal(t, &SettleReply{Tag: 3}, p.ask(c, SettleRequest{Verdict: Term, Tokens: tokens(list[1:2]), Tag: 3}), "by value, too")
	require.ErrorIs(t, p.ask(c, &SettleRequest{Tokens: tokens(list[:1])}).(*SettleReply).Err, ErrNotPending)
	notices := p.ask(c, &NoticesRequest{Tag: 4}).(*NoticesReply)
	require.Equal(t, 4, notices.Tag)
	require.Equal(t, uint64(2), notices.Notices[0].Sequence)
	info := p.ask(c, &InfoRequest{Tag: 5}).(*InfoReply)
	require.Equal(t, []any{5, 2, uint64(4)}, []any{info.Tag, info.Stats.Pending, info.Stats.Delivered})
	require.Equal(t, &PauseReply{Tag: 6}, p.ask(c, &PauseRequest{Until: time.Now().Add(time.Hour), Tag: 6}))
	require.Equal(t, &PullReply{Tag: 7}, p.ask(c, &PullRequest{Tag: 7}))
	require.ErrorIs(t, p.ask(c, "nonsense").(*actors.UnknownReply).Err, actors.ErrUnknownRequest)
	require.ErrorIs(t, p.ask(c, (*PullRequest)(nil)).(*PullReply).Err, nil)
	p.send(c, &PullRequest{Expires: math.MaxInt64, Tag: 8})
	stopped := p.ask(c, &StopRequest{Tag: 9})
	require.ErrorIs(t, stopped.(*PullReply).Err, ErrStopped)
	require.Equal(t, &StopReply{Tag: 9}, <-p.got)
	<-c.Done()
	require.IsType(t, &actor.DeadLetterResponse{}, p.ask(c, &PullRequest{}))
}

// TestActorsSubscribe: messages are pushed as far as the credit goes, and what an actor is not sent any more comes again.
func TestActorsSubscribe(t *testing.T) {
	w := newWorld(t)
	w.publishMany(10)
	c, p := w.consumer(Config{AckWait: time.Hour}), newProbe(t)
	pushed := func(want int) (list []Delivery) {
		for len(list) < want {
			m := (<-p.got).(*Pushed)
			require.NoError(t, m.Err)
			require.Equal(t, "s", m.Tag)
			list = append(list, m.Deliveries...)
		}
		return list
	}
	p.send(c, &SubscribeRequest{Credit: 3, Tag: "s"})
	require.Equal(t, []uint64{1, 2, 3}, sequences(pushed(3)))
	require.Equal(t, 3, w.stats(c).Pending)
	p.send(c, &CreditRequest{Credit: 9})
	require.Equal(t, []uint64{4, 5, 6, 7, 8, 9, 10}, sequences(pushed(7)))
	w.publish("orders.more")
	require.Equal(t, []uint64{11}, sequences(pushed(1)))
	require.Equal(t, 1, w.stats(c).Subscribers)

	other := newProbe(t)
	other.send(c, &SubscribeRequest{Credit: 1})
	w.publishMany(2)
	require.Len(t, pushed(1), 1)
	require.Len(t, (<-other.got).(*Pushed).Deliveries, 1)
	require.NoError(t, testSystem.Root.StopFuture(other.pid).Wait())
	w.until(c, func(s Stats) bool { return s.Subscribers == 1 })
	require.Equal(t, &Pushed{Err: ErrUnsubscribed, Tag: "s"}, p.ask(c, &UnsubscribeRequest{}))
	require.Zero(t, w.stats(c).Subscribers)
	require.ErrorIs(t, p.ask(c, &SubscribeRequest{Credit: -1}).(*Pushed).Err, ErrRequest)
	p.send(c, &SubscribeRequest{Credit: 1, Tag: "a"})
	require.Equal(t, &Pushed{Err: ErrUnsubscribed, Tag: "a"}, p.ask(c, &SubscribeRequest{Tag: "b"}))
	require.NoError(t, c.Stop(t.Context()))
	last := (<-p.got).(*Pushed)
	require.ErrorIs(t, last.Err, ErrStopped)
	require.Equal(t, "b", last.Tag)
}

// TestActorsBeyondTheirCredit are told so; what was taken is carried out.
func TestActorsBeyondTheirCredit(t *testing.T) {
	w := newWorld(t)
	c, p := w.consumer(Config{MaxWaiting: mostWaiting}), newProbe(t)
	const count = mostOps + 100
	for range count {
		p.send(c, &PullRequest{Expires: math.MaxInt64})
	}
	for range 100 {
		require.ErrorIs(t, (<-p.got).(*PullReply).Err, ErrOverloaded)
	}
	require.NoError(t, c.Stop(t.Context()))
	for range mostOps {
		require.ErrorIs(t, (<-p.got).(*PullReply).Err, ErrStopped)
	}
}

// TestAnActorIsStoppedFromOutside: all that wait are told, and the consumer can be opened again.
func TestAnActorIsStoppedFromOutside(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	c := w.consumer(Config{})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Notices(t.Context(), 0)
		ended <- err
	}()
	testSystem.Root.Stop(c.PID())
	require.ErrorIs(t, <-ended, ErrStopped)
	require.Error(t, c.Stop(t.Context()))
	require.Error(t, c.Err())
	require.Len(t, w.pull(w.consumer(Config{}), 1), 1)
}

// TestAPanicStopsTheConsumer, and leaves nobody waiting.
func TestAPanicStopsTheConsumer(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	c := w.consumer(Config{})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Notices(t.Context(), 0)
		ended <- err
	}()
	for _, stray := range []any{&actors.ReadReply{}, &actors.LoadReply{}, &actors.StoreReply{}, &actors.PurgeReply{}, &actors.ReadyReply{}} {
		testSystem.Root.Send(c.PID(), stray) // of somebody who is mistaken
	}
	require.Zero(t, w.stats(c).Pending)
	c.inbox.PostUserMessage((*looked)(nil))
	require.ErrorIs(t, <-ended, ErrStopped)
	require.ErrorIs(t, c.Err(), errPanicked)
	require.Len(t, w.pull(w.consumer(Config{}), 1), 1)
}

// TestConfigIsCheckedAsAWhole: an error lists every problem.
func TestConfigIsCheckedAsAWhole(t *testing.T) {
	wrong := Config{
		Name: "a.b", Start: 99, StartSequence: 1, StartTime: time.Now(), Filters: []string{"a..b", "a.>.b", "", "\xff"}, OrderPerSubject: 9,
		AckWait: 1, BackOff: []time.Duration{0}, MaxDeliver: -2, MaxAckPending: mostPending + 1, MaxWaiting: -1,
	}
	err := wrong.Validate()
	require.ErrorIs(t, err, ErrConfig)
	for _, part := range []string{
		`"a.b"`, "Start 99", "StartSequence", "StartTime", `"a..b"`, `"a.>.b"`, `""`, `"\xff"`, "OrderPerSubject", "AckWait", "BackOff", "MaxDeliver",
		"MaxAckPending", "MaxWaiting",
	} {
		require.ErrorContains(t, err, part)
	}
	wrong = Config{Name: strings.Repeat("x", 256), BackOff: make([]time.Duration, 65), Filters: make([]string, mostFilters+1)}
	require.ErrorContains(t, wrong.Validate(), "65 BackOffs")
	require.NoError(t, (&Config{Name: "c", Filters: []string{"a.*.b", "x.>", ">"}, MaxDeliver: Unlimited}).Validate())
}

// TestOpenRefuses what the streams cannot serve, and what differs from what is there.
func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	w.publish("a")
	open := func(source, state *actors.Store, c Config) error {
		c.Name = "d"
		opened, err := Open(t.Context(), testSystem, source, state, c)
		if err == nil {
			require.NoError(t, opened.Delete(t.Context()))
		}
		return err
	}
	for i, limits := range []actors.Config{{MaxAge: time.Hour}, {MaxMsgs: 5}, {MaxBytes: 1 << 20}, {MaxMsgSize: 1000}} {
		limits.Name = fmt.Sprint("LIMITS", i)
		require.ErrorIs(t, open(w.source, w.open(limits), Config{}), ErrConfig)
	}
	require.NoError(t, open(w.source, w.open(actors.Config{Name: "NEW", MaxBytes: 1 << 20, Discard: actors.DiscardNew}), Config{}))
	require.ErrorIs(t, open(nil, w.state, Config{}), ErrConfig)
	for _, filters := range [][]string{nil, {">"}, {"*.a"}, {"a.b", "_consumer.WORK.*"}} {
		require.ErrorIs(t, open(w.source, w.source, Config{Filters: filters}), ErrConfig, "%q", filters)
	}
	require.NoError(t, open(w.source, w.source, Config{Filters: []string{"a.>"}}))

	w.consumer(Config{Filters: []string{"b", "a"}, MaxDeliver: 4, BackOff: []time.Duration{time.Second}, AckWait: time.Minute})
	for _, c := range []Config{{Filters: []string{"a"}}, {OrderPerSubject: actors.On}} {
		c.Name = "c"
		_, err := Open(t.Context(), testSystem, w.source, w.state, c)
		require.ErrorIs(t, err, ErrDifferent)
	}
	s := w.stats(w.consumer(Config{Filters: []string{"a", "b", "a"}, MaxDeliver: Unlimited, BackOff: []time.Duration{}, MaxAckPending: 7}))
	require.Equal(t, Config{
		Name: "c", Filters: []string{"a", "b"}, OrderPerSubject: actors.Off, AckWait: time.Minute, MaxDeliver: Unlimited, MaxAckPending: 7, MaxWaiting: 512,
	}, s.Config)
}

func TestTokens(t *testing.T) {
	token, err := ParseToken(Token{7, 12}.String())
	require.NoError(t, err)
	require.Equal(t, Token{7, 12}, token)
	for _, text := range []string{"", "7", "7.", ".7", "7.x", "07.1", "+7.1", "7.1.1", "-1.2", "99999999999999999999.1"} {
		_, err := ParseToken(text)
		require.ErrorIs(t, err, ErrRequest, text)
	}
}
