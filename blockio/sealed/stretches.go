package sealed

import (
	"slices"
	"sync"
	"time"
)

const (
	// mostStretchBytes is how much memory the stretches have together, in the process. Where more files are read and
	// written side by side, the others do without.
	mostStretchBytes = 32 << 20
	// idleStretch is after what time without use a stretch goes.
	idleStretch = time.Second
)

// stretches are those of all key streams.
var stretches = &stretchPool{most: mostStretchBytes, idle: idleStretch}

// A stretchPool has stretches that are in use, or may be. Their memory goes from one to the other.
type stretchPool struct {
	most int // bytes
	idle time.Duration

	mu    sync.Mutex
	list  []*stretch
	bytes int  // their memory, also of those that are being made
	timed bool // sweep will be called
}

// buffer returns memory of that length for a stretch, or nil while others use as much as there may be.
func (p *stretchPool) buffer(size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now() - int64(p.idle)
	for i, s := range p.list {
		if have := cap(s.bytes); have >= size && have <= 2*size && s.take(since) {
			p.list = slices.Delete(p.list, i, i+1)
			return s.bytes[:size]
		}
	}
	if p.bytes+size > p.most {
		p.drop(since)
	}
	if p.bytes+size > p.most {
		return nil
	}
	p.bytes += size
	return make([]byte, size)
}

// add adds a stretch with memory that buffer has returned.
func (p *stretchPool) add(s *stretch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, s)
	if !p.timed {
		p.timed = true
		time.AfterFunc(p.idle, p.sweep)
	}
}

// drop lets stretches go that nobody has used since, or that somebody has used to the end.
func (p *stretchPool) drop(since int64) {
	p.list = slices.DeleteFunc(p.list, func(s *stretch) bool {
		if !s.take(since) {
			return false
		}
		p.bytes -= cap(s.bytes)
		return true
	})
}

// sweep does so again and again, until there are none.
func (p *stretchPool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(now() - int64(p.idle))
	if p.timed = len(p.list) > 0; p.timed {
		time.AfterFunc(p.idle, p.sweep)
	}
}
