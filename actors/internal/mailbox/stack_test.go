package mailbox

import (
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// deep takes so much stack as a turn of a store may.
//
//go:noinline
func deep(depth int) byte {
	var room [256]byte
	room[depth] = 1
	if depth > 0 {
		room[0] = deep(depth - 1)
	}
	return room[depth/2]
}

// moves reports whether the stack of the goroutine is moved while so much of it is taken.
//
//go:noinline
func moves() bool {
	var here byte
	before := uintptr(unsafe.Pointer(&here))
	deep(16)
	return uintptr(unsafe.Pointer(&here)) != before
}

// TestAStackGrowsBeforeATurn: no turn pays for the copies of a stack that grows step by step.
func TestAStackGrowsBeforeATurn(t *testing.T) {
	percent := debug.SetGCPercent(-1) // which may make a stack smaller
	defer debug.SetGCPercent(percent)
	d := &manual{}
	m, r, _ := newTestMailbox(10, d)
	var moved []bool
	r.handle = func(any) { moved = append(moved, moves()) }
	for range 3 {
		m.PostUserMessage("a")
		done := make(chan struct{})
		go func() { // as a dispatcher does
			defer close(done)
			d.run()
		}()
		<-done
	}
	require.Equal(t, []bool{false, false, false}, moved)
}
