package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// withSchedules turns schedules on, and has roll-ups as a stream with schedules has.
func withSchedules(cfg *engine.Config) { cfg.Schedules, cfg.RollupHeaders = true, true }

// headers makes a header block of names and values in turn.
func headers(list ...string) []byte {
	block := "NATS/1.0\r\n"
	for i := 0; i < len(list); i += 2 {
		block += list[i] + ": " + list[i+1] + "\r\n"
	}
	return []byte(block + "\r\n")
}

// scheduleOn stores a schedule, whose payload is that of its subject. more are further headers.
func scheduleOn(name, pattern, target string, more ...string) sent {
	h := headers(append([]string{msgheader.Schedule, pattern, msgheader.ScheduleTarget, target}, more...)...)
	return sent{"schedule " + name, &engine.Store{Message: engine.Message{Subject: name, Header: h, Payload: []byte("by " + name)}}}
}

func storeWith(name, payload string, more ...string) sent {
	return sent{"store " + name, &engine.Store{Message: engine.Message{Subject: name, Header: headers(more...), Payload: []byte(payload)}}}
}

// rawWith stores a message with headers as a replica does.
func rawWith(name, payload string, more ...string) sent {
	m := storeWith(name, payload, more...).command.(*engine.Store).Message
	return sent{"raw " + name, &engine.StoreRaw{Message: m, StampNow: true}}
}

// run lets time pass, tick by tick as the engine asks for it.
func (s *shell) run(until int64) {
	for s.tick(s.now); ; {
		s.settle()
		at, ok := s.e.NextTick()
		if !ok || at > until {
			break
		}
		if s.ticks++; at <= s.now && s.ticks > 10_000 {
			panic("the engine wants to tick without an end")
		}
		s.tick(max(at, s.now))
	}
	s.tick(until)
	s.settle()
}

// on returns the messages of a subject that a reader finds, as "sequence payload".
func (s *shell) on(name string) (list []string) {
	for _, sequence := range s.live() {
		if r, _ := s.read(sequence); r.subject == name {
			list = append(list, fmt.Sprintf("%d %s", sequence, r.payload))
		}
	}
	return list
}

func (s *shell) header(t *testing.T, sequence uint64) string {
	t.Helper()
	r, ok := s.read(sequence)
	require.True(t, ok)
	return string(r.header)
}

// at returns the time of so many nanoseconds after the start, as a header has it. The start is at 22:13:20.
func at(after int64) string {
	return "@at " + clock(after)
}

func clock(after int64) string {
	return strings.Replace("2023-11-14T22:13:20Z", "22:13:20", fmt.Sprintf("22:%02d:%02d", 13+(20+after/second)/60, (20+after/second)%60), 1)
}

// TestAScheduleIsDueOnce: it produces one message, and goes with the one that it has produced.
func TestAScheduleIsDueOnce(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", at(5*second), "out", "Mine", "kept", "Nats-Expected-Stream", "x", "Nats-Msg-Id", "x", "Nats-TTL", "9s",
		"Nats-Rollup", "sub", "Nats-Schedule-Other", "x"))
	s.run(start + 5*second - 1)
	require.Empty(t, s.on("out"))
	s.run(start + 5*second)
	require.Equal(t, []string{"2 by s"}, s.on("out"))
	require.Empty(t, s.on("s"), "the schedule is done")
	require.Equal(t, string(headers("Mine", "kept", "Nats-Scheduler", "s", "Nats-Schedule-Next", "purge")), s.header(t, 2))
	r, _ := s.read(2)
	require.Equal(t, start+5*second, r.time)
	s.run(start + 500*second)
	s.reopen()
	s.run(start + 1000*second)
	require.Equal(t, uint64(2), s.pub.Last())
	require.NoError(t, s.e.CheckInvariants())
}

