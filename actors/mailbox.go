package actors

import (
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is the store actor's mailbox. It has three lanes: system messages of
// the actor library, control messages (completions and timers, which implement
// controlMessage), and data, which reaches the actor as one *drain holding all
// that had arrived. After each round it invokes the actor with turnEnd.
//
// A round yields the processor once before it ends: callers that a completion
// has woken come back with their next operation in that moment, and share the
// group that turnEnd seals (where nobody waits for that, see shares). It yields
// once more before it goes idle, since waking an idle actor costs more than a
// yield.
type mailbox struct {
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher

	mu      sync.Mutex
	system  []any
	control []any
	data    []any
	closed  bool

	running   atomic.Bool
	suspended atomic.Bool
	depth     atomic.Int64

	// Of the running goroutine: slices that take turns with those above, and
	// the messages that are being handled.
	spareControl, spareData []any
	controlled, drained     drain
	taken                   []any // out of the data lane; a round drains a part
	takenAt                 int   // how much of it was drained

	most int // messages in the data lane that do not hold credit
	// shares makes a round take a part of what has arrived, and not wait for
	// more. When answers leave at the end of a round, who gets them comes back
	// while the next one runs; when they wait for a sync, all should be in the
	// group.
	shares bool
	// Of the running goroutine: before it ends, and before a round does. To end and
	// be started again costs less than a long yield, whatever that brings.
	idling, gathering patience
	reject            func(any) // answers a message that the mailbox does not take
}

// controlMessage marks messages that overtake data.
type controlMessage interface{ control() }

// drain is a batch of data messages. The actor counts in next how many it has
// taken, so that none is forgotten when it panics: the last one taken is the
// actor's to answer, the others are handled later.
type drain struct {
	messages []any
	next     int
}

// subject returns the subject of message i, if it stores one.
func (d *drain) subject(i int) string {
	if o, ok := d.messages[i].(*op); ok {
		return o.command.Subject
	}
	return ""
}

// rest returns what a panic has left over.
func (d *drain) rest() []any {
	rest := d.messages[min(d.next, len(d.messages)):]
	*d = drain{}
	return rest
}

// turnEnd tells the actor that a round is over.
type turnEnd struct{}

var endOfTurn = &turnEnd{}

func newMailbox(most int, reject func(any)) *mailbox {
	return &mailbox{most: most, reject: reject}
}

// RegisterHandlers implements actor.Mailbox.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox: the depth of the data lane.
func (m *mailbox) UserMessageCount() int { return int(m.depth.Load()) }

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system = append(m.system, message)
	m.mu.Unlock()
	m.schedule()
}

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(message any) {
	if _, ok := message.(controlMessage); ok {
		m.mu.Lock()
		m.control = append(m.control, message)
		m.mu.Unlock()
		m.schedule()
		return
	}
	// An op holds credit, which bounds the ops there are, and a poison pill has
	// to arrive. Others wait in a queue of bounded length.
	bounded := true
	switch message.(type) {
	case *op, *actor.PoisonPill:
		bounded = false
	}
	if !m.post(message, bounded) {
		m.reject(message)
	}
}

// post puts a message into the data lane. It reports false when the lane is
// closed or, for messages without credit, full.
func (m *mailbox) post(message any, bounded bool) bool {
	m.mu.Lock()
	if m.closed || bounded && len(m.data) >= m.most {
		m.mu.Unlock()
		return false
	}
	m.data = append(m.data, message)
	m.mu.Unlock()
	m.depth.Add(1)
	m.schedule()
	return true
}

// close makes the mailbox reject data from now on, and what it holds. The actor
// calls it on its own turn.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	data := append(m.left(), m.data...)
	m.data = nil
	m.mu.Unlock()
	for _, message := range data {
		m.depth.Add(-1)
		m.reject(message)
	}
}

func (m *mailbox) schedule() {
	if !m.running.Load() && m.running.CompareAndSwap(false, true) {
		m.dispatcher.Schedule(m.run)
	}
}

// run handles messages until there are none. Only one goroutine runs it at a
// time: the one that set running.
func (m *mailbox) run() {
	for {
		m.rounds()
		m.running.Store(false)
		if !m.pending() || !m.running.CompareAndSwap(false, true) {
			return
		}
	}
}

