package blockindex

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func goldenBlock() *block {
	b := newBlock()
	b.message(5, 100, "a.b", "x")
	b.message(6, 101, "a.c", "")
	b.message(9, 102, "a.b", "")
	b.message(10, 103, "", "")
	b.tombstone(6, 101)
	return b
}

// hexPages writes pages as hex, 32 bytes a line, without the zeros at their end.
func hexPages(image []byte) string {
	var text strings.Builder
	for i := 0; i < len(image); i += PageSize {
		text.WriteString("page " + decimal(i/PageSize) + "\n")
		page := bytes.TrimRight(image[i:i+PageSize], "\x00")
		for len(page) > 0 {
			n := min(32, len(page))
			text.WriteString(hex.EncodeToString(page[:n]) + "\n")
			page = page[n:]
		}
	}
	return text.String()
}

// TestGolden pins every byte. docs/format-block-index.md explains them.
func TestGolden(t *testing.T) {
	b := goldenBlock()
	image := imageOf(t, b, b.identity())
	require.Equal(t, golden, hexPages(image))
	require.NoError(t, Check(image, b.identity()))
}

// golden is, in order: the header; four messages of 24 bytes; the runs 5.. and 9..;
// the subjects a.b and a.c behind their common a.; the directory with an empty
// separator; the postings 0 2, 1 and 3; the tombstone; the lost sequences.
const golden = `page 0
1d277619010108004d52424c4b4944580700000008000000a000000000000000
87d61200000000006eaec4681d8def03a0000000000000000500000000000000
0a0000000000000005000000000000000a000000000000008200000000000000
6400000000000000670000000000000067000000000000000400000002000000
020000000100000002000000010000004d000000000000000100000000000000
0e00000000000000010000000100000002000000010000000300000001000000
0400000001000000050000000000000005000000010000000600000001000000
0700000001
page 1
7cb4650b020104000000000022000000e02839be000000006400000000000000
2200000021000000c3b2b53d0100000065000000000000004300000021000000
d6a5ac04000000006600000000000000640000001e000000d6ae1d65ffffffff
67
page 2
5832ef5f03010200050000000000000000000000000000000900000000000000
02
page 3
bd10d7cd04010200000000000300000002000000000000000000000002000000
210000003e000100020000000100000001000000210000003f000100612e6263
page 4
6d96ed3a0501010000000000000000000000000018
page 5
1e21fe6c0701040000000000020000000100000003
page 6
df9cd3d708010100060000000000000065
page 7
d0218b6b09010200030000000000000004
`
