package blockio

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// An Overlay is the directory of a stream as it was at one instant, for whoever may not change it. Everything that is
// written goes to memory, and is read back from there; of the file system below only OpenFile with ModeRead and
// ReadDir are called, so that it may be one that fails every other call.
//
// Somebody else may have the directory open and change it meanwhile. What was removed or replaced is read as it was,
// as far as it is held open: mostHeld files are, the small ones and the first blocks. The block with the highest
// number is in memory. Whoever reads anything else that is not as it was gets a *ChangedError, and so does who reads
// a file that was changed in place; an index beside a block is then not there. Names that have come since are not
// there either. Only what nobody keeps for the stream's own (its lock, the consumers of a nats-server, lost+found, and
// files that are to take the place of others) is read as it is now.
//
// Its files cannot be mapped: memory changes with the file, also between the check of a record and its use.
type Overlay struct {
	base FS
	dir  string

	mu    sync.Mutex // guards the directories below root, and what follows
	root  *overlayNode
	held  []*heldFile
	locks map[*overlayNode]string // those that are locked, by whom
}

// mostHeld bounds the files that an Overlay holds open.
const mostHeld = 256

// An overlayNode is a directory or a file. Only those that are in memory are ever changed.
type overlayNode struct {
	base string // the path below; empty for what is in memory alone

	// Of a directory. children is nil before it is read.
	dir      bool
	children map[string]*overlayNode

	// Of a file.
	captured bool // it has to be as it was: stat
	stat     FileStat
	held     *heldFile
	mu       sync.RWMutex // guards what follows
	memory   bool         // data is the content
	data     []byte
	modTime  int64 // of data
}

// capturedDirs are the directories of a stream whose files are read as they were.
var capturedDirs = []string{blocksDir, purgeNewDir, purgeOldDir}

