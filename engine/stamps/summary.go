package stamps

// Summary sums up the times of the live messages of a block. Messages may be removed
// without its knowing: then it may say that something is due when nothing is, and is made
// anew from the messages that are left.
type Summary struct {
	lowest, highest int64
	// No time is between these two: the highest that was not ahead of the clock when it
	// was added, and the lowest that was. They say what is not ahead as long as the clock
	// is between them.
	settled, ahead int64
}

// NoStamps returns the summary of a block without messages.
func NoStamps() Summary { return Summary{lowest: never, highest: None, settled: None, ahead: never} }

// Between returns the summary of a block of which nothing is known but the lowest and the
// highest time.
func Between(lowest, highest int64) Summary {
	return Summary{lowest: lowest, highest: highest, settled: None, ahead: None}
}

// From tells that no message of the block has a time below one any more.
func (s *Summary) From(lowest int64) { s.lowest = lowest }

// Add adds the time of a message.
func (s *Summary) Add(stamp, now int64) {
	s.lowest, s.highest = min(s.lowest, stamp), max(s.highest, stamp)
	switch {
	case stamp <= s.settled || stamp >= s.ahead:
	case stamp <= now:
		s.settled = stamp
	default:
		s.ahead = stamp
	}
}

// Lowest returns the lowest time of a block that has messages.
func (s *Summary) Lowest() int64 { return s.lowest }

// Highest returns the highest time of a block that has messages.
func (s *Summary) Highest() int64 { return s.highest }

// NotAhead returns the highest time that is not ahead of the clock, or None. It reports
// false when the summary does not tell, since the clock has passed times that were ahead
// or has gone back behind others: then a summary made anew at this time does.
func (s *Summary) NotAhead(now int64) (stamp int64, known bool) {
	switch {
	case s.highest <= now:
		return s.highest, true
	case s.lowest > now:
		return None, true
	}
	return s.settled, s.settled <= now && now < s.ahead
}

// Due returns the earliest time at which a message of the block can reach an age. around
// is for messages that are ahead of the clock, see Around.
func (s *Summary) Due(age, now, around int64) int64 {
	if s.lowest > s.highest {
		return never
	}
	// What is ahead counts from a time in the block, and none is below the lowest.
	return Later(ForExpiry(s.lowest, now, around), age)
}

// AllDue reports whether all messages of the block have reached an age.
func (s *Summary) AllDue(age, now int64) bool {
	return s.highest <= Earlier(now, age)
}

// Around returns the highest time around the messages of block i of n that is not ahead of
// the clock: in the block, or in the nearest on both sides that have one; None if there is
// none at all. If the summary of a block that it needs does not tell, it returns the
// number of that block and false.
func Around(i, n int, block func(int) *Summary, now int64) (around int64, unknown int, ok bool) {
	around, ok = block(i).NotAhead(now)
	if around != None || !ok {
		return around, i, ok
	}
	for _, step := range [...]int{-1, 1} {
		for j := i + step; j >= 0 && j < n; j += step {
			stamp, ok := block(j).NotAhead(now)
			if !ok {
				return None, j, false
			}
			if stamp != None {
				around = max(around, stamp)
				break
			}
		}
	}
	return around, 0, true
}