// TestAScheduleRepeats: each message says when the next one comes.
func TestAScheduleRepeats(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", "@every 2s", "out", "Nats-Schedule-TTL", "1m"))
	s.run(start + 7*second)
	require.Equal(t, []string{"2 by s", "3 by s", "4 by s"}, s.on("out"))
	require.Equal(t, []string{"1 by s"}, s.on("s"))
	for i := range int64(3) {
		require.Equal(t, string(headers("Nats-Scheduler", "s", "Nats-Schedule-Next", clock((4+2*i)*second), "Nats-TTL", "1m")), s.header(t, uint64(2+i)))
	}
	s.reopen()
	s.run(start + 8*second)
	require.Equal(t, []string{"2 by s", "3 by s", "4 by s", "5 by s"}, s.on("out"))
}

// TestACronScheduleIsInItsZone: the shell is asked for the zone, and knows it or not.
func TestACronScheduleIsInItsZone(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", "0 14 6 * * *", "out", "Nats-Schedule-Time-Zone", "Asia/Singapore"), store("behind", 10))
	s.run(start + 39*second)
	require.Empty(t, s.on("out"))
	s.run(start + 40*second)
	require.Equal(t, []string{"3 by s"}, s.on("out"))
	require.Contains(t, s.header(t, 3), "Nats-Schedule-Next: 2023-11-16T06:14:00+08:00\r\n")
	s.reopen()
	s.run(start + 24*3600*second + 40*second)
	require.Equal(t, []string{"3 by s", "4 by s"}, s.on("out"))
}

// TestASourceGivesWhatIsProduced: the last message of it, or the schedule itself when there is none.
func TestASourceGivesWhatIsProduced(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", "@every 1s", "out", "Nats-Schedule-Source", "in", "Of", "schedule"))
	s.run(start + 1*second)
	s.must(t, storeWith("in", "one", "Of", "one", "Nats-Msg-Id", "x"), storeWith("in", "two", "Of", "two"))
	s.run(start + 2*second)
	s.must(t, removal(4))
	s.run(start + 3*second)
	require.Equal(t, []string{"2 by s", "5 two", "6 one"}, s.on("out"))
	require.Contains(t, s.header(t, 2), "Of: schedule\r\n")
	require.Equal(t, string(headers("Of", "one", "Nats-Scheduler", "s", "Nats-Schedule-Next", clock(4*second))), s.header(t, 6))
}

// TestARollupOfASchedule: what is produced takes the place of what was before it.
func TestARollupOfASchedule(t *testing.T) {
	s := open(withSchedules)
	s.must(t, store("out", 10), scheduleOn("s", "@every 1s", "out", "Nats-Schedule-Rollup", "sub"), scheduleOn("once", at(2*second), "out", "Nats-Schedule-Rollup", "sub"))
	s.run(start + 1*second)
	require.Equal(t, []uint64{2, 3, 4}, s.live())
	require.Contains(t, s.header(t, 4), "Nats-Rollup: sub\r\n")
	s.run(start + 2*second)
	require.Equal(t, []uint64{2, 6}, s.live(), "both at once, in the order of their sequences")
	require.Equal(t, []string{"6 by once"}, s.on("out"))
	s.reopen()
	require.Equal(t, []uint64{2, 6}, s.live())
}

// TestTheNewestScheduleOfASubjectCounts, and takes the place of the one before it and of all of its subject.
func TestTheNewestScheduleOfASubjectCounts(t *testing.T) {
	s := open(withSchedules)
	s.must(t, store("s", 10), scheduleOn("s", "@every 1s", "a"), scheduleOn("s", "@every 2s", "b"))
	require.Equal(t, []uint64{3}, s.live())
	s.run(start + 2*second)
	require.Empty(t, s.on("a"))
	require.Equal(t, []string{"4 by s"}, s.on("b"))
	s.must(t, removal(3))
	s.reopen()
	s.run(start + 10*second)
	require.Equal(t, uint64(4), s.pub.Last(), "the older one does not come back")
}

