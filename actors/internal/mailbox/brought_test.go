package mailbox

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// bringing returns a mailbox whose visitor has found it idle, and is about to run the rounds.
func bringing(t *testing.T) (*Mailbox, *recorder, *[]any, *manual, *visitor) {
	d, v := &manual{}, &visitor{}
	m, r, rejected := newTestMailbox(10, d)
	m.running.Store(true)
	m.depth.Add(1)
	m.brings = v
	t.Cleanup(func() {
		require.Nil(t, m.brings)
		require.False(t, m.running.Load())
		require.Zero(t, m.UserMessageCount())
	})
	return m, r, rejected, d, v
}

// TestWhatAVisitorBringsGoesBehindWhatHasCome before it, to an actor that is about to run.
func TestWhatAVisitorBringsGoesBehindWhatHasCome(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	require.True(t, m.put("a", false)) // whoever has posted it has not come to schedule the rounds
	require.True(t, m.Visit(&visitor{}, true))
	require.Equal(t, []string{"batch of 2", "data a", "data visitor", "end"}, r.events)
	require.Empty(t, d.scheduled)
	require.Zero(t, m.UserMessageCount())
}

// TestWhatAVisitorBringsIsLeftBehindASystemMessage that comes before the rounds begin.
func TestWhatAVisitorBringsIsLeftBehindASystemMessage(t *testing.T) {
	m, r, _, d, v := bringing(t)
	m.PostSystemMessage("s")
	m.PostUserMessage("b")
	m.visit(v, true)
	require.NotContains(t, r.events, "data visitor")
	d.settle(t)
	require.Equal(t, []string{"system s", "batch of 1", "data visitor", "batch of 1", "data b", "end"}, r.events)
}

// TestWhatAVisitorBringsIsRejectedByAMailboxThatIsClosed ahead of it, and ahead of what came later.
func TestWhatAVisitorBringsIsRejectedByAMailboxThatIsClosed(t *testing.T) {
	m, r, rejected, d, v := bringing(t)
	m.PostUserMessage(controlled("close"))
	m.PostUserMessage("b")
	r.handle = func(any) { m.Close() }
	m.visit(v, true)
	require.Equal(t, []any{v, "b"}, *rejected)
	require.Equal(t, []string{"control close", "end"}, r.events)
	require.Empty(t, d.scheduled)
}

// firstFails is a recorder whose first invocation panics, before it has looked at the message.
type firstFails struct {
	*recorder
	failed bool
}

func (f *firstFails) InvokeUserMessage(message any) {
	if !f.failed {
		f.failed = true
		panic("bad")
	}
	f.recorder.InvokeUserMessage(message)
}

// TestWhatAVisitorBringsSurvivesAPanic of the actor, before it is given or when it is.
func TestWhatAVisitorBringsSurvivesAPanic(t *testing.T) {
	for name, begin := range map[string]func(m *Mailbox){
		"before it is given": func(m *Mailbox) { m.PostUserMessage(controlled("bad")) },
		"when it is given":   func(*Mailbox) {},
	} {
		t.Run(name, func(t *testing.T) {
			m, r, _, d, v := bringing(t)
			m.RegisterHandlers(&firstFails{recorder: r}, d)
			begin(m)
			m.visit(v, true)
			require.Equal(t, []string{"failed bad"}, r.events)
			d.settle(t) // which suspends it
			m.PostUserMessage("b")
			d.settle(t)
			require.Equal(t, 2, m.UserMessageCount())
			m.PostSystemMessage(&actor.ResumeMailbox{})
			d.settle(t)
			require.Equal(t, []string{"failed bad", "batch of 2", "data visitor", "data b", "end"}, r.events)
		})
	}
}

// TestAnActorServesWhoHasBroughtItsMessage, and nobody else.
func TestAnActorServesWhoHasBroughtItsMessage(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	other := &visitor{answered: true}
	var served []bool
	r.handle = func(message any) {
		served = append(served, m.Serves(message.(Visitor)))
		require.False(t, m.Serves(other))
	}
	require.True(t, m.Visit(&visitor{}, true))
	require.True(t, m.Post(&visitor{}))
	d.settle(t)
	require.Equal(t, []bool{true, false}, served)
}
