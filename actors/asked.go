package actors

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// shortRead is how long a read for an actor may take among the short ones.
const shortRead = 2 * time.Millisecond

// asked is the context of a read for an actor. Whoever reads asks it now and then whether to go on, and each time
// it looks at two things:
//
//   - whether somebody still waits for the reply. A future that timed out and an actor that has stopped are not
//     registered any more. The read then ends as one whose context was cancelled.
//   - how long it has taken. A read that turns out to be long leaves its place to the short ones, waits for one among
//     the long ones, and yields the processor from then on: no short read waits behind a walk through all subjects.
type asked struct {
	context.Context
	stream *stream
	sender *actor.PID
	since  time.Time

	mu    sync.Mutex // a scan may ask on another goroutine
	place *read.Gate
	gone  bool
}

// begin waits for a place among the short reads.
func (a *asked) begin() {
	a.place = a.stream.runtime.short
	a.place.Enter()
	a.since = time.Now()
}

// end leaves the place.
func (a *asked) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.place.Leave()
	a.place = nil
}

// Err implements context.Context.
func (a *asked) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.gone {
		_, waiting := a.stream.system.ProcessRegistry.Get(a.sender)
		a.gone = !waiting
	}
	long := a.stream.runtime.long
	switch {
	case a.gone:
		return context.Canceled
	case a.place == nil: // of a read that has no place
	case a.place == long:
		runtime.Gosched()
	case time.Since(a.since) > shortRead:
		a.place.Leave()
		a.place = long
		a.place.Enter()
	}
	return nil
}
