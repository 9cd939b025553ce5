package actors_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestWhatEvictionFindsLostIsNotCounted in the index of subjects either.
func TestWhatEvictionFindsLostIsNotCounted(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1, MaxMsgs: 40}
	s := open(t, config)
	for i := range 40 {
		mustStore(t, s, fmt.Sprintf("d.%d", i+1), fmt.Sprintf("secret-%d;%0340d", i+1, 0))
	}
	require.NoError(t, s.Stop(context.Background()))
	s = open(t, config)
	for b := 1; b < 9; b++ {
		data, err := os.ReadFile(blockPath(config, b))
		if err == nil && strings.Contains(string(data), "secret-25;") {
			flip(t, blockPath(config, b), "secret-25;")
		}
	}
	for i := range 60 {
		mustStore(t, s, fmt.Sprintf("e.%d", i%5), fmt.Sprintf("secret-%d;%0340d", 1000+i, 0))
	}
	// With memory short the tables that are counted have to be read, which may take longer than the stores.
	eventually(t, func() bool { return !stateOf(t, s).Recounting })
	totals, err := s.SubjectsTotals(t.Context())
	require.NoError(t, err)
	var sum uint64
	for _, n := range totals {
		sum += n
	}
	state := stateOf(t, s)
	require.Equal(t, state.Messages, sum)
	require.Equal(t, uint64(5), state.Subjects)
	_, err = s.LoadLastMsg(t.Context(), actors.Literal("d.25"))
	require.ErrorIs(t, err, actors.ErrNotFound)
}
