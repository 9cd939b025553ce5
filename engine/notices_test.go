package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// heard returns the notices since the last call, in short, and checks that they add up.
func (s *shell) heard(t *testing.T) (list []string) {
	t.Helper()
	require.NoError(t, s.taker.wrong)
	for _, n := range s.taker.list {
		list = append(list, inShort(n))
	}
	s.taker.list = nil
	return list
}

func inShort(n engine.Notice) string {
	return fmt.Sprintf("%v %+d %+d %d %s", n.Reason, n.Messages, n.Bytes, n.Sequence, n.Subject)
}

// purgeOf purges a subject.
func purgeOf(filter string, below, keep uint64) sent {
	set := subject.NewSet(subject.Compile(filter))
	return sent{"purge", &engine.Purge{Filter: &set, Sequence: below, Keep: keep}}
}

func truncateTo(sequence uint64) sent { return sent{"truncate", &engine.Truncate{Sequence: sequence}} }

// TestNoticesOfEachEvent: what each kind of event tells. A record has 30 bytes more than subject and payload.
func TestNoticesOfEachEvent(t *testing.T) {
	remove := func(sequence uint64) sent { return sent{"remove", &engine.Remove{Sequence: sequence}} }
	compact := func(sequence uint64) sent { return sent{"compact", &engine.Compact{Sequence: sequence}} }
	batch := func(names ...string) sent {
		c := &engine.StoreBatch{}
		for _, name := range names {
			c.Messages = append(c.Messages, engine.Message{Subject: name, Payload: payload(69)})
		}
		return sent{"batch", c}
	}
	everything := sent{"purge", &engine.Purge{}}
	for _, row := range []struct {
		name   string
		limits engine.Limits
		before []sent // three messages, of a, b, and a, if nil
		do     sent
		want   []string
	}{
		{"store", engine.Limits{}, nil, store("a", 69), []string{"stored +1 +100 4 a"}},
		{"store without a subject", engine.Limits{}, nil, store("", 70), []string{"stored +1 +100 4 "}},
		{"raw store", engine.Limits{}, nil, raw(4, start), []string{"stored +1 +30 4 "}},
		{"batch", engine.Limits{}, nil, batch("a", "c"), []string{"stored +1 +100 4 a", "stored +1 +100 5 c"}},
		{"MaxMsgs", engine.Limits{MaxMsgs: 3}, nil, store("c", 69),
			[]string{"max messages -1 -100 1 a", "stored +1 +100 4 c"}},
		{"MaxBytes", engine.Limits{MaxBytes: 300}, nil, store("c", 169),
			[]string{"max bytes -1 -100 1 a", "max bytes -1 -100 2 b", "stored +1 +200 4 c"}},
		{"MaxMsgsPer", engine.Limits{MaxMsgsPer: 2}, nil, store("a", 69),
			[]string{"max messages of a subject -1 -100 1 a", "stored +1 +100 4 a"}},
		{"a batch that removes of its own", engine.Limits{MaxMsgsPer: 1}, []sent{store("a", 69)}, batch("a", "a", "b"),
			[]string{"max messages of a subject -1 -100 1 a", "stored +1 +100 2 a", "stored +1 +100 3 a",
				"max messages of a subject -1 -100 2 a", "stored +1 +100 4 b"}},
		{"a store that is refused", engine.Limits{MaxMsgs: 3, Discard: engine.DiscardNew}, nil, store("a", 69), nil},
		{"remove", engine.Limits{}, nil, remove(2), []string{"removed -1 -100 2 b"}},
		{"remove what is gone", engine.Limits{}, []sent{store("a", 69), remove(1)}, remove(1), nil},
		{"purge", engine.Limits{}, nil, everything, []string{"purged -3 -300 0 "}},
		{"purge of nothing", engine.Limits{}, []sent{skip(0, 3)}, everything, []string{"purged +0 +0 0 "}},
		{"purge of a new stream", engine.Limits{}, []sent{}, everything, []string{"purged +0 +0 0 "}},
		{"purge of one by subject", engine.Limits{}, nil, purgeOf("*", 2, 0), []string{"purged -1 -100 1 a"}},
		{"purge of two by subject", engine.Limits{}, nil, purgeOf("a", 0, 0), []string{"purged -2 -200 0 "}},
		{"purge that keeps", engine.Limits{}, nil, purgeOf(">", 0, 1), []string{"purged -2 -200 0 "}},
		{"purge of no message", engine.Limits{}, nil, purgeOf("none", 0, 0), nil},
		{"purge below", engine.Limits{}, nil, purgeOf(">", 3, 0), []string{"compacted -2 -200 0 "}},
		{"compact", engine.Limits{}, nil, compact(2), []string{"compacted -1 -100 0 "}},
		{"compact all", engine.Limits{}, nil, compact(10), []string{"compacted -3 -300 0 "}},
		{"compact to 0", engine.Limits{}, nil, compact(0), []string{"compacted -3 -300 0 "}},
		{"compact nothing", engine.Limits{}, nil, compact(1), nil},
		{"compact an empty stream", engine.Limits{}, []sent{skip(0, 3)}, compact(10), nil},
		{"truncate", engine.Limits{}, nil, truncateTo(1), []string{"truncated -2 -200 0 "}},
		{"truncate at the last", engine.Limits{}, nil, truncateTo(3), []string{"truncated +0 +0 0 "}},
		{"truncate to nothing", engine.Limits{}, nil, truncateTo(0), []string{"truncated -3 -300 0 "}},
		{"truncate beyond the last", engine.Limits{}, nil, truncateTo(4), nil},
		{"roll-up of a subject", engine.Limits{}, nil, rollsUp(engine.RollupSubject, "a", 69), []string{"purged -2 -200 0 ", "stored +1 +100 4 a"}},
		{"roll-up of one message", engine.Limits{}, nil, rollsUp(engine.RollupSubject, "b", 69), []string{"purged -1 -100 2 b", "stored +1 +100 4 b"}},
		{"roll-up of all", engine.Limits{}, nil, rollsUp(engine.RollupAll, "a", 69), []string{"purged -3 -300 0 ", "stored +1 +100 4 a"}},
		{"skip", engine.Limits{}, nil, skip(0, 3), nil},
		{"flush", engine.Limits{}, nil, sent{"flush", &engine.Flush{}}, nil},
	} {
		for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
			t.Run(row.name+"/"+level.String(), func(t *testing.T) {
				s := open(func(c *engine.Config) { c.Limits, c.Level = row.limits, level })
				if row.before == nil {
					row.before = []sent{store("a", 69), store("b", 69), store("a", 69)}
				}
				s.must(t, row.before...)
				s.listen()
				s.turn()
				require.Equal(t, []string{fmt.Sprintf("registered +0 %+d 0 ", s.pub.State().Bytes)}, s.heard(t))
				s.do(row.do)
				require.Equal(t, row.want, s.heard(t))
			})
		}
	}
}

