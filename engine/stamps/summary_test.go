package stamps

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func summary(now int64, list ...int64) *Summary {
	s := NoStamps()
	for _, stamp := range list {
		s.Add(stamp, now)
	}
	return &s
}

// naiveAround is the plain way: all times of all blocks.
func naiveAround(blocks [][]int64, i int, now int64) int64 {
	highest := func(list []int64) int64 {
		best := None
		for _, stamp := range list {
			if stamp <= now {
				best = max(best, stamp)
			}
		}
		return best
	}
	if best := highest(blocks[i]); best != None {
		return best
	}
	best := None
	for j := i - 1; j >= 0 && best == None; j-- {
		best = highest(blocks[j])
	}
	for j := i + 1; j < len(blocks); j++ {
		if right := highest(blocks[j]); right != None {
			return max(best, right)
		}
	}
	return best
}

// TestSummariesAgreeWithAllTimes: while the clock jumps and blocks fill, and with summaries
// made anew when they do not tell.
func TestSummariesAgreeWithAllTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 4
		now := start
		blocks, sums := make([][]int64, n), make([]*Summary, n)
		for i := range sums {
			sums[i] = summary(now)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "block")
			if rapid.IntRange(0, 3).Draw(t, "jump") == 0 {
				now += rapid.SampledFrom([]int64{1, 10, -1, -10, day, -day}).Draw(t, "by")
			} else {
				stamp := now + rapid.Int64Range(-20, 20).Draw(t, "stamp")
				blocks[i] = append(blocks[i], stamp)
				sums[i].Add(stamp, now)
			}
			around, unknown, ok := Around(i, n, func(j int) *Summary { return sums[j] }, now)
			for renewed := 0; !ok; renewed++ {
				require.Less(t, renewed, n, "a summary made anew tells")
				sums[unknown] = summary(now, blocks[unknown]...)
				around, unknown, ok = Around(i, n, func(j int) *Summary { return sums[j] }, now)
			}
			require.Equal(t, naiveAround(blocks, i, now), around)
			checkDue(t, blocks[i], sums[i], now, around)
		}
	})
}

// checkDue: nothing in a block is due before the summary says so.
func checkDue(t *rapid.T, list []int64, s *Summary, now, around int64) {
	const age = 15
	due, allDue := never, true
	for _, stamp := range list {
		from := ForExpiry(stamp, now, around)
		due = min(due, from+age)
		allDue = allDue && stamp <= now && from+age <= now
	}
	require.Equal(t, due, s.Due(age, now, around))
	require.Equal(t, allDue, s.AllDue(age, now))
	if len(list) > 0 {
		require.Equal(t, slices.Min(list), s.Lowest())
		require.Equal(t, slices.Max(list), s.Highest())
	}
}

// TestAnOldTimeMakesNoOtherMessageOlder: whatever is stored beside a message with a lower
// time than another there, the message's age counts from no earlier time.
func TestAnOldTimeMakesNoOtherMessageOlder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(start-100, start+100), 1, 20).Draw(t, "times")
		old := rapid.Int64Range(-start, start-100).Draw(t, "old")
		before, _ := summary(start, list...).NotAhead(start)
		after, _ := summary(start, append(list, old)...).NotAhead(start)
		for _, stamp := range list {
			if before == None {
				continue // it had no age; it has one by what it stands beside now
			}
			require.Equal(t, ForExpiry(stamp, start, before), ForExpiry(stamp, start, after))
		}
	})
}

// TestAMessageFromAheadGoesWithItsNeighbours: a raw one thirty days ahead, in front of
// others.
func TestAMessageFromAheadGoesWithItsNeighbours(t *testing.T) {
	const age = 60 * 1e9
	s := summary(start, start, start+30*day)
	s.Add(start+1, start+1)
	now := start + age + 1
	around, known := s.NotAhead(now)
	require.True(t, known)
	require.Equal(t, start+1, around)
	require.Equal(t, start+age, s.Due(age, start, around), "the others do not wait for it")
	require.LessOrEqual(t, ForExpiry(start+30*day, now, around)+age, now, "and it does not stay")
	require.False(t, s.AllDue(age, now), "the block is not dropped as a whole")
	require.True(t, s.AllDue(age, start+31*day))
}

func TestABlockWithoutMessagesIsNeverDue(t *testing.T) {
	s := NoStamps()
	require.Equal(t, never, s.Due(1, start, None))
	stamp, known := s.NotAhead(start)
	require.True(t, known)
	require.Equal(t, None, stamp)
	_, _, ok := Around(0, 1, func(int) *Summary { return &s }, start)
	require.True(t, ok)
}
