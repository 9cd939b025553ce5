package actors_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestEveryDistanceOfAMatchIsFound: a step looks at the next records first, and asks the index
// of subjects for what is farther. Nothing is lost between the two.
func TestEveryDistanceOfAMatchIsFound(t *testing.T) {
	s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), Sync: actors.SyncNever, BlockSize: 4096})
	const all = 200
	for i := range all {
		mustStore(t, s, fmt.Sprintf("x.%d", i+1), "payload")
	}
	for i := uint64(1); i <= all; i++ {
		for _, filter := range []actors.Filters{actors.Literal(fmt.Sprintf("x.%d", i)), actors.Filter(fmt.Sprintf("*.%d", i))} {
			m, sequence, err := s.LoadNextMsg(t.Context(), 1, filter)
			require.NoError(t, err, "forward to %d", i)
			require.Equal(t, []uint64{i, i}, []uint64{sequence, m.Sequence})
			m, sequence, err = s.LoadPrevMsg(t.Context(), all, filter)
			require.NoError(t, err, "back to %d", i)
			require.Equal(t, []uint64{i, i}, []uint64{sequence, m.Sequence})
		}
	}
}

// TestTheLastBorrowedMessageStaysAfterTheScan: nobody else gets its memory.
func TestTheLastBorrowedMessageStaysAfterTheScan(t *testing.T) {
	files := blocktest.NewMemFS()
	scan := func(name, fill string) []byte {
		s := open(t, actors.Config{Dir: "data", Name: name, FS: files, BlockSize: 4096, IndexFrom: -1})
		for range 40 {
			mustStore(t, s, "a", strings.Repeat(fill, 500))
		}
		var last []byte
		for m, err := range s.Messages(t.Context(), actors.Borrowed()) {
			require.NoError(t, err)
			if m.Sequence == 20 { // in a file
				last = m.Payload
				break
			}
		}
		return last
	}
	first := scan("FIRST", "1")
	for i := range 20 {
		scan(fmt.Sprint("OTHER", i), "2")
	}
	require.Equal(t, strings.Repeat("1", 500), string(first))
}

// TestAnIndexThatIsOfNoUseIsWrittenAnew: damage that a look-up comes by is mended behind it.
func TestAnIndexThatIsOfNoUseIsWrittenAnew(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: 1, NoPreallocation: true}
	s := open(t, config)
	for range 40 {
		mustStore(t, s, "a", strings.Repeat("x", 340))
	}
	bix := strings.TrimSuffix(blockPath(config, 1), ".blk") + ".bix"
	// Until the store knows of the index it keeps the block in memory, and readers do without the file.
	eventually(t, func() bool { stats := s.Stats(); return stats.Indexed > 0 && stats.Unindexed == 0 })
	whole, err := os.ReadFile(bix)
	require.NoError(t, err)
	overwrite(t, bix, whole[:len(whole)/2])
	m, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, uint64(1), m.Sequence)
	eventually(t, func() bool { data, err := os.ReadFile(bix); return err == nil && string(data) == string(whole) })
	require.Equal(t, uint64(1), s.Stats().BadIndexes)
}

// TestNothingIsBelowTheFirstSequence: who goes downwards a page at a time comes to an end, and does not begin again.
func TestNothingIsBelowTheFirstSequence(t *testing.T) {
	s := open(t, actors.Config{})
	for range 5 {
		mustStore(t, s, "a", "x")
	}
	for _, filters := range [][]actors.ReadOption{nil, {actors.Filter("a")}, {actors.Literal("a")}} {
		var pages []uint64
		for next, more := uint64(4), true; more && len(pages) < 10; {
			more = false
			for m, err := range s.Messages(t.Context(), append(filters, actors.From(next), actors.Reverse())...) {
				require.NoError(t, err)
				pages = append(pages, m.Sequence)
				next, more = m.Sequence-1, true
				break
			}
		}
		require.Equal(t, []uint64{4, 3, 2, 1}, pages)
		for range s.Messages(t.Context(), append(filters, actors.Reverse(), actors.From(0))...) {
			require.Fail(t, "a message at or below 0")
		}
		all, _ := collect(t, s, append(filters, actors.From(0))...)
		require.Len(t, all, 5)
	}
}
