package mailbox

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// visitor is a message whose sender waits.
type visitor struct{ answered bool }

func (*visitor) HoldsCredit()     {}
func (v *visitor) Answered() bool { return v.answered }
func (*visitor) String() string   { return "visitor" }

// answerOn has a recorder answer a visitor when it handles a message.
func answerOn(r *recorder, v *visitor, when any) {
	r.handle = func(message any) {
		if message == when {
			v.answered = true
		}
	}
}

// TestAVisitorRunsTheRoundsItself, and no yield is spent on others.
func TestAVisitorRunsTheRoundsItself(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	yield := func() { t.Error("a visitor waits for nobody") }
	m.gathering.gosched, m.idling.gosched = yield, yield
	v := &visitor{}
	answerOn(r, v, v)
	require.True(t, m.Visit(v, true))
	require.Equal(t, []string{"batch of 1", "data visitor", "end"}, r.events)
	require.Empty(t, d.scheduled)
	require.False(t, m.running.Load())
	require.Zero(t, m.UserMessageCount())
}

// TestAVisitorLeavesWithItsAnswer: what others want of the actor gets another goroutine.
func TestAVisitorLeavesWithItsAnswer(t *testing.T) {
	for name, leave := range map[string]func(m *Mailbox){
		"data":    func(m *Mailbox) { m.PostUserMessage("b") },
		"control": func(m *Mailbox) { m.PostUserMessage(controlled("b")) },
		"a share that was taken out": func(m *Mailbox) {
			m.taken = []any{"b"}
			m.depth.Add(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			v := &visitor{}
			answerOn(r, v, v)
			turns := 0
			r.end = func() {
				if turns++; turns == 1 {
					leave(m)
				}
			}
			require.True(t, m.Visit(v, true))
			require.Equal(t, []string{"batch of 1", "data visitor", "end"}, r.events)
			require.True(t, m.running.Load(), "a goroutine is on its way")
			d.settle(t)
			require.Contains(t, r.events[len(r.events)-2], "b")
			require.False(t, m.running.Load())
			require.Zero(t, m.UserMessageCount())
		})
	}
}

// TestAVisitorWithoutAnAnswerLeavesWhenNothingIsLeftToDo: somebody else brings the answer.
func TestAVisitorWithoutAnAnswerLeavesWhenNothingIsLeftToDo(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	v := &visitor{}
	turns := 0
	r.end = func() {
		if turns++; turns == 1 {
			m.PostUserMessage("b") // the visitor runs the round of it, too
		}
	}
	require.True(t, m.Visit(v, true))
	require.Equal(t, []string{"batch of 1", "data visitor", "end", "batch of 1", "data b", "end"}, r.events)
	require.Empty(t, d.scheduled)
	require.False(t, m.running.Load())
}

// TestAVisitorWhoMayLeaveRunsOneRound: others could keep the actor busy for longer than it wants to wait.
func TestAVisitorWhoMayLeaveRunsOneRound(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	turns := 0
	r.end = func() {
		if turns++; turns < 3 {
			m.PostUserMessage("b")
		}
	}
	require.True(t, m.Visit(&visitor{}, false))
	require.Equal(t, []string{"batch of 1", "data visitor", "end"}, r.events)
	d.settle(t)
	require.Equal(t, 3, turns)
	require.False(t, m.running.Load())
}

// TestAVisitorLeavesSystemMessagesToOthers, whenever they come, and what comes behind them: what the actor does when it
// ends may take as long as the disk, and is none of the visitor's.
func TestAVisitorLeavesSystemMessagesToOthers(t *testing.T) {
	for name, row := range map[string]struct {
		before func(m *Mailbox)
		during func(m *Mailbox)
		left   int // events that are not the visitor's
	}{
		"it was there before": {before: func(m *Mailbox) {
			m.system = append(m.system, "s")
			m.systems.Store(1)
		}, left: 4},
		"it comes meanwhile": {during: func(m *Mailbox) { m.PostSystemMessage("s") }, left: 2},
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			if row.before != nil {
				row.before(m)
			}
			turns := 0
			r.end = func() {
				if turns++; turns == 1 && row.during != nil {
					row.during(m)
				}
			}
			require.True(t, m.Visit(&visitor{}, true))
			require.NotContains(t, r.events, "system s")
			d.settle(t)
			require.Equal(t, "system s", r.events[len(r.events)-row.left])
			require.Contains(t, r.events, "data visitor")
			require.False(t, m.running.Load())
			require.Zero(t, m.UserMessageCount())
		})
	}
}

// TestAPatientVisitorDoesWhatItsAnswerTakes, on its own goroutine.
func TestAPatientVisitorDoesWhatItsAnswerTakes(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	v := &visitor{}
	answerOn(r, v, controlled("done"))
	taken := putAsideOnce(r, func() { r.note("work") })
	require.True(t, m.Visit(v, true))
	require.True(t, *taken)
	require.Equal(t, []string{"batch of 1", "data visitor", "end", "work", "control done", "end"}, r.events)
	require.Empty(t, d.scheduled)
}

// TestAVisitorDoesNoWorkThatItNeedNotWaitFor: it may leave before the work is over, or has its answer.
func TestAVisitorDoesNoWorkThatItNeedNotWaitFor(t *testing.T) {
	for name, row := range map[string]struct{ patient, answered bool }{
		"it may leave":      {false, false},
		"it has its answer": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			v := &visitor{}
			completed := make(chan struct{})
			r.handle = func(message any) {
				switch message {
				case v:
					v.answered = row.answered
				case controlled("done"):
					close(completed)
				}
			}
			taken := putAsideOnce(r, func() {
				var stack [16 << 10]byte
				if strings.Contains(string(stack[:runtime.Stack(stack[:], false)]), ").Visit(") {
					t.Error("the visitor does the work")
				}
			})
			require.True(t, m.Visit(v, row.patient))
			require.True(t, *taken)
			for len(d.scheduled) > 0 {
				d.run()
			}
			<-completed
		})
	}
}

// TestAVisitorOfABusyActorPosts as everybody does, and of one that has closed its mailbox is told.
func TestAVisitorOfABusyActorPosts(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	m.PostUserMessage("a")
	require.True(t, m.Visit(&visitor{}, true))
	require.Empty(t, r.events)
	d.settle(t)
	require.Equal(t, []string{"batch of 2", "data a", "data visitor", "end"}, r.events)
	m.Close()
	require.False(t, m.Visit(&visitor{}, true))
}

// TestAVisitorSurvivesAPanicOfTheActor: the actor is told, not the visitor.
func TestAVisitorSurvivesAPanicOfTheActor(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	v := &visitor{}
	r.handle = func(any) {
		r.busy.Store(0)
		panic("bad")
	}
	require.True(t, m.Visit(v, true))
	require.Equal(t, []any{"bad"}, r.failed)
	r.busy.Store(0)
	d.settle(t)
	require.True(t, m.suspended.Load())
	require.False(t, m.running.Load())
}
