package blockindex

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPagesThatCannotBeAreDamaged although their checksums are right: no reader has to
// expect a record that reaches behind the block, or runs with nothing between them.
func TestPagesThatCannotBeAreDamaged(t *testing.T) {
	for _, row := range []struct {
		name   string
		block  string
		kind   int
		change func(page []byte, h *header)
		ask    func(x *Index) error
	}{
		{"a record that reaches behind the block", "plain", kindRecords,
			func(page []byte, h *header) {
				entry := page[pageHead+recordSize*4:]
				put32(entry[4:], uint32(h.sum.End)-u32(entry)+1)
			},
			func(x *Index) error { _, err := x.Record(0); return err }},
		{"a record that begins behind the block", "plain", kindRecords,
			func(page []byte, h *header) { put32(page[pageHead:], uint32(h.sum.End)+1) },
			func(x *Index) error { _, err := x.Record(0); return err }},
		{"a run that goes on where the one before ended", "gaps", kindRuns,
			func(page []byte, _ *header) { put32(page[pageHead+runSize:], u32(page[pageHead:])+1) },
			func(x *Index) error { _, _, err := x.Ordinal(9); return err }},
		{"a run that goes back", "gaps", kindRuns,
			func(page []byte, _ *header) { put32(page[pageHead+2*runSize:], u32(page[pageHead:])) },
			func(x *Index) error { _, _, err := x.Ordinal(9); return err }},
		{"a posting of no record", "plain", kindPostings,
			func(page []byte, h *header) { put32(page[pageHead:], uint32(h.sum.Messages)) },
			func(x *Index) error {
				c, err := x.Postings(0)
				if err == nil {
					_, _, err = c.Next()
				}
				return err
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := smallBlocks()[row.block]
			id := b.identity()
			image := imageOf(t, b, id)
			x, err := Open(image, id, Options{})
			require.NoError(t, err)
			require.NoError(t, row.ask(x))
			row.change(image[int(x.header.start[row.kind])*PageSize:][:PageSize], &x.header)
			resum(image)
			if x, err = Open(image, id, Options{}); err == nil {
				err = row.ask(x)
			}
			require.ErrorIs(t, err, ErrDamaged)
		})
	}
}