// TestALaterMessageSuspendsASchedule, unless a schedule has produced it; when it is removed, the schedule goes on.
func TestALaterMessageSuspendsASchedule(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		s := open(withSchedules)
		again := func() {
			if reopened {
				s.reopen()
			}
		}
		s.must(t, scheduleOn("s", "@every 1s", "out"), rawWith("s", "produced", "Nats-Scheduler", "x"))
		s.run(start + 1*second)
		require.Equal(t, []string{"3 by s"}, s.on("out"))
		s.must(t, store("s", 10), store("s", 10))
		again()
		s.run(start + 5*second)
		require.Equal(t, uint64(5), s.pub.Last())
		s.must(t, removal(4))
		again()
		s.run(start + 7*second)
		require.Equal(t, uint64(5), s.pub.Last())
		s.must(t, removal(5))
		again()
		s.run(start + 8*second)
		require.Equal(t, []string{"3 by s", "6 by s", "7 by s"}, s.on("out"), "what was missed once, and then on time")
	}
}

// TestARemovedScheduleDoesNotFire, whatever has removed its message.
func TestARemovedScheduleDoesNotFire(t *testing.T) {
	for name, row := range map[string]struct {
		limits engine.Limits
		remove func(s *shell, t *testing.T)
	}{
		"remove":     {remove: func(s *shell, t *testing.T) { s.must(t, removal(1)) }},
		"erase":      {remove: func(s *shell, t *testing.T) { s.must(t, sent{"erase", &engine.Erase{Sequence: 1}}) }},
		"purge":      {remove: func(s *shell, t *testing.T) { s.must(t, sent{"purge", &engine.Purge{}}) }},
		"purgeEx":    {remove: func(s *shell, t *testing.T) { s.must(t, sent{"purge", &engine.Purge{Filter: only("s")}}) }},
		"compact":    {remove: func(s *shell, t *testing.T) { s.must(t, sent{"compact", &engine.Compact{Sequence: 2}}) }},
		"roll-up":    {remove: func(s *shell, t *testing.T) { s.must(t, rollsUp(engine.RollupSubject, "s", 10)) }},
		"truncate":   {remove: func(s *shell, t *testing.T) { s.must(t, sent{"truncate", &engine.Truncate{}}) }},
		"MaxMsgs":    {engine.Limits{MaxMsgs: 2}, func(s *shell, t *testing.T) { s.must(t, store("x", 10)) }},
		"MaxBytes":   {engine.Limits{MaxBytes: 900}, func(s *shell, t *testing.T) { s.must(t, store("x", 800)) }},
		"MaxMsgsPer": {engine.Limits{MaxMsgsPer: 1}, func(s *shell, t *testing.T) { s.must(t, store("s", 10)) }},
		"MaxAge":     {engine.Limits{MaxAge: 2e9}, func(*shell, *testing.T) {}},
		"limits": {engine.Limits{MaxMsgs: 5}, func(s *shell, t *testing.T) {
			s.cfg.Limits.MaxMsgs = 1
			s.must(t, sent{"limits", &engine.SetLimits{Limits: s.cfg.Limits}})
		}},
		"a whole block": {engine.Limits{MaxMsgs: 12}, func(s *shell, t *testing.T) {
			for range 24 {
				s.must(t, store("x", 300))
			}
		}},
	} {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", reopened ", reopened), func(t *testing.T) {
				s := open(func(cfg *engine.Config) { withSchedules(cfg); cfg.Limits = row.limits })
				s.must(t, scheduleOn("s", at(5*second), "out"), store("y", 10))
				row.remove(s, t)
				if reopened {
					s.reopen()
				}
				s.run(start + 20*second)
				require.Empty(t, s.on("out"))
				s.must(t, scheduleOn("s", at(21*second), "out"))
				s.run(start + 21*second)
				require.Len(t, s.on("out"), 1, "another one is not held up")
			})
		}
	}
}

