package blockio

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheSmallFilesAreDocumented as they are written.
func TestTheSmallFilesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/format.md")
	require.NoError(t, err)
	for _, want := range []string{
		"`msgs/" + EndProofFile + "`", "`msgs/" + LostFile + "`",
		"| 0 | 8 bytes `" + endProofMagic + "` |", "| 0 | 8 bytes `" + lostMagic + "` |",
		fmt.Sprintf("number of ranges, at most %d", MostLostRanges),
		fmt.Sprintf("| %d | u64 first sequence", endProofSize-8),
		fmt.Sprintf("| %d | ranges,", lostHeaderSize),
	} {
		require.Contains(t, string(text), want)
	}
}
