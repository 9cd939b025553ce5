package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// scans counts the blocks in which the shell is asked to look for schedules.
func (s *shell) scans() *int {
	n := new(int)
	s.trace = func(text string) {
		if strings.Contains(text, ": schedules ") {
			*n++
		}
	}
	return n
}

// TestBlocksAreReadForSchedulesOnce when there may be schedules, and not at all when there are none.
func TestBlocksAreReadForSchedulesOnce(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := open(func(cfg *engine.Config) { cfg.Schedules = on })
		for range 10 {
			s.must(t, store("x", 500))
		}
		blocks := len(s.disk.blocks())
		require.Greater(t, blocks, 3)
		n := s.scans()
		s.reopen()
		require.Zero(t, *n, "the stream serves before")
		s.run(s.now + second)
		s.run(s.now + 100*second)
		require.Equal(t, map[bool]int{true: blocks}[on], *n)
		s.must(t, sent{"on", &engine.SetSchedules{On: on}})
		require.Equal(t, map[bool]int{true: blocks}[on], *n, "nothing has changed")
	}
}

// TestABlockInWhichSchedulesCannotBeFound is tried three times, a second apart, and the others are looked through
// then.
func TestABlockInWhichSchedulesCannotBeFound(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("old", at(5*second), "out"), store("x", 900), scheduleOn("bad", at(5*second), "out"), store("x", 900), scheduleOn("new", at(5*second), "out"))
	require.Len(t, s.disk.blocks(), 5)
	s.reopen()
	n := s.scans()
	s.disk.fault = func(_ int, what string) error {
		if what == "schedules 3" {
			return errors.New("cannot be read")
		}
		return nil
	}
	s.run(start)
	require.Equal(t, 3, *n)
	s.run(start + 4*second)
	require.Equal(t, 7, *n)
	s.run(start + 100*second)
	require.Equal(t, []string{"6 by old", "7 by new"}, s.on("out"))
	s.disk.fault = nil
	s.reopen()
	s.run(start + 200*second)
	require.Equal(t, []string{"6 by old", "7 by new", "8 by bad"}, s.on("out"))
}

// TestSchedulesOfRemovedMessagesTakeNoMemory, however far ahead they are due.
func TestSchedulesOfRemovedMessagesTakeNoMemory(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("stays", "@at 2100-01-01T00:00:00Z", "out"))
	for i := range 1000 {
		s.must(t, scheduleOn(fmt.Sprint("s", i), "@at 2100-01-01T00:00:00Z", "out"), removal(uint64(i)+2))
		require.Less(t, s.e.Schedules(), 100)
	}
	s.run(start)
	s.now = start + 100*365*24*3600*second
	s.run(s.now)
	require.Equal(t, []string{"1002 by stays"}, s.on("out"))
	require.Zero(t, s.e.Schedules())
}
