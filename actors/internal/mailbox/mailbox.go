package mailbox

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// Mailbox is the mailbox of a store actor. It implements actor.Mailbox and has three lanes:
//
//   - system messages of the actor library;
//   - control messages, which implement Control: completions of work, and timers;
//   - data messages: everything else.
//
// The mailbox works in rounds. A round invokes the actor with each system message, then with each
// control message, then once with a *Batch of the data messages that had arrived, and ends with a
// *TurnEnd. Within a lane the order of arrival is kept.
//
// Before a round ends it yields the processor once and takes in what has arrived meanwhile. Callers
// that a completion has just woken post their next operation in that moment, and so their operations
// join the commit that the actor makes at TurnEnd. (Options.Share turns this off.) Before the mailbox
// goes idle it yields once more, because to wake an idle actor costs more than a yield.
type Mailbox struct {
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	options    Options
	runs       func() // run, as one value for all who schedule it

	mu      sync.Mutex
	system  []any
	control []any
	data    []any
	closed  bool

	// How many messages are in the lanes system and control, written under mu. With depth they tell who runs the rounds, without mu,
	// whether there is anything in the lanes.
	systems, controls atomic.Int32

	running   atomic.Bool  // a goroutine runs the rounds, or is scheduled to
	suspended atomic.Bool  // the actor library holds back all but system messages
	depth     atomic.Int64 // data messages that the actor has not been given

	// The fields below belong to the goroutine that runs the rounds.

	// spareControl and spareData are the emptied slices that the lanes get back when their messages
	// are taken out, so that a lane and its spare take turns.
	spareControl, spareData []any
	// controlled and drained are the messages that the actor is being given. After a panic the ones
	// that it had not come to are put back into the lanes.
	controlled, drained Batch
	// taken is what was taken out of the data lane; its first takenAt messages were given to the
	// actor. A round that shares gives it a part only.
	taken   []any
	takenAt int
	// gathering is the patience of the yield before a round ends, idling that of the yield before the
	// mailbox goes idle.
	gathering, idling patience
	came              int // messages that were taken out of the lanes since it was set to 0
	aside             Aside
	visitor           Visitor // on whose goroutine the rounds are run, or nil
	patient           bool    // the visitor stays until it is answered, whatever comes
	brings            any     // what the visitor has come with, ahead of the data lane, until it is taken from here; nil otherwise
	brought           [1]any  // and that, while the actor is given it
}

// Options are what a Mailbox is made with.
type Options struct {
	// MaxData bounds the data messages in the mailbox that do not hold credit (see Credited). The
	// mailbox rejects more.
	MaxData int
	// Share makes a round give the actor a part of the data that has arrived, and leaves out the
	// yield before the round ends. It is for stores whose replies leave when a round ends: callers
	// that have their reply come back while the next round serves the others. Where replies wait for
	// a sync, it is better to have all operations in the round.
	Share bool
	// Reject answers a message that the mailbox does not take: it is closed, or full.
	Reject func(message any)
}

// Control marks messages that go ahead of data.
type Control interface{ Control() }

// Credited marks data messages that hold credit. Credits bound how many of them there can be, so the
// mailbox takes them however many it holds.
type Credited interface{ HoldsCredit() }

// Batch is data messages that the actor is given at once. The actor raises Next before it handles
// each message. When it panics, the message before Next is the actor's to answer, and the mailbox
// gives it those from Next on again.
type Batch struct {
	Messages []any
	Next     int
}

// rest returns the messages that the actor had not come to, and empties the batch.
func (b *Batch) rest() []any {
	rest := b.Messages[min(b.Next, len(b.Messages)):]
	*b = Batch{}
	return rest
}

// TurnEnd tells the actor that a round is over.
type TurnEnd struct{}

var turnEnd = &TurnEnd{}

const (
	// smallestShare is the least that a sharing round takes, in messages. It is half of a common
	// number of callers: one half runs while the other is served.
	smallestShare = 32
	// shareOf is the part of what has arrived that a sharing round takes, as a divisor.
	shareOf = 8
	// maxSpare bounds the capacity, in messages, of an emptied slice that is kept for its lane. It is what append makes of
	// a slice that gets 4,096 messages, and somewhat more: one that is dropped grows anew for each round.
	maxSpare = 4096 + 1024
)

// New returns a mailbox.
func New(options Options) *Mailbox {
	m := &Mailbox{options: options, gathering: newPatience(), idling: newPatience()}
	m.runs = m.run
	return m
}

