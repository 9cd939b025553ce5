package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

func resetState() sent { return sent{tag: new(int), command: &engine.ResetState{}} }

// TestResetStateHasSchedulesTriedAtOnce that could not fire and would wait for a minute; and once: what has fired does not
// fire again.
func TestResetStateHasSchedulesTriedAtOnce(t *testing.T) {
	s := open(withSchedules)
	s.must(t, scheduleOn("s", at(5*second), "out"), scheduleOn("u", at(6*second), "other"))
	s.disk.fault = func(_ int, what string) error {
		if strings.HasPrefix(what, "fetch") {
			return errors.New("cannot be read")
		}
		return nil
	}
	s.run(start + 100*second)
	s.disk.fault = nil
	s.must(t, resetState())
	require.Empty(t, s.on("out"))
	s.run(start + 101*second)
	require.Len(t, s.on("out"), 1)
	require.Len(t, s.on("other"), 1)
	s.must(t, resetState())
	s.run(start + 300*second)
	require.Len(t, s.on("out"), 1)

	plain := open(func(*engine.Config) {})
	plain.must(t, resetState())
}
