package engine_test

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
)

// compact writes a block anew, at once.
func (s *shell) compact(w engine.Work) (*engine.Scan, error) {
	data := s.disk.current[w.Block]
	if int64(len(data)) != w.Size {
		panic(fmt.Sprintf("%v: the file has %d bytes, not %d", w, len(data), w.Size))
	}
	c, b := w.Compaction, rebuilt{id: w.Block}
	walk(w.Block, data, func(at int64, r record) {
		switch r.kind {
		case 'm':
			if !c.Live(r.sequence) {
				return
			}
		case 't':
			if !c.KeepTombstone(r.sequence) {
				return
			}
		case 'f':
			if !c.KeepFloor(r.sequence) {
				return
			}
		default:
			return
		}
		b.add(data[at : at+int64(r.size)])
	})
	left := b.data()
	if err := s.disk.run(w.String(), true, w.Block, change{kind: 'w', block: w.Block, data: left}); err != nil {
		return nil, err
	}
	found := scan(w.Block, left, false)
	if c.Compress {
		found.Compressed()
	}
	return found, nil
}
