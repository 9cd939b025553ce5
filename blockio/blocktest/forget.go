package blocktest

// What a sync that fails leaves on Linux: the pages that could not be written are taken for
// clean. They read back as they are, no later sync writes them or tells of them, and a loss
// of power takes them. See Fault.Forget.

// forget does that to a file.
func (f *memFile) forget() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if n := f.node; len(n.pending) > 0 {
		n.forgot, n.pending = true, nil
	}
}

// forgetDir does it to the names in a directory.
func (m *MemFS) forgetDir(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if dir, err := m.lookup(name); err == nil && dir.dir {
		dir.changes = nil
	}
}
