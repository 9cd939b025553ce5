package blocktest

// Fork returns a file system in the same condition: the same files, and of each
// change whether it is durable. It is what a process that was killed leaves to the
// next one, while the machine goes on. Nothing is locked in it.
func (m *MemFS) Fork() *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &fork{nodes: make(map[*node]*node), changes: make(map[*change]*change)}
	forked := NewMemFS()
	forked.clock = m.clock
	forked.root = f.node(m.root)
	return forked
}

type fork struct {
	nodes   map[*node]*node
	changes map[*change]*change
}

func (f *fork) node(n *node) *node {
	if n == nil {
		return nil
	}
	if copied, ok := f.nodes[n]; ok {
		return copied
	}
	copied := &node{dir: n.dir}
	f.nodes[n] = copied
	if !n.dir {
		copied.live, copied.durable = n.live.clone(), n.durable.clone()
		copied.modTime, copied.durableTime = n.modTime, n.durableTime
		copied.pending = append([]write(nil), n.pending...) // their data never changes
		copied.forgot = n.forgot
		return copied
	}
	copied.entries, copied.synced = f.names(n.entries), f.names(n.synced)
	for _, c := range n.changes {
		copied.changes = append(copied.changes, f.change(c))
	}
	return copied
}

func (f *fork) names(entries map[string]*node) map[string]*node {
	copied := make(map[string]*node, len(entries))
	for name, n := range entries {
		copied[name] = f.node(n)
	}
	return copied
}

func (f *fork) change(c *change) *change {
	if copied, ok := f.changes[c]; ok {
		return copied
	}
	copied := &change{from: c.from, to: c.to, done: c.done}
	f.changes[c] = copied
	copied.fromDir, copied.toDir, copied.node = f.node(c.fromDir), f.node(c.toDir), f.node(c.node)
	return copied
}
