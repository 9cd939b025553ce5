package engine

// groups are the at most two groups that an engine has at a time: one gathers
// while the one before it is being written.
type groups struct {
	current  *group
	inflight *group // on the commit lane, or nil
	spare    *group // the memory of one that is done, or nil
}

func newGroups() groups { return groups{current: &group{}} }

// depart puts the current group in flight, which nothing must be, and starts the
// next one. The two differ in parity, by which the subject index tells what they
// have staged apart.
func (gs *groups) depart() *group {
	g := gs.current
	gs.current, gs.spare = gs.spare, nil
	if gs.current == nil {
		gs.current = &group{}
	}
	gs.current.parity = g.parity ^ 1
	gs.inflight = g
	return g
}

// arrive ends the flight of a group and returns it.
func (gs *groups) arrive() *group {
	g := gs.inflight
	gs.inflight = nil
	return g
}

// reuse keeps the memory of a group that has arrived for a later one.
func (gs *groups) reuse(g *group) {
	g.reset()
	gs.spare = g
}

// shrink gives up the memory of groups while there is nothing in them.
func (gs *groups) shrink() { gs.current, gs.spare = &group{}, nil }