// TestASequenceThatIsUsedAgainIsNoSchedule: nothing of the old end of a stream survives a truncation.
func TestASequenceThatIsUsedAgainIsNoSchedule(t *testing.T) {
	s := open(withSchedules)
	s.must(t, store("x", 10), scheduleOn("s", at(5*second), "out"), scheduleOn("r", "@every 1s", "out"))
	s.run(start + 1*second)
	require.Equal(t, uint64(4), s.pub.Last())
	s.must(t, sent{"truncate", &engine.Truncate{Sequence: 1}})
	s.must(t, store("s", 10), store("r", 10))
	s.run(start + 20*second)
	require.Equal(t, uint64(3), s.pub.Last())
}

// TestATruncationLeavesSchedules that are below the cut, as they were then.
func TestATruncationLeavesSchedules(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", "@every 1s", "out"))
	s.run(start + 4*second + 200*millisecond)
	s.must(t, sent{"truncate", &engine.Truncate{Sequence: 3}})
	require.Equal(t, []uint64{1, 2, 3}, s.live())
	s.run(start + 5*second)
	require.Equal(t, []string{"2 by s", "3 by s", "4 by s", "5 by s"}, s.on("out"), "what the stream has forgotten is missed, and fires once")
}

// TestWhatWasMissedFiresOnce when the stream is opened, and then on time.
func TestWhatWasMissedFiresOnce(t *testing.T) {
	for pattern, want := range map[string][]string{
		"@every 10s":               {"3 by s", "4 by s"},
		"*/10 * * * * *":           {"3 by s", "4 by s"},
		at(10 * second):            {"3 by s"},
		at(90 * second):            {"3 by s"},
		"0 0 0 1 1 *":              nil,
		"@at 2100-01-01T00:00:00Z": nil,
	} {
		s := open(withSchedules)
		s.must(t, scheduleOn("s", pattern, "out"), store("x", 10))
		s.now = start + 100*second
		s.reopen()
		s.run(start + 100*second + millisecond)
		require.Len(t, s.on("out"), min(len(want), 1), pattern)
		s.run(start + 110*second)
		require.Equal(t, want, s.on("out"), pattern)
	}
}

// TestARemovedFiringIsNotRepeated: what a schedule has produced may be gone, the record of it, too. The stream has
// gone on since, so it has fired.
func TestARemovedFiringIsNotRepeated(t *testing.T) {
	s := open(func(cfg *engine.Config) { withSchedules(cfg); cfg.CompactBelow = 90 })
	s.must(t, scheduleOn("s", "@every 100s", "out"))
	s.run(start + 100*second)
	require.Equal(t, []string{"2 by s"}, s.on("out"))
	for range 20 {
		s.must(t, store("x", 300))
	}
	s.run(start + 110*second)
	s.must(t, removal(2), store("x", 10))
	for sequence := uint64(3); sequence < 23; sequence++ {
		s.must(t, removal(sequence))
	}
	s.must(t, store("x", 300))
	s.run(start + 150*second)
	for _, id := range s.disk.blocks() {
		_, there := s.disk.find(id, 2)
		require.False(t, there, "the record is gone from the files")
	}
	s.reopen()
	last := s.pub.Last()
	s.run(start + 199*second)
	require.Equal(t, last, s.pub.Last())
	s.run(start + 200*second)
	require.Len(t, s.on("out"), 1)
}

// TestRunsAreApart: schedules that are due in quick succession fire together, not sooner than 250 ms after the last
// ones; those of a run in the order of their sequences.
func TestRunsAreApart(t *testing.T) {
	s := open(withSchedules)
	s.run(start)
	for i := range 9 {
		s.must(t, scheduleOn(fmt.Sprint("s", i), fmt.Sprintf("@at 2023-11-14T22:13:25.%d00Z", 9-i), "out"))
	}
	s.run(start + 10*second)
	var list []string
	for _, sequence := range s.live() {
		r, _ := s.read(sequence)
		list = append(list, fmt.Sprintf("%s at %d", r.payload, (r.time-start)/millisecond))
	}
	require.Equal(t, []string{"by s8 at 5100", "by s6 at 5350", "by s7 at 5350", "by s3 at 5600", "by s4 at 5600", "by s5 at 5600", "by s1 at 5850", "by s2 at 5850", "by s0 at 6100"}, list)
}

