package engine

// Fetch tells the engine n commands to come; command returns nil for one that is
// none. It changes nothing; a stream of many subjects takes the commands faster then,
// as the processor finds in its caches what it would have to wait for.
func (e *Engine) Fetch(n int, command func(i int) Command) {
	e.subjects.Fetch(n, func(i int) string {
		if c := command(i); c != nil {
			return c.subjectAhead()
		}
		return ""
	})
}

// WantsFetch reports whether Fetch of so many commands saves more than it costs.
func (e *Engine) WantsFetch(n int) bool {
	return e.failed == nil && n >= fetchCommands && e.subjects.Tree().Len() >= fetchSubjects
}

// Fetch is worth it from so many commands, and from so many subjects in the index on.
const (
	fetchCommands = 8
	fetchSubjects = 100_000
)
