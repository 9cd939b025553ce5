package actors

import (
	"bytes"
	"runtime"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
)

// TurnWays counts which ways the turns of a store have taken, for tests that are of no use without one of them.
type TurnWays struct {
	Visits  atomic.Int64 // turns on the goroutine of a caller
	Commits atomic.Int64 // commits that the caller itself has carried out
	Early   atomic.Int64 // turns in the middle of which a commit began

	store  atomic.Pointer[Store]
	groups uint64 // when the turn began
}

// WatchTurns returns a runtime whose turns are counted, from when Of has named the store.
func WatchTurns() (*TurnWays, *Runtime) {
	w, r := &TurnWays{}, NewRuntime(RuntimeConfig{})
	r.plant = func(message any) {
		s := w.store.Load()
		if s == nil {
			return
		}
		switch message.(type) {
		case *mailbox.Batch:
			w.groups = s.meters.groups.histogram(sizes).Count
		case *mailbox.TurnEnd:
			if s.meters.groups.histogram(sizes).Count > w.groups {
				w.Early.Add(1)
			}
			if within("mailbox.(*Mailbox).Visit(") {
				w.Visits.Add(1)
			}
			w.groups = s.meters.groups.histogram(sizes).Count + 1
		case *commitWork:
			if within("actors.(*Store).post(") {
				w.Commits.Add(1)
			}
		}
	}
	return w, r
}

// Of names the store, which has the runtime for itself.
func (w *TurnWays) Of(s *Store) { w.store.Store(s) }

// within reports whether a function is on the stack.
func within(function string) bool {
	var stack [32 << 10]byte
	return bytes.Contains(stack[:runtime.Stack(stack[:], false)], []byte(function))
}