// TestAScheduleInThePastFiresAtOnce.
func TestAScheduleInThePastFiresAtOnce(t *testing.T) {
	s := open(withSchedules)
	s.run(start)
	s.must(t, scheduleOn("s", "@at 1999-01-01T00:00:00Z", "out"))
	s.run(start + second)
	require.Equal(t, []string{"2 by s"}, s.on("out"))
}

// TestSchedulesThatAreRefused: the error says which header has which value that it cannot have, and nothing changes.
func TestSchedulesThatAreRefused(t *testing.T) {
	for name, row := range map[string]struct {
		c    sent
		want string
	}{
		"pattern":      {scheduleOn("s", "@every 1", "out"), `Nats-Schedule "@every 1" `},
		"no pattern":   {scheduleOn("s", "", "out"), `Nats-Schedule "" `},
		"never due":    {scheduleOn("s", "@every 2562047h", "out"), `Nats-Schedule "@every 2562047h" is never due`},
		"long pattern": {scheduleOn("s", strings.Repeat("x", 1000), "out"), `Nats-Schedule "` + strings.Repeat("x", 64) + `"... `},
		"zone":         {scheduleOn("s", "@daily", "out", "Nats-Schedule-Time-Zone", "Mars/Base"), `Nats-Schedule-Time-Zone "Mars/Base" is no time zone`},
		"long zone":    {scheduleOn("s", "@daily", "out", "Nats-Schedule-Time-Zone", strings.Repeat("y", 1000)), `Nats-Schedule-Time-Zone "` + strings.Repeat("y", 64) + `"... `},
		"zone of @at":  {scheduleOn("s", at(0), "out", "Nats-Schedule-Time-Zone", "Europe/Paris"), "a time zone with @at or @every"},
		"no target":    {storeWith("s", "x", msgheader.Schedule, "@daily"), "Nats-Schedule without Nats-Schedule-Target"},
		"target":       {scheduleOn("s", "@daily", "out.*"), `Nats-Schedule-Target "out.*" is no subject to store to`},
		"empty part":   {scheduleOn("s", "@daily", "out..x"), `Nats-Schedule-Target "out..x" is no subject to store to`},
		"own target":   {scheduleOn("s", "@daily", "s"), `Nats-Schedule-Target "s" is the subject of the schedule`},
		"source":       {scheduleOn("s", "@daily", "out", "Nats-Schedule-Source", "in.>"), `Nats-Schedule-Source "in.>" is no subject`},
		"own source":   {scheduleOn("s", "@daily", "out", "Nats-Schedule-Source", "s"), `Nats-Schedule-Source "s" is the subject of the schedule, or its target`},
		"target again": {scheduleOn("s", "@daily", "out", "Nats-Schedule-Source", "out"), `Nats-Schedule-Source "out" is the subject of the schedule, or its target`},
		"TTL":          {scheduleOn("s", "@daily", "out", "Nats-Schedule-TTL", "500ms"), `Nats-Schedule-TTL "500ms" is no time to live`},
		"roll-up":      {scheduleOn("s", "@daily", "out", "Nats-Schedule-Rollup", "all"), `Nats-Schedule-Rollup "all" is not sub`},
		"its roll-up":  {scheduleOn("s", "@daily", "out", "Nats-Rollup", "all"), `Nats-Rollup "all" is not sub`},
		"empty zone":   {scheduleOn("s", "@daily", "out", "Nats-Schedule-Time-Zone", ""), `Nats-Schedule-Time-Zone "" is no time zone`},
		"next":         {storeWith("out", "x", "Nats-Scheduler", "s", "Nats-Schedule-Next", clock(0)), `Nats-Schedule-Next "2023-11-14T22:13:20Z" is for schedules alone`},
		"no next":      {storeWith("out", "x", "Nats-Scheduler", "s"), `Nats-Schedule-Next "" is for schedules alone`},
		"no scheduler": {storeWith("out", "x", "Nats-Schedule-Next", "purge"), `Nats-Scheduler "" is no other subject`},
		"itself":       {storeWith("out", "x", "Nats-Scheduler", "out", "Nats-Schedule-Next", "purge"), `Nats-Scheduler "out" is no other subject`},
		"no subject":   {scheduleOn("", "@daily", "out"), "Nats-Schedule in a message without a subject"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(withSchedules)
			s.must(t, store("s", 10))
			r := s.do(row.c)[0]
			require.ErrorIs(t, r.Err, engine.ErrBadHeader)
			require.ErrorContains(t, r.Err, row.want)
			require.Equal(t, []uint64{1}, s.live())
			require.NoError(t, open(nil).do(row.c)[0].Err, "it means nothing where schedules are turned off")
		})
	}
	s := open(withSchedules)
	c := scheduleOn("s", "@daily", "out")
	c.command.(*engine.Store).Rollup = engine.RollupAll
	require.ErrorIs(t, s.do(c)[0].Err, engine.ErrBadHeader)
}

