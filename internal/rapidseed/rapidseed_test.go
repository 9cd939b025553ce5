package rapidseed_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

func TestMain(m *testing.M) {
	rapidseed.Fix()
	m.Run()
}

// TestScriptsAreTheSame in every run, unless the command line asks for others.
func TestScriptsAreTheSame(t *testing.T) {
	if flag.Lookup("rapid.seed").Value.String() != "20261126" {
		t.Log("the command line has another seed")
		return
	}
	var drawn []int
	rapid.Check(t, func(t *rapid.T) { drawn = append(drawn, rapid.IntRange(0, 1<<30).Draw(t, "number")) })
	again := drawn
	drawn = nil
	rapid.Check(t, func(t *rapid.T) { drawn = append(drawn, rapid.IntRange(0, 1<<30).Draw(t, "number")) })
	require.Equal(t, again, drawn)
	require.Equal(t, "true", flag.Lookup("rapid.nofailfile").Value.String())
}
