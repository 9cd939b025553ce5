package engine_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestSubjectsOfOneInstantStayAsTheyAre, whatever the engine stores and removes after it.
func TestSubjectsOfOneInstantStayAsTheyAre(t *testing.T) {
	for _, row := range []struct {
		name string
		take func(*engine.Published) *subjects.Tree
	}{
		{"of a snapshot", func(p *engine.Published) *subjects.Tree { return p.Snapshot().Subjects }},
		{"alone", func(p *engine.Published) *subjects.Tree { return p.Subjects() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.Limits.MaxMsgs = 3 })
			s.must(t, store("a", 0), store("b", 0), store("a", 0))
			before := row.take(s.pub)
			for range 10 {
				s.must(t, store("b", 0), store("c", 0))
			}
			require.Equal(t, 2, before.Len())
			a, ok := before.Get("a")
			require.True(t, ok)
			require.Equal(t, uint64(2), a.Count)
			require.Equal(t, uint64(3), a.Last)
			b, ok := before.Get("b")
			require.True(t, ok)
			require.Equal(t, uint64(1), b.Count)
			_, ok = before.Get("c")
			require.False(t, ok)
			_, ok = row.take(s.pub).Get("a")
			require.False(t, ok, "a new one is as the stream is")
		})
	}
}

// TestAClosedStreamKeepsItsNumbersOnly, and what was deleted of it.
func TestAClosedStreamKeepsItsNumbersOnly(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0), skip(2, 3), store("a", 0))
	state := s.pub.State()
	s.pub.Close()
	require.Equal(t, state, s.pub.State())
	require.Empty(t, s.pub.View().Blocks(), "the memory of blocks stays as long as they are listed")
	require.Zero(t, s.pub.Snapshot().Subjects.Len())
	_, deleted := s.pub.Deleted()
	require.Equal(t, []engine.SequenceRange{{First: 2, Last: 4}}, deleted)
}

// TestReadersSeeTheHighestTimeOfABlock, which a search by time goes by.
func TestReadersSeeTheHighestTimeOfABlock(t *testing.T) {
	s := open(nil)
	s.must(t, raw(0, start+5*second))
	require.Equal(t, start+5*second, s.pub.View().Blocks()[0].LastTime())
	s.must(t, raw(0, start))
	require.Equal(t, start+5*second, s.pub.View().Blocks()[0].LastTime())
	s.must(t, raw(0, start+9*second))
	require.Equal(t, start+9*second, s.pub.View().Blocks()[0].LastTime())
	s.reopen()
	require.Equal(t, start+9*second, s.pub.View().Blocks()[0].LastTime())
}

// TestAnAgeBeyondTheEndOfTimeNeedsNoTick.
func TestAnAgeBeyondTheEndOfTimeNeedsNoTick(t *testing.T) {
	s := aged(t, time.Duration(math.MaxInt64))
	s.must(t, store("a", 0))
	s.wake(t, start+10*second) // its memory goes
	_, ok := s.e.NextTick()
	require.False(t, ok)
	require.Equal(t, uint64(1), s.pub.State().Messages)
}

// TestASnapshotIsOfOneInstant: its numbers agree with its subjects and its blocks, although the
// engine goes on while it is taken.
func TestASnapshotIsOfOneInstant(t *testing.T) {
	s := newCounting(engine.Limits{}, engine.SyncAlways, 64<<10)
	s.store(1)
	pub := s.e.Published()
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			everything := subject.Everything()
			for {
				select {
				case <-stop:
					return
				default:
				}
				now := pub.Snapshot()
				_, total := now.Subjects.Total(&everything)
				if total != now.Messages || now.View.Find(now.LastSequence) == nil {
					t.Errorf("%+v, %d messages in the index of subjects", now.State, total)
					return
				}
			}
		})
	}
	for range 200_000 { // a publication each
		s.store(1)
	}
	close(stop)
	reading.Wait()
}