// TestNoticesOfBlocks: what leaves as whole blocks, whose tables are read for that, is told one by one.
func TestNoticesOfBlocks(t *testing.T) {
	const n = 40
	for _, row := range []struct {
		name string
		do   func(*testing.T, *shell)
		want func(i int) string
	}{
		{"MaxAge", func(_ *testing.T, s *shell) { s.tick(start + 10*second); s.settle() },
			func(i int) string { return fmt.Sprintf("max age -1 -100 %d %c", i, 'a'+rune(i%3)) }},
		{"MaxBytes", func(t *testing.T, s *shell) { s.must(t, store("x", n*100-31)) },
			func(i int) string { return fmt.Sprintf("max bytes -1 -100 %d %c", i, 'a'+rune(i%3)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(limits(engine.Limits{MaxAge: 5 * time.Second, MaxBytes: n * 100}))
			for i := 1; i <= n; i++ {
				s.must(t, store(string('a'+rune(i%3)), 69))
			}
			s.reopen()
			s.listen()
			s.turn()
			s.heard(t)
			row.do(t, s)
			heard := s.heard(t)
			require.GreaterOrEqual(t, len(heard), n)
			for i := 1; i <= n; i++ {
				require.Equal(t, row.want(i), heard[i-1])
			}
		})
	}
}

// TestNoticesComeWithTheirGroup, when readers see it, and before the replies. A taker that comes while a group is on its way is told
// of what comes after it alone.
func TestNoticesComeWithTheirGroup(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 69))
	s.step(store("a", 69))
	s.turn() // in flight
	s.step(store("a", 69))
	s.e.Notify()
	s.step(store("b", 69))
	require.Empty(t, s.e.Notices(), "not before the group of the registration is published")
	s.runCommit()
	require.Empty(t, s.e.Notices())
	s.turn()
	s.runCommit()
	require.Equal(t, []engine.Notice{
		{Reason: engine.NoticeRegistered, Bytes: 300},
		{Reason: engine.NoticeStored, Messages: 1, Bytes: 100, Sequence: 4, Subject: "b"},
	}, s.e.Notices())
	require.Equal(t, uint64(4), s.pub.Last(), "readers see it already")
	require.Len(t, s.e.Settled(), 2)
}

