package engine_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestRecountWhileTheStreamGoesOn: messages of unknown subjects are lost while others are stored and removed,
// by limits and by commands, in any order of the steps. In the end the subject index counts what is live and nothing else.
func TestRecountWhileTheStreamGoesOn(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		for seed := range int64(40) {
			rng := rand.New(rand.NewSource(seed))
			s := open(func(c *engine.Config) {
				sevenABlock(c)
				c.Level = level
				c.Limits.MaxMsgs = 70
				c.Limits.MaxMsgsPer = []int64{0, 1, 6}[seed%3]
			})
			of := make(map[uint64]string) // subjects, by sequence
			last := uint64(0)
			store1 := func() sent {
				last++
				of[last] = fmt.Sprint("s", rng.Intn(9))
				return store(of[last], 100)
			}
			for range 80 {
				s.must(t, store1())
			}
			s.reopen() // no table is in memory
			for range 2000 {
				switch rng.Intn(4) {
				case 0:
					switch n := s.pub.First() + uint64(rng.Intn(60)); rng.Intn(40) {
					case 0:
						s.step(sent{new(int), &engine.Remove{Sequence: n}})
					case 1:
						s.step(sent{new(int), &engine.Compact{Sequence: min(n, s.pub.Last())}})
					case 2:
						s.step(sent{new(int), &engine.Purge{}})
					default:
						s.step(store1())
					}
				case 1:
					s.turn()
					if err := s.e.CheckInvariants(); err != nil {
						t.Fatalf("level %v, seed %d: %v", level, seed, err)
					}
				case 2:
					s.runAny()
				default:
					if rng.Intn(20) > 0 {
						continue
					}
					first := s.pub.First() + uint64(rng.Intn(60))
					if b := s.pub.View().Find(first); b != nil && first <= s.pub.Last() {
						s.e.Lose(engine.Loss{Generation: b.Generation, LostRange: engine.LostRange{
							SequenceRange: engine.SequenceRange{First: first, Last: first}, Block: b.ID}})
					}
				}
			}
			s.settle()
			if err := s.e.CheckInvariants(); err != nil {
				t.Fatalf("level %v, seed %d: %v", level, seed, err)
			}
			state := s.pub.State()
			want := make(map[string]uint64)
			live := uint64(0)
			for sequence := state.FirstSequence; sequence <= state.LastSequence; sequence++ {
				if !s.pub.View().Find(sequence).Deleted(sequence) {
					want[of[sequence]]++
					live++
				}
			}
			everything := subject.Everything()
			s.pub.Subjects().Walk(&everything, func(name []byte, info subjects.Info) bool {
				if want[string(name)] != info.Count {
					t.Errorf("level %v, seed %d: %s: %d, want %d", level, seed, name, info.Count, want[string(name)])
				}
				delete(want, string(name))
				return true
			})
			if len(want) > 0 || state.Recounting != 0 || state.Messages != live || state.Bytes != live*132 {
				t.Fatalf("level %v, seed %d: missing %v, %d live, state %+v", level, seed, want, live, state)
			}
		}
	}
}

// TestRecountIsToldOf until it is done: it waits for a table that cannot be read.
func TestRecountIsToldOf(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := lostWorld(t)
	s.reopen()
	s.e.Lose(engine.Loss{Generation: s.e.Generation(), LostRange: engine.LostRange{
		SequenceRange: engine.SequenceRange{First: 10, Last: 12}, Block: 2}})
	s.turn() // the first table is asked for, and the loss is published
	if state := s.pub.State(); state.Recounting != 1 || state.Messages != 32 || state.Subjects != 2 {
		t.Fatalf("%+v", state)
	}
	if info, _ := s.pub.Subjects().Get("b"); info.Count != 17 {
		t.Fatalf("%+v", info)
	}
	s.settle()
	if state := s.pub.State(); state.Recounting != 0 || state.Messages != 32 || state.Bytes != 32*131 || state.LostBytes != 3*131 {
		t.Fatalf("%+v", state)
	}
	if info, _ := s.pub.Subjects().Get("b"); info.Count != 15 || info.FirstExact || info.LastExact {
		t.Fatalf("%+v", info)
	}
}

// TestLimitOfSubjectWhileCountingAnew: as long as the subject index counts messages that are lost, the limit of
// a subject goes by those that there are.
func TestLimitOfSubjectWhileCountingAnew(t *testing.T) {
	for _, test := range []struct {
		name   string
		most   int64
		before int  // how many messages are stored, and evict others, before the loss
		refuse bool // a message that is one too many
		done   bool // they are counted, and that is not published yet
	}{
		{"found after the loss", 10, 0, false, false},
		{"known before", 10, 2, false, false},
		{"refused", 10, 0, true, false},
		{"one", 1, 0, true, false},
		{"counted", 10, 0, false, true},
		{"known before and counted", 10, 2, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer engine.SetKeepRecords(0)()
			s := open(func(c *engine.Config) {
				sevenABlock(c)
				c.Limits.MaxMsgsPer = test.most
			})
			for i := range 21 { // three blocks, as the tables of the first two are in memory
				s.must(t, store(fmt.Sprint(i), 100))
			}
			for range test.most {
				s.must(t, store("a", 100), store("b", 100))
			}
			s.must(t, store("c", 100)) // so that none of those is the last of its block
			if s.reopen(); test.before > 0 {
				s.must(t, slices.Repeat([]sent{store("b", 100)}, test.before)...)
			}
			if test.refuse {
				s.cfg.Limits.Discard, s.cfg.Limits.DiscardNewPer = engine.DiscardNew, true
				s.reopen()
			}
			last := uint64(21 + 2*test.most)
			b := s.pub.View().Find(last)
			s.e.Lose(engine.Loss{Generation: b.Generation, LostRange: engine.LostRange{
				SequenceRange: engine.SequenceRange{First: last - 1, Last: last}, Block: b.ID}})
			s.turn()
			load := s.hold(t, engine.WorkLoad, 3)
			workOnly := func() {
				for s.turn(); s.runWork(); s.turn() {
				}
			}
			if s.settle(); test.done {
				s.step(store("d", 100)) // what follows is not published before that is written
				s.work = append(s.work, load)
				workOnly()
			}
			s.step(store("b", 100))
			workOnly()
			s.settle()
			if n := s.pub.Counts(); n.Recounting != bit(!test.done) || n.RemovedPer != uint64(test.before) {
				t.Fatalf("%+v", n) // the limit has removed one as if the lost one were there
			}
			evicted := uint64(test.before)
			switch r := s.do(store("b", 100)); {
			case test.refuse && !errors.Is(r[0].Err, engine.ErrMaxMsgsPerSubject):
				t.Fatal(r)
			case !test.refuse && r[0].Err != nil:
				t.Fatal(r)
			case !test.refuse:
				evicted++
			}
			if !test.done {
				s.work = append(s.work, load)
			}
			s.settle()
			if n := s.pub.Counts(); n.Recounting != 0 || n.RemovedPer != evicted {
				t.Fatalf("%+v", n)
			}
			if info, _ := s.pub.Subjects().Get("b"); info.Count != uint64(test.most) {
				t.Fatalf("%+v", info)
			}
			if err := s.e.CheckInvariants(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
