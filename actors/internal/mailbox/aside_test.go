package mailbox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// chore is work that is put aside.
type chore func()

func (c chore) Aside() Control {
	c()
	return controlled("done")
}

// putAsideOnce has a recorder put work aside at the end of its first turn.
func putAsideOnce(r *recorder, work func()) (taken *bool) {
	taken = new(bool)
	turns := 0
	r.end = func() {
		if turns++; turns == 1 {
			*taken = r.mailbox.PutAside(chore(work))
		}
	}
	return taken
}

// TestWorkPutAsideNeedsNoOtherGoroutine, and neither does its completion.
func TestWorkPutAsideNeedsNoOtherGoroutine(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	idle := false
	taken := putAsideOnce(r, func() {
		r.note("work")
		idle = !m.running.Load()
	})
	m.PostUserMessage("a")
	d.settle(t)
	require.True(t, *taken)
	require.True(t, idle, "the actor is busy with the work")
	require.Equal(t, []string{"batch of 1", "data a", "end", "work", "control done", "end"}, r.events)
	require.Empty(t, d.scheduled)
	require.False(t, m.running.Load())
	m.PostUserMessage("b")
	d.settle(t)
	require.Equal(t, "end", r.events[len(r.events)-1])
}

// TestAMessageFindsTheActorWhileWorkIsPutAside, and the completion that comes meanwhile is not lost.
func TestAMessageFindsTheActorWhileWorkIsPutAside(t *testing.T) {
	for name, during := range map[string]func(d *manual){
		"handled while the work is done": (*manual).run,
		"handled after the work":         func(*manual) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			putAsideOnce(r, func() {
				m.PostUserMessage("b")
				require.Len(t, d.scheduled, 1, "a message that comes now gets a goroutine")
				during(d)
			})
			m.PostUserMessage("a")
			d.settle(t)
			for len(d.scheduled) > 0 {
				d.run()
			}
			require.Contains(t, r.events, "data b")
			require.Contains(t, r.events, "control done")
			require.False(t, m.running.Load())
		})
	}
}

// TestNothingIsPutAsideWhileMessagesWait: the goroutine of the turn is needed for them.
func TestNothingIsPutAsideWhileMessagesWait(t *testing.T) {
	for name, post := range map[string]func(m *Mailbox){
		"data":    func(m *Mailbox) { m.PostUserMessage("b") },
		"control": func(m *Mailbox) { m.PostUserMessage(controlled("b")) },
		"system":  func(m *Mailbox) { m.PostSystemMessage("b") },
		"other work": func(m *Mailbox) {
			m.PutAside(chore(func() {}))
		},
		"a share that was taken out": func(m *Mailbox) { m.taken = []any{"b"} },
	} {
		t.Run(name, func(t *testing.T) {
			d := &manual{}
			m, r, _ := newTestMailbox(10, d)
			worked := false
			taken := true
			turns := 0
			r.end = func() {
				if turns++; turns == 1 {
					post(m)
					taken = m.PutAside(chore(func() { worked = true }))
				}
			}
			m.PostUserMessage("a")
			d.settle(t)
			require.False(t, taken)
			require.False(t, worked)
		})
	}
}

// TestWorkPutAsideDoesNotKeepWhatComesNext waiting, when that comes in the same turn.
func TestWorkPutAsideDoesNotKeepWhatComesNext(t *testing.T) {
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	release, completed := make(chan struct{}), make(chan struct{})
	turns := 0
	r.end = func() {
		if turns++; turns == 1 {
			require.True(t, m.PutAside(chore(func() { <-release })))
			m.PostUserMessage("b")
		}
	}
	r.handle = func(message any) {
		if message == controlled("done") {
			close(completed)
		}
	}
	m.PostUserMessage("a")
	d.settle(t)
	require.Equal(t, []string{"batch of 1", "data a", "end", "batch of 1", "data b", "end"}, r.events)
	close(release)
	<-completed
}
