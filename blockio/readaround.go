package blockio

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

const (
	// readPage is the unit, in bytes, in which a file is read around what cannot be
	// read: systems read no less from a disk, whatever a sector of it has.
	readPage = 4 << 10

	// finelyUpTo is up to how many unreadable bytes their pages are read sector by
	// sector: each attempt on a bad sector can take seconds.
	finelyUpTo = 64 << 10

	// mostUnreadable is how many bytes of a file may be unreadable for it to be read
	// around them. With more, the disk has failed and not a sector.
	mostUnreadable = 1 << 20

	// unreadableByte stands in the place of what cannot be read. It is not zero, as
	// zeros are what a power loss leaves; and no record has it in its length.
	unreadableByte = 0xff
)

// A SectorRange is bytes of a file that cannot be read, at offsets of From or more and
// less than To.
type SectorRange struct{ From, To int64 }

// An UnreadableError says which bytes of a file the disk could not read, in three
// attempts, while it could read others. What was read comes with it, with 0xff in the
// place of those. It is damage as long as the disk does not read them after all.
type UnreadableError struct {
	Path string
	// Sectors are ascending and do not touch.
	Sectors []SectorRange
	// Nothing: none of the bytes that were asked for can be read.
	Nothing bool
	Err     error // of the first attempt
}

// Error implements error.
func (e *UnreadableError) Error() string {
	first := e.Sectors[0]
	if n := len(e.Sectors); n > 1 {
		return fmt.Sprintf("%s: %d stretches cannot be read, the first at %d to %d: %v", e.Path, n, first.From, first.To, e.Err)
	}
	return fmt.Sprintf("%s: bytes %d to %d cannot be read: %v", e.Path, first.From, first.To, e.Err)
}

// Unwrap returns the error of the disk.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Whole reports whether the file that was read as a whole has failed, and not a sector of
// it: nothing of it can be read, and it has more than the disk reads at once. Then it is
// not damage but a disk, or a connection to one, that does not work at the moment.
func (e *UnreadableError) Whole() bool {
	last := e.Sectors[len(e.Sectors)-1]
	return e.Nothing && last.To-e.Sectors[0].From > readPage
}

// Unreadable returns the sectors that an error of reading is about, and nil when it is
// about anything else.
func Unreadable(err error) []SectorRange {
	if err == nil {
		return nil
	}
	var e *UnreadableError
	if errors.As(err, &e) {
		return e.Sectors
	}
	return nil
}

// IsReadFailure reports whether the disk could not read what it has: the same bytes may
// fail again while others do not, or be read the next time.
func IsReadFailure(err error) bool {
	if errors.Is(err, syscall.EIO) {
		return true
	}
	for _, failure := range readFailures {
		if errors.Is(err, failure) {
			return true
		}
	}
	return false
}

// readAround reads into p what the file has from an offset on, as io.ReaderAt says, but
// goes on behind what cannot be read: the error is then an *UnreadableError, also when
// the file ends before p does. path is for errors alone.
func readAround(file io.ReaderAt, path string, p []byte, offset int64) (int, error) {
	r := aroundReader{file: file, p: p, offset: offset}
	for r.at < len(p) {
		if r.ended, r.err = r.read(len(p)); r.ended || r.err != nil {
			return r.done(path)
		}
		if r.at == len(p) {
			break
		}
		if r.page(); r.ended || r.err != nil {
			return r.done(path)
		}
		if r.lost > mostUnreadable {
			return r.at, fmt.Errorf("%s: more than %d bytes cannot be read: %w", path, mostUnreadable, r.first)
		}
	}
	return r.done(path)
}

// An aroundReader is one readAround.
type aroundReader struct {
	file   io.ReaderAt
	p      []byte
	offset int64 // of p in the file
	at     int   // what of p is done
	ended  bool  // the file ends there
	err    error // it ends everything

	first   error // the first failure
	failed  bool  // the last read
	lost    int64
	sectors []SectorRange
}

// read reads up to p[to], as far as that goes. It notes a failure of the disk in failed.
func (r *aroundReader) read(to int) (ended bool, err error) {
	n, err := r.file.ReadAt(r.p[r.at:to], r.offset+int64(r.at))
	r.at += n
	r.failed = false
	switch {
	case r.at == to:
		return false, nil
	case err == nil || errors.Is(err, io.EOF):
		return true, nil
	case !IsReadFailure(err):
		return false, err
	}
	if r.failed = true; r.first == nil {
		r.first = err
	}
	return false, nil
}

// page reads the rest of the page at which the last read has failed.
func (r *aroundReader) page() {
	to := r.upTo(readPage)
	if r.ended, r.err = r.read(to); !r.failed {
		return
	}
	for r.at < to {
		end := to
		if r.lost < finelyUpTo {
			end = min(to, r.upTo(sectorSize))
			if r.ended, r.err = r.read(end); r.ended || r.err != nil {
				return
			}
		}
		if r.at < end {
			r.skip(end)
		}
	}
}

// upTo returns where in p the unit of so many bytes ends that is read next.
func (r *aroundReader) upTo(unit int64) int {
	at := r.offset + int64(r.at)
	return int(min(at-at%unit+unit-r.offset, int64(len(r.p))))
}

// skip notes that the bytes up to p[to] cannot be read.
func (r *aroundReader) skip(to int) {
	for i := r.at; i < to; i++ {
		r.p[i] = unreadableByte
	}
	from, end := r.offset+int64(r.at), r.offset+int64(to)
	if n := len(r.sectors); n > 0 && r.sectors[n-1].To == from {
		r.sectors[n-1].To = end
	} else {
		r.sectors = append(r.sectors, SectorRange{from, end})
	}
	r.lost += end - from
	r.at = to
}

func (r *aroundReader) done(path string) (int, error) {
	switch {
	case r.err != nil:
		return r.at, r.err
	case len(r.sectors) > 0:
		return r.at, &UnreadableError{Path: path, Sectors: r.sectors, Nothing: r.lost == int64(r.at), Err: r.first}
	case r.ended:
		return r.at, io.EOF
	}
	return r.at, nil
}

// overlaps reports whether any of the sectors has bytes of from..to.
func overlaps(sectors []SectorRange, from, to int) bool {
	for _, s := range sectors {
		if s.From < int64(to) && int64(from) < s.To {
			return true
		}
	}
	return false
}
