package blocktest

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A badSector is bytes of a file that cannot be read.
type badSector struct {
	name     string
	from, to int64
}

// Spoil makes bytes of a file unreadable, as a bad sector does: a read that comes to them
// returns what is before them, and ErrIO. to 0 or less is the end of the file, however
// long it is. A write or a truncation fails, too, that keeps a part of a sector of 512
// bytes of which something is unreadable, as the system reads the sector for it. Others
// succeed, and heal nothing.
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

// AllowMapping has files mapped that the file system below can map. The hook does not see
// what is read of a mapping; a page with a byte that is unreadable when the file is mapped
// faults when it is touched.
func (f *FaultFS) AllowMapping() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mapping = true
}

// MapBytes implements blockio.Mapper.
func (f *faultFile) MapBytes(size int64) ([]byte, error) {
	below, ok := f.File.(blockio.Mapper)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !ok || !f.fs.mapping {
		return nil, errors.ErrUnsupported
	}
	data, err := below.MapBytes(size)
	if err != nil {
		return nil, err
	}
	page := int64(os.Getpagesize())
	for _, b := range f.fs.bad {
		from, to := b.from/page*page, min(b.to, size)
		if b.name != f.name || from >= to {
			continue
		}
		if err := makeFault(data[from:min((to+page-1)/page*page, size)]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// keepsSpoiled reports whether a sector in which the bytes from..to begin or end has
// something unreadable outside of them.
func (f *FaultFS) keepsSpoiled(name string, from, to int64) bool {
	_, before := f.spoiled(name, from/sectorSize*sectorSize, int(from%sectorSize))
	_, behind := f.spoiled(name, to, int((sectorSize-to%sectorSize)%sectorSize))
	return before || behind
}

// spoiled returns how many bytes of a read can be done, and whether something unreadable
// follows them.
func (f *FaultFS) spoiled(name string, offset int64, size int) (n int, bad bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := offset + int64(size)
	if size == 0 {
		return 0, false
	}
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
