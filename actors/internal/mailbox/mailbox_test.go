package mailbox

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// recorder is what a mailbox invokes. It handles batches as the store actor does.
type recorder struct {
	mailbox *Mailbox
	events  []string
	// handle is asked before each message of a batch, and for control messages.
	handle func(message any)
	system func(message any)
	end    func() // is called at the end of each turn
	busy   atomic.Int32
	failed []any
}

func (r *recorder) enter() {
	if r.busy.Add(1) != 1 {
		panic("two invocations at a time")
	}
}

func (r *recorder) note(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *recorder) InvokeSystemMessage(message any) {
	r.enter()
	defer r.busy.Add(-1)
	r.note("system %v", message)
	if r.system != nil {
		r.system(message)
	}
}

func (r *recorder) InvokeUserMessage(message any) {
	r.enter()
	defer r.busy.Add(-1)
	switch m := message.(type) {
	case *TurnEnd:
		r.note("end")
		if r.end != nil {
			r.end()
		}
	case *Batch:
		r.note("batch of %d", len(m.Messages))
		for m.Next < len(m.Messages) {
			one := m.Messages[m.Next]
			m.Next++
			if r.handle != nil {
				r.handle(one)
			}
			r.note("data %v", one)
		}
	default:
		if r.handle != nil {
			r.handle(message)
		}
		r.note("control %v", message)
	}
}

func (r *recorder) EscalateFailure(reason, message any) {
	r.failed = append(r.failed, reason)
	r.note("failed %v", reason)
	// The library suspends the mailbox of an actor that has panicked.
	r.mailbox.PostSystemMessage(&actor.SuspendMailbox{})
}

type controlled string

func (controlled) Control() {}

type credited struct{}

func (credited) HoldsCredit() {}

// manual is a dispatcher that runs a mailbox when the test says so.
type manual struct{ scheduled []func() }

func (d *manual) Schedule(f func())   { d.scheduled = append(d.scheduled, f) }
func (d *manual) Throughput() int     { return 300 }
func (d *manual) run()                { f := d.scheduled[0]; d.scheduled = d.scheduled[1:]; f() }
func (d *manual) settle(m *testing.T) { m.Helper(); require.Len(m, d.scheduled, 1); d.run() }

func newTestMailbox(most int, dispatcher actor.Dispatcher) (*Mailbox, *recorder, *[]any) {
	rejected := new([]any)
	m := New(Options{MaxData: most, Reject: func(message any) { *rejected = append(*rejected, message) }})
	r := &recorder{mailbox: m}
	m.RegisterHandlers(r, dispatcher)
	m.Start()
	return m, r, rejected
}

func TestSystemGoesBeforeControlAndControlBeforeData(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	m.PostUserMessage("a")
	m.PostUserMessage(controlled("x"))
	m.PostUserMessage("b")
	m.PostSystemMessage("s")
	m.PostUserMessage(controlled("y"))
	require.Equal(t, 2, m.UserMessageCount())
	d.settle(t)
	require.Equal(t, []string{
		"system s", "control x", "control y", "batch of 2", "data a", "data b", "end",
	}, r.events)
	require.Zero(t, m.UserMessageCount())
	require.False(t, m.running.Load())
}

// TestRoundTakesInWhatItsMessagesBringAbout: what is posted while a round runs
// belongs to it, once; turnEnd comes after that.
func TestRoundTakesInWhatItsMessagesBringAbout(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	r.handle = func(message any) {
		switch message {
		case controlled("done"):
			m.PostUserMessage("again")
		case "again":
			m.PostUserMessage("later")
		}
	}
	m.PostUserMessage(controlled("done"))
	d.settle(t)
	require.Equal(t, []string{
		"control done", "batch of 1", "data again", "batch of 1", "data later", "end",
	}, r.events)
	require.Empty(t, d.scheduled)
}

func TestSuspendedMailboxHoldsAllButSystem(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	m.PostSystemMessage(&actor.SuspendMailbox{})
	m.PostUserMessage("a")
	m.PostUserMessage(controlled("x"))
	d.settle(t)
	require.Empty(t, r.events)
	require.Empty(t, d.scheduled, "it must not run in circles")
	m.PostSystemMessage("s")
	d.settle(t)
	require.Equal(t, []string{"system s"}, r.events)
	require.Equal(t, 1, m.UserMessageCount())
	m.PostSystemMessage(&actor.ResumeMailbox{})
	d.settle(t)
	require.Equal(t, []string{"system s", "control x", "batch of 1", "data a", "end"}, r.events)
}

// TestPanicCostsOneMessageAndNoOrder: the message that panicked is the actor's to
// answer; all others come in order once the mailbox goes on.
func TestPanicCostsOneMessageAndNoOrder(t *testing.T) {
	for _, row := range []struct {
		name, bad string
		want      []string
	}{
		{"in data", "2", []string{
			"control x", "control y", "batch of 3", "data 1", "failed 2",
			"control late", "batch of 2", "data 3", "data 4", "end",
		}},
		{"in control", "x", []string{
			"failed x", "control y", "control late", "batch of 4", "data 1", "data 2", "data 3", "data 4", "end",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &manual{}
			m, r, rejected := newTestMailbox(10, d)
			r.handle = func(message any) {
				if fmt.Sprint(message) == row.bad {
					r.busy.Store(0)
					panic(message)
				}
			}
			for _, message := range []any{"1", controlled("x"), "2", controlled("y"), "3"} {
				m.PostUserMessage(message)
			}
			d.settle(t)
			r.busy.Store(0)
			m.PostUserMessage("4")
			m.PostUserMessage(controlled("late"))
			m.PostSystemMessage(&actor.ResumeMailbox{})
			d.settle(t)
			require.Equal(t, row.want, r.events)
			require.Empty(t, *rejected)
			// And the lanes are sound: two rounds more.
			for i := range 2 {
				r.events = nil
				m.PostUserMessage(fmt.Sprint(i))
				m.PostUserMessage(controlled("c"))
				d.settle(t)
				require.Equal(t, []string{"control c", "batch of 1", "data " + fmt.Sprint(i), "end"}, r.events)
			}
		})
	}
}

