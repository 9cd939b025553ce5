package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// TestNamesOfAScanAreFound: each subject has one number, in order of the first records, also where
// all hashes are the same.
func TestNamesOfAScanAreFound(t *testing.T) {
	for name, hash := range map[string]func(subject []byte) uint32{
		"hashed":           func(subject []byte) uint32 { return seedhash.Sum(0, subject) },
		"all collide":      func([]byte) uint32 { return 7 },
		"neighbours":       func(subject []byte) uint32 { return uint32(len(subject) % 3) },
		"few and the last": func(subject []byte) uint32 { return ^uint32(0) - uint32(len(subject)%2) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newNameLookup()
			var list []scannedName
			subjects := make(map[string]uint32)
			for i := range 5000 {
				text := fmt.Sprint("subject.", i%1237, string(make([]byte, i%1237%40)))
				subject := []byte(text)
				number, known := l.find(list, hash(subject), subject)
				want, wanted := subjects[text]
				require.Equal(t, wanted, known, text)
				if known {
					require.Equal(t, want, number, text)
					continue
				}
				number = uint32(len(list))
				list = append(list, scannedName{name: l.text(subject), hash: hash(subject)})
				l.added(list)
				subjects[text] = number
				clear(subject) // the name is a copy
			}
			require.Len(t, subjects, 1237)
			for text, number := range subjects {
				require.Equal(t, text, list[number].name)
			}
		})
	}
}

// TestLongNamesOfAScan: those that do not share memory, and the empty rest of a piece.
func TestLongNamesOfAScan(t *testing.T) {
	l := newNameLookup()
	var all []string
	for i := range 200 {
		all = append(all, l.text(fmt.Appendf(nil, "%0*d", 1+i*97%(2*nameTextBytes), i)))
	}
	for i, text := range all {
		require.Equal(t, fmt.Sprintf("%0*d", 1+i*97%(2*nameTextBytes), i), text)
	}
}
