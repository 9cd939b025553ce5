package blocktest

import "sync/atomic"

const pageSize = 4096

// A page is a piece of a file. Once shared it is never written to again, so
// that copies of a file, and whole file systems, cost a table of pointers.
type page struct {
	shared atomic.Bool
	data   [pageSize]byte
}

// A content is the bytes of a file: pages, of which nil ones are zeros.
// Invariant: the bytes of the last page behind size are zeros.
type content struct {
	size  int64
	pages []*page
}

// clone shares all pages with the original.
func (c *content) clone() content {
	for _, p := range c.pages {
		if p != nil && !p.shared.Load() {
			p.shared.Store(true)
		}
	}
	return content{size: c.size, pages: append([]*page(nil), c.pages...)}
}

// writable returns page i for writing.
func (c *content) writable(i int) *page {
	for len(c.pages) <= i {
		c.pages = append(c.pages, nil)
	}
	p := c.pages[i]
	switch {
	case p == nil:
		p = &page{}
	case p.shared.Load():
		p = &page{data: p.data}
	default:
		return p
	}
	c.pages[i] = p
	return p
}

func (c *content) writeAt(data []byte, offset int64) {
	c.size = max(c.size, offset+int64(len(data)))
	for len(data) > 0 {
		p := c.writable(int(offset / pageSize))
		n := copy(p.data[offset%pageSize:], data)
		data = data[n:]
		offset += int64(n)
	}
}

func (c *content) readAt(buf []byte, offset int64) int {
	if offset >= c.size {
		return 0
	}
	buf = buf[:min(int64(len(buf)), c.size-offset)]
	for done := 0; done < len(buf); {
		at := offset + int64(done)
		piece := buf[done:min(len(buf), done+pageSize-int(at%pageSize))]
		if i := int(at / pageSize); i < len(c.pages) && c.pages[i] != nil {
			copy(piece, c.pages[i].data[at%pageSize:])
		} else {
			clear(piece)
		}
		done += len(piece)
	}
	return len(buf)
}

func (c *content) truncate(size int64) {
	if size < c.size {
		keep := int((size + pageSize - 1) / pageSize)
		if keep < len(c.pages) {
			c.pages = append([]*page(nil), c.pages[:keep]...)
		}
		if rest := size % pageSize; rest > 0 && keep <= len(c.pages) && c.pages[keep-1] != nil {
			p := c.writable(keep - 1)
			clear(p.data[rest:])
		}
	}
	c.size = size
}
