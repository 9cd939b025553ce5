package consumer

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// reloaded brings the state that was read again.
type reloaded struct {
	core    *cursor.Cursor
	has     stored
	journal journal
	refused bool // nothing was stored since the last message that the actor knows
	err     error
}

// Control implements mailbox.Control.
func (*reloaded) Control() {}

// reload has the state read again.
func (a *consumerActor) reload(refused bool) {
	a.mode = reloading
	life, state, subject, box := a.life, a.state, a.journal.subject, a.inbox
	go func() {
		m := &reloaded{refused: refused}
		h, err := loadState(life, state, subject)
		if err == nil && h.last > 0 {
			m.journal = h.journal
			m.core, m.has, err = h.rebuild()
		}
		m.err = err
		box.PostUserMessage(m)
	}()
}

// onReady is told whether the stream with the state takes writes again.
func (a *consumerActor) onReady(err error) {
	switch {
	case a.mode != failed || a.stopping:
	case err == nil:
		a.reload(false)
	case errors.Is(err, actors.ErrStopped):
		a.stop(ErrStreamStopped)
	default:
		a.readyAt = later(a.now(), retryReady)
	}
}

// onReloaded goes on with the state that was read.
func (a *consumerActor) onReloaded(m *reloaded) {
	switch {
	case a.mode != reloading || a.stopping:
		return
	case errors.Is(m.err, ErrState):
		a.stop(m.err)
		return
	case errors.Is(m.err, actors.ErrStopped):
		a.stop(ErrStreamStopped)
		return
	case m.err != nil:
		a.fail(fmt.Errorf("reading the state: %w", m.err))
		return
	case m.core == nil || m.journal.claim > a.journal.claim || m.refused && m.journal.last > a.journal.last:
		a.stop(ErrTaken)
		return
	case m.refused && m.journal.last < a.journal.last:
		// At a weak sync level a disk that fails costs what was confirmed last.
		a.log.Warn("the stream with the state of a consumer has lost the end of it; messages come again")
	}
	a.mode, a.failure = running, nil
	a.core, a.has, a.journal = m.core, m.has, m.journal
	a.durable = max(a.durable, a.core.Noticed())
	a.era++
	a.loads, a.removed = 0, nil
	a.anew()
	if a.rewindTo > 0 {
		a.rewind(a.rewindTo)
		a.rewindTo = 0
	}
	a.look()
	a.tellBlamed()
	a.unpark()
}
