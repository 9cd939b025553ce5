package disk

import (
	"encoding/binary"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// statePiece is in what pieces a file of the state is made, in bytes, and pieceRoom how much of one is left for what comes
// last. The whole file at once, some 50 bytes a subject, would take the heap to its limit in one step: until a collection is
// done everybody who allocates then works for it, or waits.
const (
	statePiece = 1 << 20
	pieceRoom  = 1 << 10
)

// pieces is a file that is being made.
type pieces struct {
	full [][]byte
	last []byte // what comes next is appended to it
	size int    // of those that are full
	room int    // in each
}

// newPieces begins a file of about so many bytes.
func newPieces(bytes int) *pieces {
	p := &pieces{room: min(bytes+pieceRoom, statePiece)}
	p.last = make([]byte, 0, p.room)
	return p
}

// next begins another piece if the last one is full. It is called after each append.
func (p *pieces) next() {
	if len(p.last) >= cap(p.last)-pieceRoom {
		p.seal()
		p.last = make([]byte, 0, p.room)
	}
}

// seal ends the last piece.
func (p *pieces) seal() {
	if len(p.last) > 0 {
		p.full, p.size = append(p.full, p.last), p.size+len(p.last)
	}
	p.last = nil
}

// take appends the pieces of another file, which are not copied.
func (p *pieces) take(other *pieces) {
	p.seal()
	other.seal()
	p.full, p.size = append(p.full, other.full...), p.size+other.size
}

// len is how many bytes there are.
func (p *pieces) len() int { return p.size + len(p.last) }

// summed returns the pieces with their checksum behind them: they are the body of an index.db then.
func (p *pieces) summed(stream string) [][]byte {
	p.seal()
	sum := blockio.NameSum(stream)
	for _, piece := range p.full {
		_, _ = sum.Write(piece) // a hash's Write cannot fail
	}
	return append(p.full, binary.LittleEndian.AppendUint64(nil, sum.Sum64()))
}
