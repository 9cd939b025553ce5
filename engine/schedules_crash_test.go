package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// firings returns when the messages were stored that a schedule has produced, in seconds after the start, when they
// say that it is due next, and whether its own message is there.
func (s *shell) firings(name string) (seconds []int64, next []string, there bool) {
	for _, sequence := range s.live() {
		r, _ := s.read(sequence)
		if scheduler, _ := msgheader.Find(r.header, msgheader.Scheduler); string(scheduler) == name {
			seconds = append(seconds, (r.time-start)/second)
			due, _ := msgheader.Find(r.header, msgheader.ScheduleNext)
			next = append(next, string(due))
		}
		there = there || r.subject == name
	}
	return seconds, next, there
}

// TestAScheduleFiresOnceWhateverCrashes: after a crash at any operation, a schedule that is due once has fired or
// does so, and is gone with that; one that repeats has fired each second once, as far as the log was synced.
func TestAScheduleFiresOnceWhateverCrashes(t *testing.T) {
	const until = 8
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			cfg := testConfig()
			withSchedules(&cfg)
			cfg.Level, cfg.BlockSize = level, 512
			s := newShell(cfg, newDisk(), engine.NewPublished(), start)
			acknowledged := map[string]bool{}
			s.disk.point = func(what string) {
				for _, keep := range []func() bool{dropAll, keepAll, keepSome(1), keepSome(2)} {
					after := newShell(s.cfg, s.disk.crash(keep), engine.NewPublished(), s.now)
					after.run(start + until*second)
					checkFirings(t, fmt.Sprintf("crash at %d: %s", (s.now-start)/millisecond, what), after, acknowledged, until)
				}
			}
			put := func(name string, c sent) {
				s.must(t, c)
				acknowledged[name] = level == engine.SyncAlways
			}
			put("often", scheduleOn("often", "@every 1s", "out"))
			put("once", scheduleOn("once", at(2*second), "out", "Nats-Schedule-Source", "in"))
			put("last", scheduleOn("last", at(5*second), "out"))
			s.run(start + 3*second)
			s.must(t, store("in", 200))
			s.run(start + 5*second)
			s.disk.point = nil
			s.run(start + until*second)
			checkFirings(t, "no crash", s, acknowledged, until)
		})
	}
}

func checkFirings(t *testing.T, when string, s *shell, acknowledged map[string]bool, until int64) {
	t.Helper()
	require.NoError(t, s.e.CheckInvariants(), when)
	for _, name := range []string{"once", "last"} {
		seconds, _, there := s.firings(name)
		require.False(t, there, "%s: %s is still there", when, name)
		require.LessOrEqual(t, len(seconds), 1, "%s: %s", when, name)
		require.True(t, !acknowledged[name] || len(seconds) == 1, "%s: %s has not fired", when, name)
	}
	seconds, next, there := s.firings("often")
	require.True(t, there || !acknowledged["often"], when)
	require.True(t, slices.IsSorted(next) && len(slices.Compact(slices.Clone(next))) == len(next), "%s: %v", when, next)
	if acknowledged["often"] {
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8}[:until], seconds, when)
	}
}
