package actors_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestLimitsAreThoseOfTheStream, also where the configuration names none.
func TestLimitsAreThoseOfTheStream(t *testing.T) {
	config := actors.Config{Name: "ORDERS", Dir: t.TempDir(), MaxMsgsPer: 3}
	s := open(t, config)
	require.Equal(t, int64(3), s.Limits().MaxMsgsPer)
	require.NoError(t, s.Stop(t.Context()))
	config.MaxMsgsPer = 0
	require.Equal(t, int64(3), open(t, config).Limits().MaxMsgsPer)
}
