package blocktest

// Rot replaces what a file holds behind the back of the file system, as a disk does whose
// bits change: it is durable at once, and the time of the last change stays. change is given
// the content, which it may keep and change, and returns the new one.
func (m *MemFS) Rot(name string, change func(content []byte) []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup(name)
	if err != nil {
		return pathError("rot", name, err)
	}
	held := make([]byte, n.live.size)
	n.live.readAt(held, 0)
	n.live = content{}
	n.live.writeAt(change(held), 0)
	n.durable, n.pending, n.durableTime = n.live.clone(), nil, n.modTime
	return nil
}
