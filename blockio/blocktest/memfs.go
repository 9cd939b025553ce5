package blocktest

import (
	"cmp"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// MemFS is a blockio.FS in memory that knows, of everything, what of it would
// outlive a loss of power: of a file what was synced, of a directory the entries
// that were when it was synced. CrashImage returns what a machine would find.
//
// It is stricter than most real file systems: syncing a file does not make its
// entry durable, and nothing becomes durable by itself. Make one with NewMemFS.
type MemFS struct {
	mu    sync.Mutex
	root  *node
	locks map[*node]string
	clock int64
}

// A node is a file or a directory.
type node struct {
	dir bool

	// Of a file.
	live    content
	durable content
	pending []write // not synced, in order
	// forgot tells that a sync failed and what it was for was forgotten: live has it, and
	// durable never will.
	forgot bool
	// When the file was last changed, and how much of that is durable.
	modTime, durableTime int64

	// Of a directory.
	entries map[string]*node
	synced  map[string]*node
	changes []*change // not synced, in order
}

// A write is one unsynced change of a file: of data, or of its size.
type write struct {
	offset   int64 // where data goes; of a truncate: the new size
	data     []byte
	truncate bool
}

// A change is one unsynced change of directories: under the name from goes
// nothing, under the name to goes node. A rename across directories is in the
// changes of both, and durable when one of them is synced.
type change struct {
	fromDir, toDir *node
	from, to       string // empty for none
	node           *node
	done           bool
}

// NewMemFS returns an empty file system. Its directories "/" and "." are there.
func NewMemFS() *MemFS {
	return &MemFS{root: newDir(), locks: make(map[*node]string)}
}

// tick is the clock of the modification times: it counts the changes of files, so
// that two runs have the same times. m.mu is held.
func (m *MemFS) tick() int64 {
	m.clock++
	return m.clock
}

func newDir() *node {
	return &node{dir: true, entries: make(map[string]*node), synced: make(map[string]*node)}
}

func (m *MemFS) newFile() *node {
	now := m.tick()
	return &node{modTime: now, durableTime: now}
}

func split(name string) []string {
	name = strings.Trim(filepath.ToSlash(filepath.Clean(name)), "/")
	if name == "." || name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// lookup finds what has a name. m.mu is held.
func (m *MemFS) lookup(name string) (*node, error) {
	at := m.root
	for _, part := range split(name) {
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		next, ok := at.entries[part]
		if !ok {
			return nil, fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}

// parent finds the directory that a name is in. m.mu is held.
func (m *MemFS) parent(name string) (*node, string, error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", fs.ErrInvalid
	}
	dir, err := m.lookup(strings.Join(parts[:len(parts)-1], "/"))
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return dir, parts[len(parts)-1], err
}

// apply does a change to the entries and notes it as unsynced.
func (m *MemFS) apply(c *change) {
	if c.from != "" {
		delete(c.fromDir.entries, c.from)
		c.fromDir.changes = append(c.fromDir.changes, c)
	}
	if c.to != "" {
		c.toDir.entries[c.to] = c.node
		if c.from == "" || c.toDir != c.fromDir {
			c.toDir.changes = append(c.toDir.changes, c)
		}
	}
}

// OpenFile implements blockio.FS.
func (m *MemFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.open(name, mode)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{fs: m, node: n, name: name, writable: mode != blockio.ModeRead}, nil
}

func (m *MemFS) open(name string, mode blockio.OpenMode) (*node, error) {
	if mode > blockio.ModeReplace {
		return nil, fs.ErrInvalid
	}
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	n, found := dir.entries[base]
	create := mode == blockio.ModeCreate || mode == blockio.ModeReplace
	switch {
	case found && n.dir:
		return nil, syscall.EISDIR
	case found && mode == blockio.ModeCreate:
		return nil, fs.ErrExist
	case !found && !create:
		return nil, fs.ErrNotExist
	case !found:
		n = m.newFile()
		m.apply(&change{toDir: dir, to: base, node: n})
	case mode == blockio.ModeReplace && n.live.size > 0:
		n.truncate(0, m.tick())
	}
	return n, nil
}

// Remove implements blockio.FS.
func (m *MemFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return pathError("remove", name, err)
	}
	n, ok := dir.entries[base]
	switch {
	case !ok:
		return pathError("remove", name, fs.ErrNotExist)
	case n.dir && len(n.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.apply(&change{fromDir: dir, from: base})
	return nil
}

// Rename implements blockio.FS.
func (m *MemFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fromDir, from, err := m.parent(oldName)
	if err != nil {
		return pathError("rename", oldName, err)
	}
	toDir, to, err := m.parent(newName)
	if err != nil {
		return pathError("rename", newName, err)
	}
	n, ok := fromDir.entries[from]
	if !ok {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	if old, ok := toDir.entries[to]; ok && old != n && (old.dir != n.dir || old.dir && len(old.entries) > 0) {
		return pathError("rename", newName, fs.ErrExist)
	}
	if fromDir == toDir && from == to {
		return nil
	}
	m.apply(&change{fromDir: fromDir, from: from, toDir: toDir, to: to, node: n})
	return nil
}

// MkdirAll implements blockio.FS.
func (m *MemFS) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.root
	for _, part := range split(name) {
		next, ok := at.entries[part]
		switch {
		case !ok:
			next = newDir()
			m.apply(&change{toDir: at, to: part, node: next})
			at.syncDir()
		case !next.dir:
			return pathError("mkdir", name, syscall.ENOTDIR)
		default:
			at.settleEntry(part)
		}
		at = next
	}
	return nil
}

// Mkdir makes one directory whose entry is not durable before somebody syncs the directory
// above: another program may have made it, or a MkdirAll that did not come to its end.
// Until then a crash may take it, with all that is below.
func (m *MemFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && dir.entries[base] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	m.apply(&change{toDir: dir, to: base, node: newDir()})
	return nil
}

// ReadDir implements blockio.FS.
func (m *MemFS) ReadDir(name string) ([]blockio.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.lookup(name)
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries := make([]blockio.Entry, 0, len(dir.entries))
	for base, n := range dir.entries {
		entries = append(entries, blockio.Entry{Name: base, Size: n.live.size, IsDir: n.dir, ModTime: n.modTime})
	}
	slices.SortFunc(entries, func(a, b blockio.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// SyncDir implements blockio.FS.
func (m *MemFS) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.lookup(name)
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("syncdir", name, err)
	}
	dir.syncDir()
	return nil
}

// syncDir makes the unsynced changes of a directory durable, in order.
func (n *node) syncDir() {
	for _, c := range n.changes {
		c.settle()
	}
	n.changes = nil
}

// settleEntry makes what a directory has under a name durable, and no more than that.
func (n *node) settleEntry(name string) {
	for _, c := range n.changes {
		if c.toDir == n && c.to == name {
			c.settle()
		}
	}
}

// settle makes a change durable in every directory it touches.
func (c *change) settle() {
	if c.done {
		return
	}
	c.done = true
	if c.from != "" {
		delete(c.fromDir.synced, c.from)
	}
	if c.to != "" {
		c.toDir.synced[c.to] = c.node
	}
}

// Lock implements blockio.FS. The lock is one of this MemFS: its crash images
// are unlocked.
func (m *MemFS) Lock(name, holder string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	n, ok := dir.entries[base]
	if !ok {
		n = m.newFile()
		m.apply(&change{toDir: dir, to: base, node: n})
	}
	if other, held := m.locks[n]; held {
		return nil, &blockio.LockedError{Path: name, Holder: other}
	}
	m.locks[n] = holder
	n.truncate(0, m.tick())
	n.write([]byte(holder), 0, m.tick())
	return &memLock{fs: m, node: n}, nil
}

type memLock struct {
	fs   *MemFS
	node *node
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if _, held := l.fs.locks[l.node]; !held {
		return fs.ErrClosed
	}
	delete(l.fs.locks, l.node)
	l.node.truncate(0, l.fs.tick())
	return nil
}