// pending reports whether there is something to handle.
func (m *mailbox) pending() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.system) > 0 || !m.suspended.Load() && (len(m.control) > 0 || len(m.data) > 0)
}

// rounds handles messages until the lanes are dry, or a handler panics.
func (m *mailbox) rounds() {
	var current any
	defer func() {
		if r := recover(); r != nil {
			m.keepRest()
			m.invoker.EscalateFailure(r, current)
		}
	}()
	lingered := false
	for {
		if !m.pass(&current) {
			if lingered || m.suspended.Load() || !m.idling.yield() {
				return
			}
			lingered = true
			continue
		}
		if m.suspended.Load() {
			continue
		}
		if !m.shares && m.gathering.yield() && m.pass(&current) {
			m.gathering.paid()
		}
		if m.suspended.Load() {
			continue
		}
		current = endOfTurn
		m.invoker.InvokeUserMessage(endOfTurn)
		lingered = false
	}
}

// keepRest puts what a panic has left over back into the lanes, in its order.
func (m *mailbox) keepRest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = append(m.controlled.rest(), m.control...)
	rest := m.drained.rest()
	m.depth.Add(int64(len(rest)))
	m.data = append(append(rest, m.left()...), m.data...)
	m.spareControl, m.spareData = nil, nil
}

// pass handles what is in the lanes now. It reports whether there was anything.
func (m *mailbox) pass(current *any) bool {
	worked := m.passSystem(current)
	if m.suspended.Load() {
		return worked
	}
	m.mu.Lock()
	control := m.control
	m.control = m.spareControl[:0]
	m.mu.Unlock()
	m.spareControl = nil
	m.controlled.messages, m.controlled.next = control, 0
	for i, message := range control {
		*current = message
		control[i] = nil
		m.controlled.next = i + 1
		m.invoker.InvokeUserMessage(message)
	}
	m.controlled.messages = nil
	if cap(control) <= maxSpareLane {
		m.spareControl = control[:0]
	}

	return m.passData(current) || worked || len(control) > 0
}

// smallestShare is what a round takes at least, in messages: half of a common
// number of callers, so that one half runs while the other is served.
const smallestShare = 32

// passData drains the data lane, or its share of it.
func (m *mailbox) passData(current *any) bool {
	if m.takenAt == len(m.taken) {
		m.mu.Lock()
		m.taken, m.data = m.data, m.spareData[:0]
		m.mu.Unlock()
		m.spareData, m.takenAt = nil, 0
	}
	share := len(m.taken)
	if m.shares {
		share = max(smallestShare, len(m.taken)/8)
	}
	data := m.taken[m.takenAt:min(m.takenAt+share, len(m.taken))]
	if len(data) > 0 {
		m.takenAt += len(data)
		m.depth.Add(-int64(len(data)))
		m.drained.messages, m.drained.next = data, 0
		*current = &m.drained
		m.invoker.InvokeUserMessage(&m.drained)
		m.drained.messages = nil
		clear(data)
	}
	if m.takenAt == len(m.taken) {
		if cap(m.taken) <= maxSpareLane {
			m.spareData = m.taken[:0]
		}
		m.taken, m.takenAt = nil, 0
	}
	return len(data) > 0
}

// left returns what was taken out of the data lane and not drained.
func (m *mailbox) left() []any {
	left := m.taken[m.takenAt:]
	m.taken, m.takenAt = nil, 0
	return left[:len(left):len(left)]
}

// maxSpareLane bounds the memory that an idle lane keeps, in messages.
const maxSpareLane = 4096

func (m *mailbox) passSystem(current *any) bool {
	worked := false
	for {
		m.mu.Lock()
		if len(m.system) == 0 {
			m.mu.Unlock()
			return worked
		}
		message := m.system[0]
		m.system[0] = nil
		m.system = m.system[1:]
		if len(m.system) == 0 {
			m.system = nil
		}
		m.mu.Unlock()
		worked = true
		switch message.(type) {
		case *actor.SuspendMailbox:
			m.suspended.Store(true)
		case *actor.ResumeMailbox:
			m.suspended.Store(false)
		default:
			*current = message
			m.invoker.InvokeSystemMessage(message)
		}
	}
}