// NewOverlay returns the directory of a stream as it is at one instant during the call. Close lets go of it.
//
// The error is a *ChangedError when somebody else changes the directory so that nobody can tell what it was at any
// instant: another attempt may succeed. It is fs.ErrNotExist when there is no such directory.
func NewOverlay(base FS, dir string) (*Overlay, error) {
	o := &Overlay{base: base, dir: filepath.Clean(dir), locks: make(map[*overlayNode]string)}
	if err := o.capture(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// Close closes what is held open, when the last reader has closed it, too.
func (o *Overlay) Close() error {
	o.mu.Lock()
	held := o.held
	o.held = nil
	o.mu.Unlock()
	var errs []error
	for _, h := range held {
		errs = append(errs, h.release())
	}
	return errors.Join(errs...)
}

// find returns what has a name, nil for nothing, and the directory that the name is in. The caller holds mu.
func (o *Overlay) find(name string) (node, parent *overlayNode, last string, err error) {
	rel, err := filepath.Rel(o.dir, filepath.Clean(name))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return nil, nil, "", fs.ErrPermission // not of this stream
	}
	node = o.root
	if rel == "." {
		return node, nil, "", nil
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		switch {
		case node == nil:
			return nil, nil, "", fs.ErrNotExist
		case !node.dir:
			return nil, nil, "", syscall.ENOTDIR
		}
		if err := o.read(node); err != nil {
			return nil, nil, "", err
		}
		parent, last, node = node, part, node.children[part]
	}
	return node, parent, last, nil
}

// read lists a directory that was not listed yet. The caller holds mu.
func (o *Overlay) read(n *overlayNode) error {
	if n.children != nil {
		return nil
	}
	entries, err := o.base.ReadDir(n.base)
	if err != nil {
		return err
	}
	n.children = make(map[string]*overlayNode, len(entries))
	for _, e := range entries {
		n.children[e.Name] = newOverlayNode(n.base, e)
	}
	return nil
}

func newOverlayNode(dir string, e Entry) *overlayNode {
	return &overlayNode{base: filepath.Join(dir, e.Name), dir: e.IsDir, stat: FileStat{Size: e.Size, ModTime: e.ModTime}}
}

func overlayError(op, name string, err error) error {
	if _, is := err.(*fs.PathError); is {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// OpenFile implements FS.
func (o *Overlay) OpenFile(name string, mode OpenMode) (File, error) {
	n, err := o.open(name, mode)
	if err != nil {
		return nil, overlayError("open", name, err)
	}
	f := &overlayFile{overlay: o, node: n, name: name, writable: mode != ModeRead}
	if err := f.openBase(); err != nil {
		return nil, err
	}
	return f, nil
}

func (o *Overlay) open(name string, mode OpenMode) (*overlayNode, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, parent, last, err := o.find(name)
	create := mode == ModeCreate || mode == ModeReplace
	switch {
	case err != nil:
		return nil, err
	case mode > ModeReplace:
		return nil, fs.ErrInvalid
	case n != nil && n.dir:
		return nil, ErrNotRegular
	case n != nil && mode == ModeCreate:
		return nil, fs.ErrExist
	case n == nil && !create:
		return nil, fs.ErrNotExist
	case create:
		n = &overlayNode{memory: true, modTime: 1}
		parent.children[last] = n
	}
	return n, nil
}

// Remove implements FS.
func (o *Overlay) Remove(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, parent, last, err := o.find(name)
	if err == nil && n == nil {
		err = fs.ErrNotExist
	}
	if err == nil && parent == nil {
		err = fs.ErrPermission
	}
	if err == nil && n.dir {
		if err = o.read(n); err == nil && len(n.children) > 0 {
			err = syscall.ENOTEMPTY
		}
	}
	if err != nil {
		return overlayError("remove", name, err)
	}
	delete(parent.children, last)
	return nil
}

// Rename implements FS.
func (o *Overlay) Rename(oldName, newName string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, from, oldLast, err := o.find(oldName)
	if err == nil && n == nil {
		err = fs.ErrNotExist
	}
	if err == nil && from == nil {
		err = fs.ErrPermission
	}
	if err != nil {
		return overlayError("rename", oldName, err)
	}
	there, to, newLast, err := o.find(newName)
	if err == nil && (to == nil || there != nil && (there.dir || n.dir)) {
		err = fs.ErrExist
	}
	if err != nil {
		return overlayError("rename", newName, err)
	}
	delete(from.children, oldLast)
	to.children[newLast] = n
	return nil
}

// MkdirAll implements FS.
func (o *Overlay) MkdirAll(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var missing []string
	for {
		n, _, _, err := o.find(name)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return overlayError("mkdir", name, err)
		case n != nil && !n.dir:
			return overlayError("mkdir", name, syscall.ENOTDIR)
		case n == nil:
			missing = append(missing, filepath.Base(name))
			name = filepath.Dir(name)
			continue
		}
		if err := o.read(n); err != nil {
			return overlayError("mkdir", name, err)
		}
		for _, part := range slices.Backward(missing) {
			made := &overlayNode{dir: true, children: make(map[string]*overlayNode)}
			n.children[part], n = made, made
		}
		return nil
	}
}

// ReadDir implements FS.
func (o *Overlay) ReadDir(name string) ([]Entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, _, _, err := o.find(name)
	switch {
	case err != nil:
	case n == nil:
		err = fs.ErrNotExist
	case !n.dir:
		err = syscall.ENOTDIR
	default:
		err = o.read(n)
	}
	if err != nil {
		return nil, overlayError("readdir", name, err)
	}
	entries := make([]Entry, 0, len(n.children))
	for _, base := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[base]
		entry := Entry{Name: base, IsDir: child.dir}
		if !child.dir {
			stat := child.now()
			entry.Size, entry.ModTime = stat.Size, stat.ModTime
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// SyncDir implements FS. Nothing of an Overlay is durable.
func (o *Overlay) SyncDir(name string) error {
	_, err := o.ReadDir(name)
	return err
}

// Lock implements FS, for those who have this Overlay. Nobody else is kept out: what others do is noticed as it is read.
func (o *Overlay) Lock(name, holder string) (io.Closer, error) {
	n, err := o.open(name, ModeReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		n, err = o.open(name, ModeCreate)
	}
	if err != nil {
		return nil, lockError(name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if other, locked := o.locks[n]; locked {
		return nil, &LockedError{Path: name, Holder: other}
	}
	o.locks[n] = holder
	return &overlayLock{o, n}, nil
}

type overlayLock struct {
	overlay *Overlay
	node    *overlayNode
}

// Close implements io.Closer.
func (l *overlayLock) Close() error {
	l.overlay.mu.Lock()
	defer l.overlay.mu.Unlock()
	if _, locked := l.overlay.locks[l.node]; !locked {
		return fs.ErrClosed
	}
	delete(l.overlay.locks, l.node)
	return nil
}
