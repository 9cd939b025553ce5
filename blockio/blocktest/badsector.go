package blocktest

import (
	"fmt"
	"math"
)

// A badSector is bytes of a file that cannot be read.
type badSector struct {
	name     string
	from, to int64
}

// Spoil makes bytes of a file unreadable, as a bad sector does: a read that comes to them
// returns what is before them, and ErrIO. to 0 or less is the end of the file, however
// long it is. The file can be written as before, which does not heal it.
func (f *FaultFS) Spoil(name string, from, to int64) {
	if to <= 0 {
		to = math.MaxInt64
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = append(f.bad, badSector{name, from, to})
}

// Heal makes all files readable again.
func (f *FaultFS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = nil
}

// spoiled returns how many bytes of a read can be done, and whether something unreadable
// follows them.
func (f *FaultFS) spoiled(name string, offset int64, size int) (n int, bad bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := offset + int64(size)
	for _, b := range f.bad {
		if b.name == name && b.from < end && offset < b.to {
			end, bad = max(b.from, offset), true
		}
	}
	return int(end - offset), bad
}

// readAround reads from the file below up to what cannot be read.
func (f *faultFile) readAround(p []byte, offset int64) (int, error) {
	n, bad := f.fs.spoiled(f.name, offset, len(p))
	if !bad {
		return f.File.ReadAt(p, offset)
	}
	n, err := f.File.ReadAt(p[:n], offset)
	if err != nil {
		return n, err
	}
	if stat, err := f.File.Stat(); err == nil && offset+int64(n) >= stat.Size {
		return f.File.ReadAt(p, offset) // it ends before
	}
	return n, fmt.Errorf("read %s at %d: %w", f.name, offset+int64(n), ErrIO)
}
