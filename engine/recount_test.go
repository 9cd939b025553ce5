package engine_test

import (
	"fmt"
	"math/rand"
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
	if info, _ := s.pub.Subjects().Get([]byte("b")); info.Count != 17 {
		t.Fatalf("%+v", info)
	}
	s.settle()
	if state := s.pub.State(); state.Recounting != 0 || state.Messages != 32 || state.Bytes != 32*131 || state.LostBytes != 3*131 {
		t.Fatalf("%+v", state)
	}
	if info, _ := s.pub.Subjects().Get([]byte("b")); info.Count != 15 || info.FirstExact || info.LastExact {
		t.Fatalf("%+v", info)
	}
}
