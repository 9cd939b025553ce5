package engine

// Fetch tells the engine n commands to come; command returns nil for one that is
// none. It changes nothing; a stream of many subjects takes the commands faster then,
// as the processor finds in its caches what it would have to wait for.
func (e *Engine) Fetch(n int, command func(i int) Command) {
	if n == 0 {
		return
	}
	if _, removes := command(0).(*Remove); removes {
		e.fetchRemovals(n, command)
		return
	}
	e.subjects.Fetch(n, func(i int) string {
		if c := command(i); c != nil {
			return c.subjectAhead()
		}
		return ""
	})
}

// WantsFetch reports whether Fetch of so many commands, of which one is the first, saves more than it costs.
func (e *Engine) WantsFetch(n int, first Command) bool {
	if e.failed != nil || n < fetchCommands {
		return false
	}
	if _, removes := first.(*Remove); removes {
		return true
	}
	return e.subjects.Tree().Len() >= fetchSubjects
}

// Fetch is worth it from so many commands, and unless they remove messages, from so many subjects in the index on.
const (
	fetchCommands = 8
	fetchSubjects = 100_000
)
