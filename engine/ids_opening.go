package engine

// MessageID is what WorkIDs finds of a message.
type MessageID struct {
	Sequence uint64
	Time     int64
	ID       string
}

// idScan finds the ids of the messages in the log while a stream is being opened: one block after the other, from
// the newest on, of those with messages that are young enough, until as many are found as are remembered.
type idScan struct {
	begun  bool
	blocks []uint32 // still to be looked at, ascending
	work   WorkID   // that looks at the last of them, 0 when none does
	failed int      // attempts at it
	found  [][]MessageID
	count  int
}

// mostIDScans is how often a block is tried that cannot be read. The stream is then opened without its ids: the
// messages could not be read either.
const mostIDScans = 3

// idsFound reports whether the ids of the messages in the log are known. It asks for what is missing.
func (e *Engine) idsFound() bool {
	s := &e.opening.ids
	if !e.ids.on() {
		return true
	}
	oldest := e.now - int64(e.cfg.Duplicates.Age)
	if !s.begun {
		s.begun = true
		e.ids.advance(e.now)
		for _, b := range e.blocks {
			if b.msgs > 0 && b.scannedSize > 0 && b.maxTime > oldest {
				s.blocks = append(s.blocks, b.id)
			}
		}
	}
	if s.work != 0 || e.steady < s.retryAt(e) {
		return false
	}
	if n := len(s.blocks); n > 0 && s.count < e.cfg.Duplicates.Entries {
		if b := e.blockNumbered(s.blocks[n-1]); b != nil {
			s.work = e.schedule(WorkIDs, b.id, b.scannedSize)
			e.work[len(e.work)-1].Since = oldest
			return false
		}
		s.blocks = s.blocks[:n-1]
		return e.idsFound()
	}
	for i := len(s.found) - 1; i >= 0; i-- {
		for _, m := range s.found[i] {
			if e.blockOf(m.Sequence) != nil {
				e.ids.Add(m.ID, m.Sequence, m.Time)
			}
		}
	}
	*s = idScan{begun: true}
	return true
}

// retryAt returns when a block that could not be read is tried again.
func (s *idScan) retryAt(e *Engine) int64 {
	if s.failed == 0 || e.expiry.retry == never {
		return e.steady
	}
	return e.expiry.retry
}

// tookIDs takes the ids that were found in a block. Those of messages that were removed are forgotten: their
// sequences may be those of other messages by now.
func (e *Engine) tookIDs(w Work, d Done) {
	if e.serving() || e.opening.ids.work != w.ID {
		return
	}
	s := &e.opening.ids
	s.work = 0
	if d.Err != nil {
		if s.failed++; s.failed < mostIDScans {
			e.expiry.retry = min(e.expiry.retry, e.steady+retryLoad)
			return
		}
	}
	s.failed = 0
	s.blocks = s.blocks[:len(s.blocks)-1]
	b := e.blockNumbered(w.Block)
	if b == nil {
		return
	}
	var live []MessageID
	for _, m := range d.IDs {
		if n := len(live); b.live(m.Sequence) && (n == 0 || live[n-1].Sequence < m.Sequence) {
			live = append(live, m)
		}
	}
	s.found = append(s.found, live)
	s.count += len(live)
}

func (e *Engine) blockNumbered(id uint32) *block {
	for _, b := range e.blocks {
		if b.id == id {
			return b
		}
	}
	return nil
}