func TestClosedMailboxRejectsEverythingOnce(t *testing.T) {
	d := &manual{}
	m, r, rejected := newTestMailbox(2, d)
	r.system = func(any) { m.Close() }
	m.PostUserMessage("a")
	m.PostUserMessage("b")
	m.PostSystemMessage("stop")
	d.settle(t)
	require.Equal(t, []any{"a", "b"}, *rejected)
	m.PostUserMessage("c")
	require.Equal(t, []any{"a", "b", "c"}, *rejected)
	require.False(t, m.Post(credited{}))
	require.Len(t, *rejected, 3, "who posts an op hears of it at once")
	m.PostUserMessage(controlled("x"))
	d.settle(t)
	require.Equal(t, []string{"system stop", "end", "control x", "end"}, r.events)
	require.Zero(t, m.UserMessageCount())
	m.Close()
	require.Len(t, *rejected, 3)
}

// TestCloseAfterPanicRejectsTheRest: the actor answers the message it had in hand.
func TestCloseAfterPanicRejectsTheRest(t *testing.T) {
	d := &manual{}
	m, r, rejected := newTestMailbox(5, d)
	r.handle = func(message any) {
		if message == "bad" {
			r.busy.Store(0)
			panic(message)
		}
	}
	r.system = func(any) { m.Close() }
	for _, message := range []any{"ok", "bad", "c", "d"} {
		m.PostUserMessage(message)
	}
	d.settle(t)
	r.busy.Store(0)
	m.PostSystemMessage("stop")
	d.settle(t)
	require.Equal(t, []any{"c", "d"}, *rejected)
}

// TestLaneIsBoundedForMessagesWithoutCredit: operations hold credit, and a poison
// pill must arrive.
func TestLaneIsBoundedForMessagesWithoutCredit(t *testing.T) {
	d := &manual{}
	m, r, rejected := newTestMailbox(3, d)
	for i := range 5 {
		m.PostUserMessage(i)
	}
	require.Equal(t, []any{3, 4}, *rejected)
	for range 10 {
		m.PostUserMessage(credited{})
	}
	m.PostUserMessage(&actor.PoisonPill{})
	require.Len(t, *rejected, 2)
	require.Equal(t, 14, m.UserMessageCount())
	d.settle(t)
	require.Equal(t, "batch of 14", r.events[0])
	m.PostUserMessage(5)
	require.Len(t, *rejected, 2, "there is room again")
}

// TestNoWakeUpIsLost: after any number of posts from any number of goroutines, the
// mailbox comes to rest with nothing left, each producer's messages in order.
func TestNoWakeUpIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const producers, rounds, each = 8, 200, 25
		m, r, rejected := newTestMailbox(producers*each+1, actor.NewDefaultDispatcher(300))
		type numbered struct{ producer, n int }
		next := [producers]int{}
		ends, batches := 0, 0
		r.handle = func(message any) {
			if n, ok := message.(numbered); ok {
				if next[n.producer] != n.n {
					panic(fmt.Sprintf("producer %d: %d instead of %d", n.producer, n.n, next[n.producer]))
				}
				next[n.producer]++
			}
		}
		for round := range rounds {
			r.events = nil
			var all sync.WaitGroup
			for p := range producers {
				all.Go(func() {
					for i := range each {
						m.PostUserMessage(numbered{p, round*each + i})
						switch i % 10 {
						case 3:
							m.PostUserMessage(controlled("c"))
						case 7:
							m.PostSystemMessage("s")
						}
					}
				})
			}
			all.Wait()
			synctest.Wait() // everything has come to rest
			for p := range producers {
				require.Equal(t, (round+1)*each, next[p])
			}
			require.Equal(t, "end", r.events[len(r.events)-1])
			for _, e := range r.events {
				if e == "end" {
					ends++
				} else if len(e) > 5 && e[:5] == "batch" {
					batches++
				}
			}
			require.False(t, m.running.Load())
			require.Empty(t, r.failed)
		}
		require.Empty(t, *rejected)
		require.GreaterOrEqual(t, 2*ends, batches, "a round is at most two batches")
	})
}

// TestRoundTakesItsShare: where answers leave at the end of a round, a round takes
// a part of what has arrived, and all of it is handled in order.
func TestRoundTakesItsShare(t *testing.T) {
	for _, row := range []struct {
		name   string
		shares bool
		sent   int
		rounds int
	}{
		{"all at once", false, 100, 1},
		{"few", true, smallestShare, 1},
		{"some", true, 2*smallestShare + 1, 3},
		{"many", true, 80 * smallestShare, 8},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &recorder{}
			dispatcher := &manual{}
			m := New(Options{MaxData: 1 << 20, Share: row.shares, Reject: func(any) { t.Error("rejected") }})
			r.mailbox = m
			m.RegisterHandlers(r, dispatcher)
			for i := range row.sent {
				m.PostUserMessage(i)
			}
			var handled []any
			r.handle = func(message any) { handled = append(handled, message) }
			for _, run := range dispatcher.scheduled {
				run()
			}
			rounds := 0
			for _, event := range r.events {
				if event == "end" {
					rounds++
				}
			}
			require.Equal(t, row.rounds, rounds)
			require.Len(t, handled, row.sent)
			for i, message := range handled {
				require.Equal(t, i, message)
			}
			require.Zero(t, m.UserMessageCount())
		})
	}
}
