package mailbox

// stackRoom is how much stack a turn is given at once, in bytes. The deepest turns of a store need a little more than 4 KiB.
const stackRoom = 4 << 10

// growStack makes the stack of the goroutine so large that a turn fits. Every time that a mailbox begins to run it does so
// on a goroutine with a small stack, which would otherwise be doubled, and copied, two times in the middle of the turn.
// Here there is next to nothing on it to be copied.
//
//go:noinline
func growStack(i uint8) byte {
	var room [stackRoom]byte
	room[i] = i
	return room[i/2]
}
