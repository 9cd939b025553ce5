package mailbox

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// processor is what a patience yields, and the clock that it looks at.
type processor struct {
	time   time.Time
	takes  time.Duration // what a yield takes
	yields int
	looks  int // at the clock
}

func (p *processor) now() time.Time { p.looks++; return p.time }
func (p *processor) gosched()       { p.yields++; p.time = p.time.Add(p.takes) }

func patienceOf(p *processor) *patience { return &patience{now: p.now, gosched: p.gosched} }

const (
	soon = longYield / 10
	late = longYield * 10
)

// leftOut asks for yields until there is one, and returns how many were left out before.
func leftOut(t *testing.T, of *patience, on *processor) (n int) {
	t.Helper()
	for before := on.yields; !of.yield(); n++ {
		require.Equal(t, before, on.yields, "it says that it left a yield out that it did not")
		require.Less(t, n, 10_000, "it never yields again")
	}
	return n
}

// untilLeftOut yields until it notices that they are late and bring nothing.
func untilLeftOut(t *testing.T, of *patience) {
	t.Helper()
	for yields := 0; of.yield(); yields++ {
		require.Less(t, yields, 2*measureEach, "it does not notice that yields are late")
	}
}

// TestPatienceYieldsWhereThatCostsNothing, always, and seldom looks at the clock, which
// would cost as much again.
func TestPatienceYieldsWhereThatCostsNothing(t *testing.T) {
	on := &processor{takes: soon}
	of := patienceOf(on)
	for range 800 {
		require.True(t, of.yield())
	}
	require.Equal(t, 800, on.yields)
	require.Positive(t, on.looks)
	require.LessOrEqual(t, on.looks, 2*800/8)
}

// TestPatienceLeavesOutWhatIsLateAndBringsNothing: more and more, and never for good.
func TestPatienceLeavesOutWhatIsLateAndBringsNothing(t *testing.T) {
	on := &processor{takes: late}
	of := patienceOf(on)
	untilLeftOut(t, of)
	require.Equal(t, 15, leftOut(t, of, on), "16 with the one that told")
	for _, want := range []int{32, 64, 128, 256, 512, 1024, 1024, 1024} {
		require.Equal(t, want, leftOut(t, of, on))
	}
}

// TestPatienceForgetsWhatWasLate as soon as a yield is not, or has brought messages.
func TestPatienceForgetsWhatWasLate(t *testing.T) {
	for _, row := range []struct {
		name string
		good func(of *patience, on *processor) // makes the next yield a good one
		paid bool
	}{
		{"a yield that returns soon", func(_ *patience, on *processor) { on.takes = soon }, false},
		{"a late yield that brings messages", func(*patience, *processor) {}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			on := &processor{takes: late}
			of := patienceOf(on)
			untilLeftOut(t, of)
			for range 4 {
				leftOut(t, of, on)
			}
			row.good(of, on)
			leftOut(t, of, on)
			if row.paid {
				of.brought(2)
			}
			require.Zero(t, leftOut(t, of, on), "after a good one")
			on.takes = late
			untilLeftOut(t, of)
			require.Equal(t, 15, leftOut(t, of, on), "it begins anew with 16")
		})
	}
}

// TestPatienceIsNotLostWhileYieldsBringMessages, however late they are.
func TestPatienceIsNotLostWhileYieldsBringMessages(t *testing.T) {
	on := &processor{takes: late}
	of := patienceOf(on)
	for range 1000 {
		require.True(t, of.yield())
		of.brought(2)
	}
}

// TestALateYieldIsNotWorthOneMessage, whose caller wakes the actor at once without it.
func TestALateYieldIsNotWorthOneMessage(t *testing.T) {
	on := &processor{takes: late}
	of := patienceOf(on)
	for yields := 0; of.yield(); yields++ {
		of.brought(1)
		require.Less(t, yields, 2*measureEach, "it does not notice that yields are late")
	}
	for _, want := range []int{15, 32, 64} {
		require.Equal(t, want, leftOut(t, of, on))
		of.brought(1)
	}
}

// TestAMailboxYieldsTheProcessor: its patience is made to.
func TestAMailboxYieldsTheProcessor(t *testing.T) {
	d := &manual{}
	m, _, _ := newTestMailbox(1, d)
	require.True(t, m.gathering.yield())
	require.True(t, m.idling.yield())
}

// TestAMailboxTellsItsPatienceWhatCame while it yielded: of two messages a late yield is worth it.
func TestAMailboxTellsItsPatienceWhatCame(t *testing.T) {
	for messages, lost := range map[int]bool{1: true, 2: false} {
		d := &manual{}
		m, _, _ := newTestMailbox(1000, d)
		on := &processor{takes: late}
		m.gathering = *patienceOf(on)
		m.gathering.gosched = func() {
			on.gosched()
			for range messages {
				m.PostUserMessage("came")
			}
		}
		for range 4 * measureEach {
			m.PostUserMessage("a")
			d.settle(t)
		}
		require.Equal(t, lost, on.yields < 4*measureEach, "%d messages came at each of %d yields", messages, on.yields)
	}
}
