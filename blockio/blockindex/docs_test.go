package blockindex

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestDocsSayWhatTheCodeDoes pins the numbers of the page to the constants.
func TestDocsSayWhatTheCodeDoes(t *testing.T) {
	text, err := os.ReadFile("../../docs/format-block-index.md")
	require.NoError(t, err)
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		fmt.Sprintf("pages of %d bytes", PageSize),
		fmt.Sprintf("records %d bytes a message, by ordinal %d a page", recordSize, recordsPerPage),
		fmt.Sprintf("runs %d bytes a stretch of sequences without a gap %d a page", runSize, runsPerPage),
		fmt.Sprintf("sorted at most %d a page", dictPerPage),
		fmt.Sprintf("before each dictionary page at most %d a page", dirPerPage),
		fmt.Sprintf("of more than %d bytes %d bytes a page", headLimit, payloadSize),
		fmt.Sprintf("postings %d bytes a message: the ordinals of each subject %d a page", postingSize, postingsPerPage),
		fmt.Sprintf("tombstones %d bytes each %d a page", tombstoneSize, tombstonesPerPage),
		fmt.Sprintf("lost %d bytes a sequence %d a page", lostSize, lostPerPage),
		fmt.Sprintf("%d stands for the empty subject", uint32(EmptySubject)),
		fmt.Sprintf("page number × 0x%X", seedStep),
		fmt.Sprintf("from %d to %d |", kindRecords, kindLost),
		fmt.Sprintf("version, %d |", Version),
		fmt.Sprintf("of the header %d,", sections),
		fmt.Sprintf("times are −%d", -NoTime),
		fmt.Sprintf("An entry has %d bytes: start", dictEntry),
		fmt.Sprintf("An entry has %d bytes: rank", dirEntry),
		fmt.Sprintf("zero (u16), entries from %d on", dictHead),
		fmt.Sprintf("zero (u32), entries from %d on", dirHead),
		fmt.Sprintf("%d KiB at a time", populateStretch>>10),
		fmt.Sprintf("A cache of %d MiB, if nothing else is said,", DefaultPageBytes>>20),
		fmt.Sprintf("What is allocated is %d bytes a page.", 8+unsafe.Sizeof(pageSet{}.slot[0])),
		fmt.Sprintf("| %d | 8 | `%s` |", atMagic, magic),
		fmt.Sprintf("| %d | 4 | number of the block |", atBlock),
		fmt.Sprintf("| %d | 4 | pages |", atPages),
		fmt.Sprintf("| %d | 8 | size of the block's file |", atSize),
		fmt.Sprintf("| %d | 8 | modification time", atModTime),
		fmt.Sprintf("| %d | 8 | last checksum", atChecksum),
		fmt.Sprintf("| %d | 8 | end: ", atEnd),
		fmt.Sprintf("| %d | 8 | first sequence: ", atFirst),
		fmt.Sprintf("| %d | 8 | last sequence ", atLast),
		fmt.Sprintf("| %d | 8 | sequence of the first message", atFirstMessage),
		fmt.Sprintf("| %d | 8 | sequence of the last message", atLastMessage),
		fmt.Sprintf("| %d | 8 | sum of the sizes", atBytes),
		fmt.Sprintf("| %d | 8 | time of the first message", atFirstTime),
		fmt.Sprintf("| %d | 8 | last time", atLastTime),
		fmt.Sprintf("| %d | 8 | highest time", atMaxTime),
		fmt.Sprintf("| %d | 4 | messages |", atMessages),
		fmt.Sprintf("| %d | 4 | subjects,", atSubjects),
		fmt.Sprintf("| %d | 4 | runs |", atRuns),
		fmt.Sprintf("| %d | 4 | tombstones |", atTombstones),
		fmt.Sprintf("| %d | 4 | lost sequences |", atLost),
		fmt.Sprintf("| %d | 4 | damaged stretches |", atDamage),
		fmt.Sprintf("| %d | 8 | bytes of those |", atLostBytes),
		fmt.Sprintf("| %d | 4 | messages with the empty subject |", atEmpty),
		fmt.Sprintf("| %d | 4 | bytes of overflow |", atOverflow),
		fmt.Sprintf("| %d | 4 | bit 0: ", atFlags),
		fmt.Sprintf("| %d | %d | first page and number of pages", atSections, headerEnd-atSections),
	} {
		require.Contains(t, page, want)
	}
	for _, subjects := range []int{1, 10_000, 50_000} {
		b := benchBlock(t, benchMessages, subjects)
		size := float64(len(b.image(t))) / benchMessages
		require.Regexp(t, fmt.Sprintf(`\| 50000 messages, %d subjects? \| %.1f \|`, subjects, size), page)
	}
	b := newBlock()
	b.message(1, 1, "a", "")
	require.Contains(t, page, fmt.Sprintf("%d bytes with a message that has a subject", len(b.image(t))))
}
