package mailbox

import "testing"

// TestPatienceLeavesOutWhatBringsNothing: after a long yield that brought nothing more
// and more yields are left out, up to a bound; one that paid is not held against anybody.
func TestPatienceLeavesOutWhatBringsNothing(t *testing.T) {
	skipped := func(p *patience) (n int) {
		for !p.yield() {
			n++
		}
		return n
	}
	var p patience
	if n := skipped(&p); n != 0 {
		t.Fatalf("%d left out at first", n)
	}
	for want := leastSkip; want <= 2*mostSkip; want *= 2 {
		penalty := p.penalty
		p.long = true // as a slow yield leaves it
		if n := skipped(&p); n != min(max(2*penalty, leastSkip), mostSkip) {
			t.Fatalf("%d left out after a penalty of %d", n, penalty)
		}
		p.penalty = min(want, mostSkip)
	}
	p.long = true
	p.paid()
	if n := skipped(&p); n != 0 {
		t.Fatalf("%d left out although it paid", n)
	}
}