// rawSchedule is a schedule as a replica stores it, which nobody checks.
func rawSchedule(name, pattern, target string, time int64, more ...string) sent {
	m := scheduleOn(name, pattern, target, more...).command.(*engine.Store).Message
	return sent{"raw schedule", &engine.StoreRaw{Message: m, Time: time}}
}

// TestRawSchedules: one that is invalid registers nothing, and one from long ago has missed its time.
func TestRawSchedules(t *testing.T) {
	s := open(withSchedules)
	s.must(t, rawSchedule("a", "@every 1", "out", start), rawSchedule("b", "@every 1s", "out.*", start), rawSchedule("c", "@daily", "out", start, "Nats-Schedule-Time-Zone", "Mars/Base"))
	s.run(start + 10*second)
	require.Equal(t, uint64(3), s.pub.Last())
	s.must(t, rawSchedule("d", "@every 1h", "out", start-1_000_000*second))
	s.run(start + 11*second)
	require.Equal(t, []string{"5 by d"}, s.on("out"))
	require.Contains(t, s.header(t, 5), "Nats-Schedule-Next: 2023-11-14T23:13:30Z\r\n")
}

// TestAMessageOfAnotherSchedulerMovesASchedule: one that somebody else has produced counts as well.
func TestAMessageOfAnotherSchedulerMovesASchedule(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		s := open(withSchedules)
		s.must(t, scheduleOn("s", "@every 1s", "out"), rawWith("out", "x", "Nats-Scheduler", "s", "Nats-Schedule-Next", clock(5*second)),
			scheduleOn("once", at(3*second), "out"), rawWith("out", "x", "Nats-Scheduler", "once", "Nats-Schedule-Next", "purge"))
		if reopened {
			s.reopen()
		}
		s.run(start + 5*second - 1)
		require.Equal(t, uint64(4), s.pub.Last())
		s.run(start + 5*second)
		require.Equal(t, []string{"2 x", "4 x", "5 by s"}, s.on("out"))
	}
}

