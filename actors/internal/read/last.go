package read

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// Newest returns the sequence of the newest message that the set selects, or 0.
func (l *Lookup) Newest() (uint64, error) {
	if name, ok := l.set.Exact(); ok && l.now.Recounting == 0 {
		if info, ok := l.now.Subjects.Get(name); !ok {
			return 0, nil
		} else if info.LastExact {
			return info.Last, nil
		}
	}
	sequence, _, err := l.prevLive(l.now.LastSequence)
	return sequence, err
}

// Oldest returns the sequence of the oldest message of the one subject that the set names, or 0.
func (l *Lookup) Oldest() (first uint64, err error) {
	name, _ := l.set.Exact()
	info, ok := l.now.Subjects.Get(name)
	if !ok {
		return 0, nil
	}
	if first = info.First; !info.FirstExact || l.now.Recounting > 0 {
		first, _, err = l.nextLive(info.First)
	}
	return first, err
}

// Lasts returns the sequence of the last message of each subject that the set selects,
// at or before one (0: any), in no order. When there are more than allowed (0 or less: any number), it is
// ErrTooManyResults.
func (l *Lookup) Lasts(most uint64, allowed int) (sequences []uint64, err error) {
	if most == 0 || most > l.now.LastSequence {
		most = l.now.LastSequence
	}
	if allowed <= 0 {
		allowed = math.MaxInt
	}
	err = l.eachLast(1, most, allowed, func(_ []byte, last uint64) { sequences = append(sequences, last) })
	return sequences, err
}

// EachLast calls visit for each subject that the set selects with the sequence of its
// last message at or before most, if that is not before least. The name is valid until
// visit returns.
func (l *Lookup) EachLast(least, most uint64, visit func(name []byte, last uint64)) error {
	return l.eachLast(least, most, math.MaxInt, visit)
}

// eachLast is EachLast for so many subjects at most. It is ErrTooManyResults as soon as it is known that there are
// more, and looks no further.
func (l *Lookup) eachLast(least, most uint64, allowed int, visit func(name []byte, last uint64)) error {
	least = max(least, l.now.FirstSequence)
	if least > most || l.now.Messages == 0 {
		return nil
	}
	visited, sure := 0, 0
	var open map[string]struct{}
	l.subjects().Walk(&l.set, func(name []byte, info subjects.Info) bool {
		switch {
		case info.LastExact && info.Last <= most:
			if info.Last >= least {
				if visited++; visited+sure <= allowed {
					visit(name, info.Last)
				}
			}
		case info.First <= most && info.Last >= least:
			if info.FirstExact && info.First >= least && l.now.Recounting == 0 {
				sure++ // it has one, and which one is still to be found
			}
			if open == nil {
				open = make(map[string]struct{})
			}
			open[string(name)] = struct{}{}
		}
		return visited+sure <= allowed
	})
	if visited+sure > allowed {
		return tooMany(allowed)
	}
	if len(open) == 0 {
		return nil
	}
	// These subjects have messages on both sides of most, or their newest messages were removed. The
	// blocks know which message is the last.
	return l.backward(least, most, func(p *part, low, high int) error {
		err := l.eachEnd(p, low, high, func(name []byte, _, last uint64) {
			if _, ok := open[string(name)]; ok {
				delete(open, string(name))
				if visited++; visited <= allowed {
					visit(name, last)
				}
			}
		})
		switch {
		case err != nil:
			return err
		case visited > allowed:
			return tooMany(allowed)
		case len(open) == 0:
			return errStopVisit
		}
		return nil
	})
}

func tooMany(allowed int) error {
	return fmt.Errorf("%w: more than %d subjects", ErrTooManyResults, allowed)
}

// LastsFrom is Lasts of the first few at or after a sequence, ascending. It returns the
// one after them, 0 if there is none.
func (l *Lookup) LastsFrom(from, most uint64, few int) (sequences []uint64, next uint64, err error) {
	if most == 0 || most > l.now.LastSequence {
		most = l.now.LastSequence
	}
	few++
	err = l.EachLast(max(from, 1), most, func(_ []byte, last uint64) {
		if sequences = append(sequences, last); len(sequences) == 2*few {
			slices.Sort(sequences)
			sequences = sequences[:few]
		}
	})
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(sequences)
	if len(sequences) >= few {
		return sequences[:few-1], sequences[few-1], nil
	}
	return sequences, 0, nil
}
