package mailbox

// Visitor is a message that holds credit, and whose sender waits for the answer.
type Visitor interface {
	Credited
	// Answered reports whether the answer is there.
	Answered() bool
}

// Visit is Post for a sender that waits. When the mailbox is idle, the sender's goroutine runs the rounds until the
// message is answered or nothing is left to do, so that a lone sender needs no other goroutine: none is woken to handle
// the message, and the sender is not woken for the answer. What is left when the message is answered gets a goroutine of its
// own, and so do system messages, and all that comes behind them.
//
// A patient sender's goroutine also does the work that the actor puts aside before the answer. For another one, which may leave
// before that is over, the work gets a goroutine of its own; and it runs one round, since others may keep the actor busy for
// longer than it wants to wait.
func (m *Mailbox) Visit(message Visitor, patient bool) bool {
	if m.running.Load() || !m.running.CompareAndSwap(false, true) {
		return m.post(message, false)
	}
	// The actor is idle. What is in the lanes, since it has come in this moment or the actor is suspended, goes first.
	taken := !m.closed
	if m.pending() || m.suspended.Load() {
		taken = m.put(message, false)
	} else if taken {
		m.depth.Add(1)
		m.brings = message
	}
	if !taken {
		m.dispatcher.Schedule(m.runs)
		return false
	}
	m.visit(message, patient)
	return true
}

// Serves reports whether the rounds are run on the goroutine that has come with the message. The actor asks on its turn.
func (m *Mailbox) Serves(message Visitor) bool { return m.visitor == message }

// visit is run on the goroutine of a visitor.
func (m *Mailbox) visit(v Visitor, patient bool) {
	for {
		m.visitor, m.patient = v, patient
		m.rounds()
		m.visitor = nil
		aside := m.aside
		m.aside = nil
		if aside != nil && (!patient || v.Answered()) {
			go m.leave(aside)
			aside = nil
		}
		m.running.Store(false)
		// As in run.
		if m.pending() && m.running.CompareAndSwap(false, true) {
			m.leaveAll(aside)
			return
		}
		if aside == nil || !m.finish(aside) {
			return
		}
	}
}

// leaveAll leaves the rounds, and what was put aside, to other goroutines.
func (m *Mailbox) leaveAll(aside Aside) {
	if aside != nil {
		go m.leave(aside)
	}
	m.dispatcher.Schedule(m.runs)
}

// visitorLeaves reports whether the rounds are those of a visitor who has what it came for, or will not wait for it.
func (m *Mailbox) visitorLeaves() bool {
	return m.visitor != nil && (!m.patient || m.visitor.Answered())
}
