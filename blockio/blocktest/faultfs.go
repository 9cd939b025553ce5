package blocktest

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"github.com/seed-d8b58eba/millrace/blockio"
)

var (
	// ErrInjected is in every error that a FaultFS makes up.
	ErrInjected = errors.New("blocktest: injected")
	// ErrCrashed is what every operation returns after a Fault with Crash.
	ErrCrashed = fmt.Errorf("%w: crashed", ErrInjected)
	// ErrIO is an injected EIO.
	ErrIO = fmt.Errorf("%w: %w", ErrInjected, syscall.EIO)
	// ErrNoSpace is an injected ENOSPC.
	ErrNoSpace = fmt.Errorf("%w: %w", ErrInjected, syscall.ENOSPC)
)

// OpKind is a kind of operation on a file system.
type OpKind uint8

// The kinds of operation.
const (
	OpOpen   OpKind = iota // of an existing file
	OpCreate               // ModeCreate and ModeReplace
	OpRead
	OpWrite
	OpTruncate
	OpSync
	OpClose
	OpRemove
	OpRename
	OpMkdir
	OpReadDir
	OpSyncDir
	OpLock
	OpStat
	opKinds
)

var opNames = [opKinds]string{"open", "create", "read", "write", "truncate", "sync", "close",
	"remove", "rename", "mkdir", "readdir", "syncdir", "lock", "stat"}

// String names the kind.
func (k OpKind) String() string {
	if k < opKinds {
		return opNames[k]
	}
	return "unknown"
}

// An Op is one operation, as it is about to happen.
type Op struct {
	Kind      OpKind
	Name      string // the file; of a rename the old name
	Index     int    // how many operations were before it
	KindIndex int    // how many of its kind were before it
	Size      int    // of a read or write: bytes
	Offset    int64  // of a read or write, and the size of a truncate
}

// String is the operation in one line.
func (o Op) String() string {
	return fmt.Sprintf("#%d %s %s (%d at %d)", o.Index, o.Kind, o.Name, o.Size, o.Offset)
}

// A Fault is what happens to an operation. The zero Fault lets it through.
type Fault struct {
	// Err fails the operation, which does nothing but what Short says.
	Err error
	// Short is how many bytes of a write are written before Err.
	Short int
	// Forget makes a Sync or SyncDir that fails with Err lose what it should have made
	// durable, as Linux does: it reads back, a later sync has nothing to do for it and
	// succeeds, and a loss of power takes it. The file system below must be a MemFS.
	Forget bool
	// Wait, if set, is called before anything else: it may block.
	Wait func()
	// Crash fails this operation and all that follow with ErrCrashed. Short
	// counts as with Err.
	Crash bool
}

// FaultFS passes operations on to another file system, unless its hook says
// otherwise. It is safe for concurrent use; so must the hook be.
type FaultFS struct {
	fs blockio.FS

	mu      sync.Mutex
	hook    func(Op) Fault
	count   int
	counts  [opKinds]int
	crashed bool
	bad     []badSector
	mapping bool // files may be mapped
}

// NewFaultFS wraps fs. Without a hook it counts and lets everything through.
func NewFaultFS(fs blockio.FS) *FaultFS { return &FaultFS{fs: fs} }

// SetHook sets what is asked before each operation; nil for nothing. It may be
// changed at any time: a fault that passes is a hook that is taken away.
func (f *FaultFS) SetHook(hook func(Op) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Count returns the number of operations so far.
func (f *FaultFS) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// CountOf returns the number of operations of a kind so far.
func (f *FaultFS) CountOf(kind OpKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind >= opKinds {
		return 0
	}
	return f.counts[kind]
}

// Crash makes every operation from now on fail with ErrCrashed.
func (f *FaultFS) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
}

// Crashed says whether it has crashed.
func (f *FaultFS) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// FailAt is a hook that fails the one operation with that index.
func FailAt(index int, err error) func(Op) Fault {
	return func(op Op) Fault {
		if op.Index == index {
			return Fault{Err: err}
		}
		return Fault{}
	}
}

// FailFrom is a hook that fails the operation with that index and all later
// ones of the same kinds; of every kind when none is given.
func FailFrom(index int, err error, kinds ...OpKind) func(Op) Fault {
	return func(op Op) Fault {
		if op.Index < index {
			return Fault{}
		}
		for _, kind := range kinds {
			if kind == op.Kind {
				return Fault{Err: err}
			}
		}
		if len(kinds) == 0 {
			return Fault{Err: err}
		}
		return Fault{}
	}
}

// CrashAt is a hook that crashes instead of doing the operation with that index.
func CrashAt(index int) func(Op) Fault {
	return func(op Op) Fault { return Fault{Crash: op.Index == index} }
}