// TestAMessageEndsASchedule: who stores it with the header that a schedule has which is due once does so.
func TestAMessageEndsASchedule(t *testing.T) {
	for _, rollup := range []string{"", "sub", "all"} {
		s := open(withSchedules)
		ending := []string{"Nats-Scheduler", "s", "Nats-Schedule-Next", "purge"}
		if rollup != "" {
			ending = append(ending, "Nats-Rollup", rollup)
		}
		s.must(t, store("x", 10), store("out", 10), rawSchedule("s", "@every 1h", "out", start), scheduleOn("s", "@every 1s", "out"))
		end := storeWith("out", "end", ending...)
		batch := sent{"batch", &engine.StoreBatch{Messages: []engine.Message{end.command.(*engine.Store).Message}}}
		require.ErrorIs(t, s.do(batch)[0].Err, engine.ErrRollupInBatch)
		s.must(t, end)
		require.Equal(t, map[string][]uint64{"": {1, 2, 5}, "sub": {1, 5}, "all": {5}}[rollup], s.live())
		s.must(t, end, store("s", 10), end)
		require.True(t, rollup == "all" || len(s.on("s")) == 1, "a subject without a schedule is left alone")
		s.run(start + 10*second)
		require.Equal(t, uint64(8), s.pub.Last())
	}
}

// TestSchedulesAreTurnedOnAndOff: turned on, those in the log are found, also those that are not written yet; turned
// off, they are forgotten.
func TestSchedulesAreTurnedOnAndOff(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(cfg *engine.Config) { cfg.Level = level })
		s.must(t, scheduleOn("s", "@every 1s", "out"), scheduleOn("t", at(10*second), "out"))
		for range 10 {
			s.must(t, store("x", 300))
		}
		s.run(start + 5*second)
		require.Equal(t, uint64(12), s.pub.Last())
		s.must(t, sent{"on", &engine.SetSchedules{On: true}}, scheduleOn("u", "@every 1s", "u.out"))
		s.run(start + 7*second)
		require.Equal(t, []string{"14 by s", "15 by s", "17 by s"}, s.on("out"), "what was due while they were off fires once")
		s.must(t, sent{"off", &engine.SetSchedules{}})
		s.run(start + 20*second)
		require.Len(t, s.on("out"), 3)
		require.Len(t, s.on("u.out"), 2)
	}
}

// TestManySchedulesAtOnce: all of them fire, however few the shell looks for at a time.
func TestManySchedulesAtOnce(t *testing.T) {
	for _, most := range []int{1, 7, 1000} {
		s := open(func(cfg *engine.Config) { withSchedules(cfg); cfg.BlockSize = 4 << 10 })
		s.mostFetched = most
		for i := range 70 {
			s.must(t, scheduleOn(fmt.Sprint("s", i), at(5*second), "out"))
		}
		s.run(start + 5*second)
		require.Len(t, s.on("out"), 70)
		require.Equal(t, "71 by s0", s.on("out")[0])
		require.Equal(t, "140 by s69", s.on("out")[69])
		require.Len(t, s.live(), 70)
		s.reopen()
		require.Len(t, s.on("out"), 70)
	}
}

// TestWhatCannotBeStoredIsPassedOver: a message that is too large is not produced, and the next one is.
func TestWhatCannotBeStoredIsPassedOver(t *testing.T) {
	s := open(func(cfg *engine.Config) { withSchedules(cfg); cfg.Limits.MaxMsgSize = 300 })
	s.must(t, store("in", 300), scheduleOn("s", "@every 1s", "out", "Nats-Schedule-Source", "in"), scheduleOn("once", at(2*second), "out", "Nats-Schedule-Source", "in"))
	s.run(start + 5*second)
	require.Equal(t, uint64(3), s.pub.Last())
	s.must(t, storeWith("in", "small"))
	s.run(start + 6*second)
	require.Equal(t, []string{"5 small"}, s.on("out"))
	counts := s.pub.Counts()
	require.Equal(t, [2]uint64{1, 6}, [2]uint64{counts.Fired, counts.PassedOver})
}

// TestABlockThatCannotBeReadIsReadLater: the schedule fires once it can, and the engine does not spin.
func TestABlockThatCannotBeReadIsReadLater(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", at(5*second), "out"))
	tries := 0
	s.disk.fault = func(_ int, what string) error {
		if strings.HasPrefix(what, "fetch") {
			tries++
			return fmt.Errorf("cannot be read")
		}
		return nil
	}
	s.run(start + 100*second)
	require.Empty(t, s.on("out"))
	require.Equal(t, 7, tries, "at once, and after 1, 2, 4, 8, 16 and 32 seconds")
	s.disk.fault = nil
	s.run(start + 200*second)
	require.Len(t, s.on("out"), 1)
}

