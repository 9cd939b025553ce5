package mailbox

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// TestWhatAPanicLeftOverGoesBeforeWhatCameLater: messages that were posted while a round ran
// come behind the rest of that round, in each lane, when a panic has ended it.
func TestWhatAPanicLeftOverGoesBeforeWhatCameLater(t *testing.T) {
	for _, row := range []struct {
		name   string
		bad    any
		shares bool
		want   []string
	}{
		{"in control", controlled("1"), false, []string{
			"failed 1", "control 2", "control 3", "control later", "batch of 3", "data a", "data b", "data later", "end",
		}},
		{"in data", "a", false, []string{
			"control 1", "control 2", "control 3", "batch of 2", "failed a", "control later", "batch of 2", "data b", "data later", "end",
		}},
		{"in data, of which the rounds take a share", "a", true, []string{
			"control 1", "control 2", "control 3", "batch of 2", "failed a", "control later", "batch of 2", "data b", "data later", "end",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &manual{}
			m, r, rejected := newTestMailbox(10, d)
			m.options.Share = row.shares
			r.handle = func(message any) {
				if message == row.bad {
					m.PostUserMessage(controlled("later"))
					m.PostUserMessage("later")
					r.busy.Store(0)
					panic(fmt.Sprint(message))
				}
			}
			for _, message := range []any{controlled("1"), controlled("2"), "a", controlled("3"), "b"} {
				m.PostUserMessage(message)
			}
			d.settle(t)
			require.True(t, m.suspended.Load(), "what was posted while the round ended is handled, too")
			r.busy.Store(0)
			m.PostSystemMessage(&actor.ResumeMailbox{})
			d.settle(t)
			require.Equal(t, row.want, r.events)
			require.Empty(t, *rejected)
			require.Zero(t, m.UserMessageCount())
		})
	}
}

// TestAPanicLeavesTheUndrainedShareInOrder: what was taken out of the lane and not drained
// yet comes between the rest of the batch and what was posted later.
func TestAPanicLeavesTheUndrainedShareInOrder(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(1000, d)
	m.options.Share = true
	const sent = 3 * smallestShare
	var handled []any
	r.handle = func(message any) {
		handled = append(handled, message)
		if message == 5 {
			m.PostUserMessage(sent)
			r.busy.Store(0)
			panic("five")
		}
	}
	for i := range sent {
		m.PostUserMessage(i)
	}
	d.settle(t)
	require.Equal(t, sent-6+1, m.UserMessageCount())
	r.busy.Store(0)
	m.PostSystemMessage(&actor.ResumeMailbox{})
	d.settle(t)
	require.Len(t, handled, sent+1)
	for i, message := range handled {
		require.Equal(t, i, message)
	}
	require.Zero(t, m.UserMessageCount())
}

// TestCloseRejectsTheUndrainedShare: what was taken out of the lane and not given to the actor
// is rejected before what came later.
func TestCloseRejectsTheUndrainedShare(t *testing.T) {
	d := &manual{}
	m, r, rejected := newTestMailbox(1000, d)
	m.options.Share = true
	const sent = 3 * smallestShare
	r.handle = func(message any) {
		if message == 0 {
			m.PostUserMessage(sent)
			m.PostSystemMessage("stop")
		}
	}
	r.system = func(any) { m.Close() }
	for i := range sent {
		m.PostUserMessage(i)
	}
	d.settle(t)
	require.Len(t, *rejected, sent+1-smallestShare)
	for i, message := range *rejected {
		require.Equal(t, smallestShare+i, message)
	}
	require.Zero(t, m.UserMessageCount())
}

// TestTheEndOfAGoroutineIsNotTheActors: what ends the goroutine that the rounds are on, as t.FailNow does in a function that
// the actor calls, leaves the rest to another one.
func TestTheEndOfAGoroutineIsNotTheActors(t *testing.T) {
	for name, begin := range map[string]func(m *Mailbox, d *manual){
		"of the mailbox": func(m *Mailbox, d *manual) { m.PostUserMessage("visitor"); d.run() },
		"of a visitor":   func(m *Mailbox, _ *manual) { m.Visit(&visitor{}, true) },
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			r.handle = func(message any) {
				if fmt.Sprint(message) == "visitor" {
					m.PostUserMessage("later")
					runtime.Goexit()
				}
			}
			over := make(chan struct{})
			go func() {
				defer close(over)
				begin(m, d)
			}()
			<-over
			d.settle(t)
			require.Equal(t, []string{"batch of 1", "batch of 1", "data later", "end"}, r.events)
			require.Empty(t, r.failed)
			require.Nil(t, m.visitor)
			require.False(t, m.running.Load())
			require.Zero(t, m.UserMessageCount())
		})
	}
}