// before decides on an operation: an error when it is not to be done, and what the fault
// then leaves of it.
func (f *FaultFS) before(op Op) (fault Fault, err error) {
	f.mu.Lock()
	if f.crashed {
		f.mu.Unlock()
		return Fault{}, fmt.Errorf("%s %s: %w", op.Kind, op.Name, ErrCrashed)
	}
	op.Index, op.KindIndex = f.count, f.counts[op.Kind]
	f.count++
	f.counts[op.Kind]++
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return Fault{}, nil
	}
	fault = hook(op)
	if fault.Wait != nil {
		fault.Wait()
	}
	if fault.Crash {
		f.Crash()
		fault.Err = ErrCrashed
	}
	if fault.Err == nil {
		if f.Crashed() { // while it waited
			return Fault{}, fmt.Errorf("%s %s: %w", op.Kind, op.Name, ErrCrashed)
		}
		return Fault{}, nil
	}
	return fault, fmt.Errorf("%s %s: %w", op.Kind, op.Name, fault.Err)
}

// OpenFile implements blockio.FS.
func (f *FaultFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	kind := OpOpen
	if mode == blockio.ModeCreate || mode == blockio.ModeReplace {
		kind = OpCreate
	}
	if _, err := f.before(Op{Kind: kind, Name: name}); err != nil {
		return nil, err
	}
	file, err := f.fs.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, name: name}, nil
}

// Remove implements blockio.FS.
func (f *FaultFS) Remove(name string) error {
	if _, err := f.before(Op{Kind: OpRemove, Name: name}); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// Rename implements blockio.FS.
func (f *FaultFS) Rename(oldName, newName string) error {
	if _, err := f.before(Op{Kind: OpRename, Name: oldName}); err != nil {
		return err
	}
	return f.fs.Rename(oldName, newName)
}

// MkdirAll implements blockio.FS.
func (f *FaultFS) MkdirAll(name string) error {
	if _, err := f.before(Op{Kind: OpMkdir, Name: name}); err != nil {
		return err
	}
	return f.fs.MkdirAll(name)
}

// ReadDir implements blockio.FS.
func (f *FaultFS) ReadDir(name string) ([]blockio.Entry, error) {
	if _, err := f.before(Op{Kind: OpReadDir, Name: name}); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

// SyncDir implements blockio.FS.
func (f *FaultFS) SyncDir(name string) error {
	if fault, err := f.before(Op{Kind: OpSyncDir, Name: name}); err != nil {
		if fault.Forget {
			f.fs.(*MemFS).forgetDir(name)
		}
		return err
	}
	return f.fs.SyncDir(name)
}

// Lock implements blockio.FS. Releasing the lock is no operation: it works
// after a crash too.
func (f *FaultFS) Lock(name, holder string) (io.Closer, error) {
	if _, err := f.before(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	return f.fs.Lock(name, holder)
}

// A faultFile is an open file of a FaultFS.
type faultFile struct {
	blockio.File
	fs   *FaultFS
	name string
}

func (f *faultFile) ReadAt(p []byte, offset int64) (int, error) {
	if _, err := f.fs.before(Op{Kind: OpRead, Name: f.name, Size: len(p), Offset: offset}); err != nil {
		return 0, err
	}
	return f.readAround(p, offset)
}

func (f *faultFile) WriteAt(p []byte, offset int64) (int, error) {
	fault, err := f.fs.before(Op{Kind: OpWrite, Name: f.name, Size: len(p), Offset: offset})
	if end := offset + int64(len(p)); err == nil && f.fs.keepsSpoiled(f.name, offset, end) {
		return 0, fmt.Errorf("write %s at %d: %w", f.name, offset, ErrIO)
	}
	if err == nil {
		return f.File.WriteAt(p, offset)
	}
	short := min(max(fault.Short, 0), len(p))
	if short > 0 {
		n, writeErr := f.File.WriteAt(p[:short], offset)
		return n, errors.Join(err, writeErr)
	}
	return 0, err
}

func (f *faultFile) Truncate(size int64) error {
	if _, err := f.fs.before(Op{Kind: OpTruncate, Name: f.name, Offset: size}); err != nil {
		return err
	}
	if f.fs.keepsSpoiled(f.name, size, size/sectorSize*sectorSize+sectorSize) {
		return fmt.Errorf("truncate %s to %d: %w", f.name, size, ErrIO)
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Sync() error {
	if fault, err := f.fs.before(Op{Kind: OpSync, Name: f.name}); err != nil {
		if fault.Forget {
			f.File.(*memFile).forget()
		}
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) Stat() (blockio.FileStat, error) {
	if _, err := f.fs.before(Op{Kind: OpStat, Name: f.name}); err != nil {
		return blockio.FileStat{}, err
	}
	return f.File.Stat()
}

// Close closes the file below in any case: a failed close leaks no descriptor.
func (f *faultFile) Close() error {
	_, err := f.fs.before(Op{Kind: OpClose, Name: f.name})
	return errors.Join(err, f.File.Close())
}
