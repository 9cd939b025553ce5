package mailbox

// Aside is work that an actor has put aside, to be done while it does nothing itself.
type Aside interface {
	// Aside does the work and returns the control message that tells the actor so.
	Aside() Control
}

// PutAside has work done once the turn of the actor is over, which puts it aside at its end: on the goroutine that
// the turn was on, so that the work takes no other one to begin, and its completion none to be handled. That goroutine is not
// the actor's any more by then: whoever posts a message finds the mailbox idle, and the actor gets another one.
//
// It reports false when messages wait for the actor, which goes on with them at once; the work is then the caller's to
// hand to somebody else. Only one piece of work is put aside in a turn.
func (m *Mailbox) PutAside(work Aside) bool {
	if m.aside != nil || m.pending() || m.takenAt < len(m.taken) {
		return false
	}
	m.aside = work
	return true
}

// finish does the work that was put aside, and puts its completion into the lane. It reports whether the goroutine is to
// run rounds.
func (m *Mailbox) finish(work Aside) bool {
	message := work.Aside()
	m.putControl(message)
	return !m.running.Load() && m.running.CompareAndSwap(false, true)
}

// leave is finish on a goroutine of its own.
func (m *Mailbox) leave(work Aside) {
	if m.finish(work) {
		m.run()
	}
}
