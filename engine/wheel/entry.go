package wheel

import "math/bits"

// entry is a sequence and when it is due.
type entry struct {
	due      int64
	sequence uint64
}

const (
	digitBits  = 4
	digits     = 64 / digitBits // of one of the two numbers
	digitMask  = 1<<digitBits - 1
	digitCount = 2 * digits // of an entry
)

// high returns the due time so that the order of unsigned numbers is that of times.
func (e entry) high() uint64 { return uint64(e.due) ^ 1<<63 }

// digit returns one of the digits of an entry, of which the first counts most: those of
// the due time, and then those of the sequence.
func (e entry) digit(i int) int {
	number := e.high()
	if i >= digits {
		number, i = e.sequence, i-digits
	}
	return int(number>>((digits-1-i)*digitBits)) & digitMask
}

// differ returns the first digit in which two entries differ, or digitCount when they
// are equal.
func differ(a, b entry) int {
	if x := uint64(a.due ^ b.due); x != 0 {
		return bits.LeadingZeros64(x) / digitBits
	}
	return digits + bits.LeadingZeros64(a.sequence^b.sequence)/digitBits
}

// before reports whether an entry is visited before another.
func (e entry) before(other entry) bool {
	return e.due < other.due || e.due == other.due && e.sequence < other.sequence
}