// RegisterHandlers implements actor.Mailbox.
func (m *Mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start implements actor.Mailbox.
func (m *Mailbox) Start() {}

// UserMessageCount implements actor.Mailbox. It returns the number of data messages that the actor
// has not been given.
func (m *Mailbox) UserMessageCount() int { return int(m.depth.Load()) }

// PostSystemMessage implements actor.Mailbox.
func (m *Mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system = append(m.system, message)
	m.systems.Store(int32(len(m.system)))
	m.mu.Unlock()
	m.schedule()
}

// PostUserMessage implements actor.Mailbox. A data message that finds the mailbox closed or full
// goes to Options.Reject.
func (m *Mailbox) PostUserMessage(message any) {
	if _, ok := message.(Control); ok {
		m.putControl(message)
		m.schedule()
		return
	}
	bounded := true
	switch message.(type) {
	case Credited, *actor.PoisonPill: // a poison pill must arrive: it stops the actor
		bounded = false
	}
	if !m.post(message, bounded) {
		m.options.Reject(message)
	}
}

// putControl puts a message into the control lane.
func (m *Mailbox) putControl(message any) {
	m.mu.Lock()
	m.control = append(m.control, message)
	m.controls.Store(int32(len(m.control)))
	m.mu.Unlock()
}

// Post puts a message that holds credit into the data lane. It returns false when the mailbox is
// closed; the message is then the caller's to answer.
func (m *Mailbox) Post(message Credited) bool { return m.post(message, false) }

func (m *Mailbox) post(message any, bounded bool) bool {
	if !m.put(message, bounded) {
		return false
	}
	m.schedule()
	return true
}

// put puts a message into the data lane.
func (m *Mailbox) put(message any, bounded bool) bool {
	m.mu.Lock()
	if m.closed || bounded && len(m.data) >= m.options.MaxData {
		m.mu.Unlock()
		return false
	}
	m.data = append(m.data, message)
	m.depth.Add(1)
	m.mu.Unlock()
	return true
}

// Close makes the mailbox reject the data messages that it holds, and all that come later. The actor
// calls it on its own turn.
func (m *Mailbox) Close() {
	m.mu.Lock()
	m.closed = true
	data := append(m.untaken(), m.data...)
	m.data = nil
	m.mu.Unlock()
	for _, message := range data {
		m.depth.Add(-1)
		m.options.Reject(message)
	}
}

// SetShare sets Options.Share. The actor calls it on its own turn.
func (m *Mailbox) SetShare(share bool) { m.options.Share = share }

// schedule sees to it that a goroutine runs the rounds.
func (m *Mailbox) schedule() {
	if !m.running.Load() && m.running.CompareAndSwap(false, true) {
		m.dispatcher.Schedule(m.runs)
	}
}

// run runs rounds until the lanes are empty, and what the actor has put aside. Only the goroutine that set running
// runs it.
func (m *Mailbox) run() {
	growStack(0)
	for {
		m.rounds()
		aside := m.aside
		m.aside = nil
		m.running.Store(false)
		// A message that was posted before running was cleared found it set, and scheduled nothing.
		if m.pending() && m.running.CompareAndSwap(false, true) {
			if aside != nil {
				go m.leave(aside)
			}
			continue
		}
		if aside == nil || !m.finish(aside) {
			return
		}
	}
}

// pending reports whether there are messages that may be handled.
func (m *Mailbox) pending() bool {
	return m.systems.Load() > 0 || !m.suspended.Load() && (m.controls.Load() > 0 || m.depth.Load() > 0)
}

// rounds runs rounds until the lanes are empty, the mailbox is suspended, or the actor panics. When the actor ends the
// goroutine, with runtime.Goexit, another one goes on.
func (m *Mailbox) rounds() {
	var current any // what the actor is being given
	over := false
	defer func() {
		if over {
			return
		}
		reason := recover()
		m.putBack()
		if reason == nil {
			m.visitor = nil
			m.dispatcher.Schedule(m.runs)
			return
		}
		m.invoker.EscalateFailure(reason, current)
	}()
	m.untilIdle(&current)
	over = true
}

// untilIdle is rounds without the end that the actor may bring about.
func (m *Mailbox) untilIdle(current *any) {
	yielded := false // since the last round
	for {
		if !m.pass(current) {
			if yielded || m.suspended.Load() || m.visitor != nil || !m.idling.yield() {
				return
			}
			yielded = true
			continue
		}
		if m.suspended.Load() {
			continue
		}
		if !m.options.Share && m.visitor == nil && m.gathering.yield() {
			m.came = 0
			m.pass(current)
			m.gathering.brought(m.came)
		}
		if m.suspended.Load() {
			continue
		}
		*current = turnEnd
		m.invoker.InvokeUserMessage(turnEnd)
		if m.aside != nil || m.visitorLeaves() {
			return
		}
		yielded = false
	}
}

// putBack puts the messages that a panicking actor had not come to back into the lanes, ahead of
// what has arrived meanwhile.
func (m *Mailbox) putBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = append(m.controlled.rest(), m.control...)
	m.controls.Store(int32(len(m.control)))
	rest := m.drained.rest()
	m.depth.Add(int64(len(rest)))
	m.data = slices.Concat(rest, m.untaken(), m.data)
	// These may share their memory with the lanes now.
	m.spareControl, m.spareData = nil, nil
}

