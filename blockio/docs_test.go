package blockio

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocsSayWhatTheCodeDoes pins the numbers in the documents to the constants.
func TestDocsSayWhatTheCodeDoes(t *testing.T) {
	format, recovery := readDoc(t, "format.md"), readDoc(t, "recovery.md")
	for _, text := range []string{
		fmt.Sprintf("A record has %d to %d bytes, a subject at most %d.", EmptyRecordSize, MaxRecordSize, MaxSubjectLength),
		fmt.Sprintf("%d bytes and its content, or %d with headers", RecordSize(0, 0, 0), RecordSize(0, 1, 0)-1),
		fmt.Sprintf("records < %d", MaxGroupRecords+1),
		fmt.Sprintf("without the mark: at most %d", MaxFrameBytes),
		fmt.Sprintf("a number above %d,", MaxBlockID),
		fmt.Sprintf("At most %d bytes of each cut, the %d newest", SetAsideLimit, SetAsideFiles),
		fmt.Sprintf("%d KiB at first, then %d KiB at a time or as much as %d such appends take", firstZeros>>10, laterZeros>>10, zeroRoom),
		fmt.Sprintf("The first %d synced appends to a block, and any above %d KiB, write none", zeroAfter, zeroGroup>>10),
		fmt.Sprintf("Synced appends above %d KiB, from the second on, have the file made longer instead, by %d MiB or as much as %d such appends take",
			zeroGroup>>10, holeBytes>>20, holeRoom),
		fmt.Sprintf("%d lowercase hexadecimal digits, no newline", metaSumBytes),
		fmt.Sprintf("| %d | | subject |", headSize),
		setAsideDir,
	} {
		require.Contains(t, format, text)
	}
	for _, text := range []string{
		fmt.Sprintf("%d-byte sectors", sectorSize),
		fmt.Sprintf("Fewer than %d bytes before the zeros", headSize+1),
		fmt.Sprintf("only if at most %d bytes of data follow", lostMarkReach),
		fmt.Sprintf("fewer than %d bytes at its end, or 4 at its start", checksumSize),
		fmt.Sprintf("A mark that is damaged** is %d bytes of damage", EmptyRecordSize),
		"the lengths' window",
	} {
		require.Contains(t, strings.ToLower(recovery), strings.ToLower(text))
	}
}

// readDoc returns a document with its lines joined, as its sentences run over them.
func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}
