package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// due returns a stream with a schedule that is due, and for which the shell has been asked to look.
func due(t *testing.T) *shell {
	t.Helper()
	s := open(withSchedules)
	s.run(start)
	s.must(t, scheduleOn("s", at(5*second), "out"), store("x", 10))
	s.tick(start + 5*second)
	s.turn()
	require.Len(t, s.work, 1)
	require.Equal(t, engine.WorkFetch, s.work[0].Kind)
	return s
}

// TestWhatComesWhileAScheduleIsLookedFor counts: the schedule fires as the stream is when its turn comes.
func TestWhatComesWhileAScheduleIsLookedFor(t *testing.T) {
	for name, row := range map[string]struct {
		meanwhile sent
		fires     bool
	}{
		"another message":            {store("x", 10), true},
		"a message that suspends it": {store("s", 10), false},
		"its removal":                {removal(1), false},
		"a purge of all":             {sent{"purge", &engine.Purge{}}, false},
		"a truncation":               {sent{"truncate", &engine.Truncate{}}, false},
		"its end":                    {storeWith("out", "end", "Nats-Scheduler", "s", "Nats-Schedule-Next", "purge"), false},
		"another schedule":           {scheduleOn("s", at(500*second), "out"), false},
		"that they are turned off":   {sent{"off", &engine.SetSchedules{}}, false},
	} {
		for _, looked := range []bool{false, true} {
			s := due(t)
			if looked { // what readers see by then does not have it yet
				s.step(row.meanwhile)
				s.runWork()
			} else {
				s.step(row.meanwhile)
				for s.turn(); s.runCommit(); s.turn() {
				}
			}
			s.run(start + 20*second)
			fired := false
			for _, text := range s.on("out") {
				fired = fired || text[len(text)-4:] == "by s"
			}
			require.Equal(t, row.fires, fired, name)
			require.NoError(t, s.e.CheckInvariants(), name)
		}
	}
}

// TestAStopWhileAScheduleIsLookedFor: nothing is stored any more.
func TestAStopWhileAScheduleIsLookedFor(t *testing.T) {
	s := due(t)
	s.step(sent{"stop", &engine.Stop{}})
	s.settle()
	require.Equal(t, uint64(2), s.pub.Last())
}

// TestSchedulesThatAreNotWrittenYetAreFound when schedules are turned on: the shell looks once they are.
func TestSchedulesThatAreNotWrittenYetAreFound(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(cfg *engine.Config) { cfg.Level = level })
		s.tick(start)
		s.must(t, store("x", 10))
		for _, c := range []sent{scheduleOn("s", at(5*second), "out"), store("x", 900), scheduleOn("t", at(5*second), "out"), {"on", &engine.SetSchedules{On: true}}, store("x", 10)} {
			s.step(c)
		}
		s.turn()
		require.Empty(t, s.work)
		s.run(start + 5*second)
		require.Equal(t, []string{"6 by s", "7 by t"}, s.on("out"))
	}
}
