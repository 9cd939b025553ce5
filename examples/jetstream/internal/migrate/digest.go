package migrate

import (
	"hash/maphash"

	"github.com/seed-d8b58eba/millrace/actors"
)

// digest stands for a stream and for all of its messages in their order.
type digest struct {
	Summary
	count, hash uint64
}

var seed = maphash.MakeSeed()

func (d *digest) add(m *actors.Message) {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, part := range [][]byte{[]byte(m.Subject), m.HeaderBlock, m.Payload} {
		maphash.WriteComparable(&h, len(part))
		_, _ = h.Write(part) // it never fails
	}
	maphash.WriteComparable(&h, [...]uint64{d.hash, m.Sequence, uint64(m.Time.UnixNano())})
	d.count, d.hash = d.count+1, h.Sum64()
}
