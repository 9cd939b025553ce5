package actors_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// naiveOf makes the model of a golden directory.
func naiveOf(t *testing.T, g *golden) *naive {
	t.Helper()
	n := &naive{last: g.State.LastSequence, lastTime: goldenTime(t, g.State.LastTime)}
	for _, m := range g.Messages {
		n.live = append(n.live, record{m.Sequence, goldenTime(t, m.Time), m.Subject, string(m.Header), string(m.Payload)})
	}
	return n
}

// patternsOf derives patterns from subjects: each token replaced by *, all of them,
// each prefix with >, and what is absent.
func patternsOf(subjects []string) []string {
	list := []string{"", ">", "*", "*.>", "*.*", "*.*.*", "absent", "absent.*", "*.absent", "foo.>x"}
	for _, subject := range subjects {
		if subject == "" {
			continue // what goes on from it begins with a dot
		}
		list = append(list, subject, subject+".>", subject+".*", subject+"x", "*."+subject)
		tokens := strings.Split(subject, ".")
		for i := range tokens {
			replaced := slices.Clone(tokens)
			replaced[i] = "*"
			list = append(list, strings.Join(replaced, "."), strings.Join(append(slices.Clone(tokens[:i]), ">"), "."))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// spread returns about so many of a list, from the first to the last.
func spread[T any](list []T, most int) (some []T) {
	if len(list) <= most {
		return list
	}
	for i := range most {
		some = append(some, list[i*(len(list)-1)/(most-1)])
	}
	return some
}

// TestQueryOfDirectoriesOfNatsServer asks everything about them: at every sequence,
// with filters made of their subjects.
func TestQueryOfDirectoriesOfNatsServer(t *testing.T) {
	for _, name := range []string{
		"basic", "headers", "empty", "first-seq", "deletes", "multi-block", "corrupted-tail", "many-subjects", "purged",
		"head-tombstones-lost", "corrupted-tail-index", "ttl", "compressed",
	} {
		t.Run(name, func(t *testing.T) {
			load := loadGolden
			if name == "corrupted-tail-index" {
				load = loadGoldenBlocks // the model knows nothing of losses
			}
			dir, g := load(t, name)
			n := naiveOf(t, &g)
			config := actors.Config{Dir: dir, Name: g.Stream, IndexFrom: 1}
			for _, way := range []string{"as it is", "opened before", "without index files"} {
				t.Run(way, func(t *testing.T) {
					if way == "without index files" {
						dropIndexFiles(t, config)
						config.IndexFrom = -1
					}
					s := open(t, config)
					askAboutGolden(t, s, n)
					stop(t, s)
				})
			}
			// And once it has been written to.
			s := open(t, config)
			for i, subject := range []string{"foo.1", "foo.new", "", "foo.1"} {
				ack := mustStoreRaw(t, s, subject, fmt.Sprint(i))
				n.add(record{sequence: ack.Sequence, time: ack.Time, subject: subject, payload: fmt.Sprint(i)})
			}
			askAboutGolden(t, s, n)
		})
	}
}

func askAboutGolden(t *testing.T, s *actors.Store, n *naive) {
	t.Helper()
	checkEverything(t, s, n)
	var subjects []string
	for _, r := range n.live {
		if !slices.Contains(subjects, r.subject) {
			subjects = append(subjects, r.subject)
		}
	}
	slices.Sort(subjects)
	patterns := patternsOf(spread(subjects, max(2, 700/(len(n.live)+1)))) // the model takes its time
	if testing.Short() {
		patterns = spread(patterns, 25)
	}
	all := []picks{none, nothing, exactly("foo.*"), exactly(subjects...), matching(patterns...),
		matching(spread(patterns, 4)...), append(matching(spread(patterns, 3)...), exactly(spread(subjects, 2)...)...)}
	for _, pattern := range patterns {
		all = append(all, matching(pattern))
	}
	sequences := []uint64{0, 1, n.first() - min(1, n.first()), n.last + 1, n.last + 2, math.MaxUint64}
	for sequence := n.first(); sequence <= n.last; sequence++ {
		sequences = append(sequences, sequence)
	}

	for _, sequence := range sequences {
		for _, q := range []question{askLoad(sequence), askLoadInto(sequence), askSubject(sequence)} {
			q.check(t, s, n)
		}
	}
	for _, p := range all {
		for _, q := range []question{askLast(p), askSubjects(p), askTotals(p)} {
			q.check(t, s, n)
		}
		for _, sequence := range spread(sequences, max(6, 1000/(len(n.live)+1))) {
			askAt(t, s, n, sequence, p)
		}
		for _, sequence := range spread(sequences, 3) {
			for _, q := range []question{askScan(max(sequence, 1), false, p), askScan(max(sequence, 1), true, p)} {
				q.check(t, s, n)
			}
		}
	}
	if testing.Short() {
		sequences = spread(sequences, 100)
	}
	for _, sequence := range sequences {
		askAt(t, s, n, sequence, all[int(sequence%uint64(len(all)))])
		askAt(t, s, n, sequence, none)
	}
	for _, subject := range append(spread(subjects, 50), "absent", "foo.*", "foo") {
		if subject != "" {
			q := askFirst(subject)
			q.check(t, s, n)
		}
	}
	times := []time.Time{{}, time.Unix(0, 0), time.Now().AddDate(1000, 0, 0)}
	for _, r := range spread(n.live, 60) {
		times = append(times, r.time.Add(-1), r.time, r.time.Add(1))
	}
	for _, at := range times {
		q := askTime(at)
		q.check(t, s, n)
	}
	askLastOnes(t, s, n, patterns, sequences)
}

func askAt(t *testing.T, s *actors.Store, n *naive, sequence uint64, p picks) {
	t.Helper()
	for _, q := range []question{
		askNext(sequence, p), askPrev(sequence, p), askFiltered(sequence, p), askPending(sequence, p), askPendingLast(sequence, p),
	} {
		q.check(t, s, n)
	}
}

func askLastOnes(t *testing.T, s *actors.Store, n *naive, patterns []string, sequences []uint64) {
	t.Helper()
	all := askAllLast()
	all.check(t, s, n)
	lists := [][]string{nil, {}, patterns, spread(patterns, 3)}
	for _, pattern := range spread(patterns, 20) {
		lists = append(lists, []string{pattern})
	}
	for _, list := range lists {
		for _, sequence := range spread(sequences, 6) {
			for _, allowed := range []int{0, 1, 3, len(n.subjects(none))} {
				for _, q := range []question{askMulti(list, sequence, allowed), askMultiMsgs(list, sequence, allowed)} {
					q.check(t, s, n)
				}
			}
		}
	}
}
