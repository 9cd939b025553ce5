package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A block that takes the next records need not be open until they come: a process may have many streams, and most of
// them have nothing to do. When its file is opened again it has to be as it was, as far as size and time of modification
// tell. Whoever has written to it meanwhile is noticed then, before anything is written.

// Tails bounds, over all streams that share it, how many block files stay open for writing that nobody writes to. It is
// safe for concurrent use.
//
// When there are more than the bound, those are closed to which nothing was appended for a while, however many of them; what
// is not synced of them is synced before. One that is written to stays open, and pays nothing: an append sets a flag that
// is its own.
type Tails struct {
	most int
	idle time.Duration

	mu    sync.Mutex
	open  []*tail
	armed bool // a timer looks through them
}

// NewTails returns a bound of most files. Above it, a file is closed to which nothing was appended for the time that idle
// says, and within twice that.
func NewTails(most int, idle time.Duration) *Tails { return &Tails{most: most, idle: idle} }

// Open returns how many block files are open for writing.
func (p *Tails) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// enter notes that the file of a block was opened.
func (p *Tails) enter(t *tail) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.place = len(p.open)
	p.open = append(p.open, t)
	p.arm()
}

// arm sets the timer when there are too many and it is not set. The caller holds mu.
func (p *Tails) arm() {
	if !p.armed && len(p.open) > p.most {
		p.armed = true
		time.AfterFunc(p.idle, p.sweep)
	}
}

// leave notes that the file of a block is about to be closed, or was.
func (p *Tails) leave(t *tail) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.open) - 1
	if t.place > last || p.open[t.place] != t {
		return
	}
	p.open[t.place], p.open[last].place = p.open[last], t.place
	p.open[last] = nil
	p.open = p.open[:last]
	if last == 0 {
		p.open = nil
	}
}

// sweep closes what nobody has written to since it came by last, as long as there are too many.
func (p *Tails) sweep() {
	p.mu.Lock()
	open := slices.Clone(p.open)
	p.mu.Unlock()
	for _, t := range open {
		if t.blocks.unused(t) && p.Open() > p.most {
			if !t.blocks.isSynced(t) {
				_ = t.blocks.Sync(t.id) // the next append is told of a failure
			}
			t.blocks.rest(t)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	p.arm()
}

// unused reports whether nothing was appended to a block since it was called last, or since the file was opened.
func (b *Blocks) unused(t *tail) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	used := t.used
	t.used = false
	return !used
}

// isSynced reports whether all of a block is synced.
func (b *Blocks) isSynced(t *tail) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.synced == t.writes
}

// Rest closes the file of a block that is open for writing until the next append, unless one is under way or something of the
// block is not synced. It reports whether the file is closed. Windows keeps it open: it tells when a file was
// changed only after that was closed.
func (b *Blocks) Rest(id uint32) bool {
	b.mu.Lock()
	t := b.tailOf(id)
	b.mu.Unlock()
	return t != nil && b.rest(t)
}

// RestAsFound is Rest for a block that was opened by OpenTail, and of which all is known to be durable, as after a clean
// stop.
func (b *Blocks) RestAsFound(id uint32) bool {
	b.mu.Lock()
	t := b.tailOf(id)
	if t != nil && t.writes == foundWrites {
		t.synced = t.writes
	}
	b.mu.Unlock()
	return t != nil && b.rest(t)
}

// foundWrites is what stands for all that was written to a block before OpenTail.
const foundWrites = 1

// rest is Rest.
func (b *Blocks) rest(t *tail) bool {
	if runtime.GOOS == "windows" {
		return false
	}
	b.mu.Lock()
	if t.file == nil || t.busy || t.syncing > 0 || t.broken != nil || t.synced != t.writes ||
		b.open[t.id] != t || !t.moving.TryLock() {
		rests := b.open[t.id] == t && t.file == nil
		b.mu.Unlock()
		return rests
	}
	t.resting = true // nobody uses the tail from here on, see tailOf
	b.mu.Unlock()
	stat, err := t.file.Stat()
	closed := err == nil && stat.Size == t.size // else it is noticed where it always was
	if closed {
		_ = t.file.Close() // all that was written is synced
		b.opts.Tails.leave(t)
	}
	b.mu.Lock()
	t.resting = false
	if closed {
		t.file, t.was = nil, stat
	}
	b.mu.Unlock()
	t.moving.Unlock()
	return closed
}

// tailOf returns the block of that number that is open for writing, nil if it is not, when nobody is about to close its
// file. The caller holds mu, which is let go meanwhile.
func (b *Blocks) tailOf(id uint32) *tail {
	for {
		t := b.open[id]
		if t == nil || !t.resting {
			return t
		}
		b.mu.Unlock()
		t.moving.Lock()
		b.mu.Lock()
		t.moving.Unlock()
	}
}

// wake opens the file of a block again, for the one who has taken the block for an append or for good. It returns a
// *ChangedError when the file is not what it was when it was closed.
func (b *Blocks) wake(id uint32, t *tail) error {
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{b.Path(id), "was removed"}
	}
	if err != nil {
		return err
	}
	stat, err := file.Stat()
	switch {
	case err != nil:
	case stat.Size != t.was.Size:
		err = &ChangedError{b.Path(id), fmt.Sprintf("had %d bytes, has %d", t.was.Size, stat.Size)}
	case stat != t.was:
		err = &ChangedError{b.Path(id), "was replaced, or written to"}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	b.mu.Lock()
	t.file = file
	b.mu.Unlock()
	b.opts.Tails.enter(t)
	return nil
}

// closeTail closes the file of a block that nobody else can find any more.
func (b *Blocks) closeTail(t *tail) error {
	b.opts.Tails.leave(t)
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