func only(name string) *subject.Set {
	set := subject.NewSet(subject.Literal(name))
	return &set
}

// TestAClockThatJumpsYears ahead and back: a schedule that has fired meanwhile goes on by the clock as it is then, when
// it is set back or when the stream is opened; one that is due once has fired for good.
func TestAClockThatJumpsYears(t *testing.T) {
	const years = 10 * 365 * 24 * 3600 * second
	for _, reopened := range []bool{false, true} {
		for _, pattern := range []string{"@every 10s", "*/10 * * * * *"} {
			s := open(withSchedules)
			s.must(t, scheduleOn("s", pattern, "out"), scheduleOn("once", at(100*second), "once.out"))
			s.run(start + 10*second)
			s.now = start + years
			s.run(s.now)
			require.Len(t, s.on("once.out"), 1)
			require.Contains(t, s.header(t, s.pub.Last()-1), "Nats-Schedule-Next: 2033-")
			s.must(t, scheduleOn("t", pattern, "t.out"))
			before := len(s.on("out"))
			s.now = start + 15*second
			if reopened {
				s.reopen()
			}
			s.run(start + 45*second)
			require.Len(t, s.on("out"), before+3, "on time again: %v", s.on("out"))
			require.Len(t, s.on("t.out"), 3)
			require.Len(t, s.on("once.out"), 1)
			require.NoError(t, s.e.CheckInvariants())
		}
	}
}

// TestAClockThatGoesBackALittle repeats nothing: what is due is due at its time.
func TestAClockThatGoesBackALittle(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		s := open(withSchedules)
		s.must(t, scheduleOn("s", "@hourly", "out"))
		s.run(start + 2800*second) // it was due at 23:00:00
		require.Len(t, s.on("out"), 1)
		s.now = start + 2000*second
		if reopened {
			s.reopen()
		}
		s.run(start + 6000*second)
		require.Len(t, s.on("out"), 1)
		s.run(start + 6401*second)
		require.Len(t, s.on("out"), 2)
	}
}

// TestSchedulesInBatches are checked as others are; the last of a subject in a batch counts.
func TestSchedulesInBatches(t *testing.T) {
	batch := func(list ...sent) sent {
		var messages []engine.Message
		for _, c := range list {
			messages = append(messages, c.command.(*engine.Store).Message)
		}
		return sent{"batch", &engine.StoreBatch{Messages: messages}}
	}
	s := open(withSchedules)
	s.must(t, store("s", 10))
	zone := []string{"Nats-Schedule-Time-Zone", "Europe/Paris"}
	err := s.do(batch(store("x", 1), scheduleOn("s", "@daily", "out", zone...), scheduleOn("t", "@daily", "out", "Nats-Schedule-Time-Zone", "Mars/Base")))[0].Err
	require.ErrorIs(t, err, engine.ErrBadHeader)
	require.ErrorContains(t, err, `message 2 of the batch: invalid header: Nats-Schedule-Time-Zone "Mars/Base"`)
	require.Equal(t, uint64(1), s.pub.Last())
	s.must(t, batch(scheduleOn("s", "*/1 * * * * *", "out", zone...), store("x", 10), scheduleOn("s", "*/2 * * * * *", "out", zone...), scheduleOn("t", "@every 1s", "out"), store("t", 10)))
	require.Equal(t, []uint64{3, 4, 5, 6}, s.live())
	for _, reopened := range []bool{false, true} {
		if reopened {
			s.reopen()
		}
		s.run(s.now + 4*second)
	}
	require.Equal(t, []string{"7 by s", "8 by s", "9 by s", "10 by s"}, s.on("out"))
}