// TestATakerThatComesWhileACommitIsOutWaitsForIt, also when nothing gathers behind it.
func TestATakerThatComesWhileACommitIsOutWaitsForIt(t *testing.T) {
	s := open(nil)
	s.step(store("a", 69))
	s.turn()
	s.e.Notify()
	require.Empty(t, s.e.Notices(), "readers do not see the 100 bytes yet")
	s.settle()
	require.Equal(t, []engine.Notice{{Reason: engine.NoticeRegistered, Bytes: 100}}, s.e.Notices())
}

// TestNobodyIsToldWithoutTakers, nor after the last one has gone.
func TestNobodyIsToldWithoutTakers(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 69))
	require.Empty(t, s.e.Notices())
	s.e.Notify()
	require.Len(t, s.e.Notices(), 1)
	s.e.Unnotify()
	s.must(t, store("a", 69))
	require.Empty(t, s.e.Notices())
}

// TestALostMessageIsNoticed with its subject, if that is known.
func TestALostMessageIsNoticed(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 69), store("b", 69), store("c", 69), store("d", 69))
	s.listen()
	s.turn()
	s.heard(t)
	block := s.pub.View().Blocks()[0]
	lose := func(first, last uint64) {
		s.e.Lose(engine.Loss{
			LostRange: engine.LostRange{SequenceRange: engine.SequenceRange{First: first, Last: last}, Block: block.ID}, Generation: block.Generation,
		})
		s.settle()
	}
	lose(2, 2)
	require.Equal(t, []string{"lost -1 -100 2 b"}, s.heard(t))
	lose(2, 4)
	require.Equal(t, []string{"lost -2 -200 0 "}, s.heard(t))
}

// TestARecoveredEngineTellsTheDifference: at SyncNever a failure costs what readers were shown.
func TestARecoveredEngineTellsTheDifference(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level, c.Linger = engine.SyncNever, time.Second })
	s.listen()
	s.must(t, store("a", 69), sent{"flush", &engine.Flush{}})
	s.step(store("a", 69))
	s.step(store("a", 69))
	s.turn()
	require.Equal(t, uint64(3), s.pub.Last())
	s.e.Fail(errDisk)
	s.heard(t)
	s.recover(s.pub.Last(), 1)
	require.Equal(t, []string{"recovered -2 -200 0 "}, s.heard(t))
	s.must(t, store("a", 69))
	require.Equal(t, []string{"stored +1 +100 4 a"}, s.heard(t))
}