// pass gives the actor what is in the lanes now. It reports whether there was anything. A visitor does not begin on
// what comes behind a system message.
func (m *Mailbox) pass(current *any) bool {
	worked, left := m.passSystem(current)
	if left || m.suspended.Load() {
		return worked
	}
	worked = m.passControl(current) || worked
	return m.passData(current) || worked
}

// passSystem gives the actor the system messages one by one, as each may bring about others. A visitor leaves them to
// another goroutine, and is told so: the actor closes its files when it ends, and a disk that hangs would hold the visitor.
func (m *Mailbox) passSystem(current *any) (worked, left bool) {
	for {
		if m.systems.Load() == 0 || m.visitor != nil {
			return worked, m.systems.Load() > 0
		}
		m.mu.Lock()
		message := m.system[0]
		m.system[0] = nil
		m.system = m.system[1:]
		if len(m.system) == 0 {
			m.system = nil
		}
		m.systems.Store(int32(len(m.system)))
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

// passControl gives the actor the control messages that have arrived.
func (m *Mailbox) passControl(current *any) bool {
	if m.controls.Load() == 0 {
		return false
	}
	m.mu.Lock()
	control := m.control
	m.control = m.spareControl[:0]
	m.controls.Store(0)
	m.mu.Unlock()
	m.spareControl = nil
	m.came += len(control)
	m.controlled = Batch{Messages: control}
	for i, message := range control {
		*current = message
		control[i] = nil
		m.controlled.Next = i + 1
		m.invoker.InvokeUserMessage(message)
	}
	m.controlled = Batch{}
	if cap(control) <= maxSpare {
		m.spareControl = control[:0]
	}
	return true
}

// passData gives the actor the data messages that have arrived, or a share of them.
func (m *Mailbox) passData(current *any) bool {
	if m.brings != nil {
		m.brought[0], m.brings = m.brings, nil
		m.give(current, m.brought[:])
		return true
	}
	if m.depth.Load() == 0 {
		return false
	}
	if m.takenAt == len(m.taken) {
		m.mu.Lock()
		m.taken, m.data = m.data, m.spareData[:0]
		m.mu.Unlock()
		m.spareData, m.takenAt = nil, 0
	}
	share := len(m.taken)
	if m.options.Share {
		share = max(smallestShare, len(m.taken)/shareOf)
	}
	data := m.taken[m.takenAt:min(m.takenAt+share, len(m.taken))]
	if len(data) > 0 {
		m.takenAt += len(data)
		m.give(current, data)
	}
	if m.takenAt == len(m.taken) {
		if cap(m.taken) <= maxSpare {
			m.spareData = m.taken[:0]
		}
		m.taken, m.takenAt = nil, 0
	}
	return len(data) > 0
}

// give gives the actor data messages.
func (m *Mailbox) give(current *any, data []any) {
	m.came += len(data)
	m.depth.Add(-int64(len(data)))
	m.drained.Messages, m.drained.Next = data, 0
	*current = &m.drained
	m.invoker.InvokeUserMessage(&m.drained)
	m.drained.Messages = nil
	clear(data)
}

// untaken returns the messages that are in the data lane no more and were not given to the actor, and forgets them.
func (m *Mailbox) untaken() []any {
	left := m.taken[m.takenAt:]
	m.taken, m.takenAt = nil, 0
	if m.brings != nil {
		left = append([]any{m.brings}, left...)
		m.brings = nil
	}
	return left[:len(left):len(left)]
}
