package read

// lastNow returns how often the last sequence went back, and what it is, as of one instant.
func (s *Source) lastNow() (rewinds, last uint64) {
	for {
		rewinds = s.Published.Rewinds()
		last = s.Published.Last()
		if s.Published.Rewinds() == rewinds {
			return rewinds, last
		}
	}
}

// rewound takes account of sequences that are used again, and reports whether there are any: the scan ends
// before them, unless it follows the stream. Then it goes on with the new messages. It is called when a snapshot was
// taken, before that is looked at.
func (sc *Scan) rewound() bool {
	count, last, ok := sc.Published.RewoundTo(sc.rewinds)
	if !ok {
		return false
	}
	sc.rewinds = count
	sc.last = min(sc.last, last)
	if sc.Reverse || sc.Follow {
		behind := last
		if sc.Follow {
			behind = last + 1
		}
		sc.next = min(sc.next, behind)
	}
	return true
}
