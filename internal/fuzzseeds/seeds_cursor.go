package main

import (
	"encoding/binary"
	"slices"
)

// cursorState returns a snapshot of a consumer's state: its config, then numbers as varints.
func cursorState(numbers ...uint64) []byte {
	out := append([]byte{1, 2}, "{}"...)
	for _, n := range numbers {
		out = binary.AppendUvarint(out, n)
	}
	return out
}

// cursors are snapshots of consumers, and events that follow them: see FuzzRestore of cursor.
func cursors() []seed {
	// Position, last per subject, deliveries, notices, eight counters, paused; then what is pending, held, and told.
	begun := cursorState(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	busy := slices.Concat(
		cursorState(9, 0, 4, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0),
		[]byte{2, 5, 1, 3, 2, 7, 20, 8, 4, 4, 1, 6, 30}, // 5 was delivered twice, 8 once
		[]byte{1, 7, 7},        // 7 waits for 5
		[]byte{1, 1, 3, 1, 10}, // 3 was given up
	)
	lasts := cursorState(3, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	delivered := []byte{1, 9, 2, 40, 2, 10, 2, 5, 9, 5, 10}
	highest := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
	return []seed{
		{"new", []any{begun, []byte{}, false}},
		{"busy", []any{busy, []byte{5, 5, 1, 7, 7, 50, 7, 8, 60, 8, 8, 80}, true}},
		{"without-order", []any{busy, delivered, false}},
		{"lasts", []any{lasts, []byte{1, 5, 0, 10, 4, 12, 1}, false}},
		{"cut", []any{busy[:len(busy)-3], delivered, true}},
		{"config", []any{begun, []byte{14, 3, 'n', 'e', 'w', 13, 20}, false}},
		{"position-highest", []any{slices.Concat(cursorState(), highest), []byte{3, 9}, false}},
		{"pending-highest", []any{slices.Concat(begun[:len(begun)-3], highest), []byte{}, true}},
	}
}
