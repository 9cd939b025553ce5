package actors

import "github.com/seed-d8b58eba/millrace/engine"

// lossReport tells the store actor of messages that a reader has found lost.
type lossReport struct{ loss engine.Loss }

// Control implements mailbox.Control.
func (*lossReport) Control() {}

// mostLossReports bounds the reports that are on their way to the store actor. A report beyond is dropped:
// the next reader that comes by the damage makes another.
const mostLossReports = 1024

// lose reports lost messages to the store actor, from a reader's goroutine.
func (s *stream) lose(l engine.Loss) {
	if s.mailbox == nil { // while it is only recovered, a stream has no actor
		return
	}
	if s.lossReports.Add(1) > mostLossReports {
		s.lossReports.Add(-1)
		return
	}
	s.mailbox.PostUserMessage(&lossReport{l})
}

// onLoss takes lost messages out of the stream. What is known to be lost already is passed over, so each
// loss is counted and logged once.
func (a *storeActor) onLoss(m *lossReport) {
	a.lossReports.Add(-1)
	if a.ended {
		return
	}
	if n := a.engine.Lose(m.loss); n > 0 {
		a.log.Error("messages are lost", "path", a.source.Path(m.loss.Block), "block", m.loss.Block,
			"first", m.loss.First, "last", m.loss.Last, "messages", n)
	}
}
