package actors

import (
	"context"
	"sync/atomic"
)

// soleBefore is how many operations in a row have had none beside them when a caller is taken for a lone one. Among several
// callers it happens now and then that an operation is the only one on its way. To have the turn run for it alone would take
// more time than to gather it with others.
const soleBefore = 16

// loneCaller tells whether operations come from a single caller that waits for each.
type loneCaller struct {
	sole atomic.Int32 // operations in a row without another one beside them, up to soleBefore
}

// with notes an operation that is the only one on its way, or is not. It reports whether its caller is a lone one. As long as
// nothing changes it writes nothing, since all callers share it.
func (l *loneCaller) with(sole bool) bool {
	n := l.sole.Load()
	switch {
	case !sole:
		if n != 0 {
			l.sole.Store(0)
		}
		return false
	case n < soleBefore:
		l.sole.Store(n + 1)
		return false
	}
	return true
}

// post hands an operation to the store actor. A lone caller runs the turn of the actor itself. One that cannot leave, since its
// context never ends, also does the work that its own commit takes.
func (s *Store) post(ctx context.Context, o *op) bool {
	if s.lone.with(s.credits.Sole()) {
		return s.mailbox.Visit(o, ctx.Done() == nil)
	}
	return s.mailbox.Post(o)
}
