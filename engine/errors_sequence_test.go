package engine_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestARefusedSequenceIsNamed, also where it is beyond what LimitError.Value holds.
func TestARefusedSequenceIsNamed(t *testing.T) {
	everything := subject.Everything()
	s := open(nil)
	s.must(t, store("a", 0))
	for _, c := range []struct {
		command engine.Command
		name    string
	}{
		{&engine.Compact{Sequence: math.MaxUint64}, "18446744073709551615"},
		{&engine.Compact{Sequence: 1 << 62}, "4611686018427387904"},
		{&engine.Purge{Filter: &everything, Sequence: math.MaxUint64}, "18446744073709551615"},
		{&engine.Skip{Count: 1 << 62}, "4611686018427387905"},
		{&engine.Skip{Count: math.MaxUint64}, "18446744073709551615"},
	} {
		err := s.do(sent{1, c.command})[0].Err
		require.EqualError(t, err, "too large: sequence "+c.name+", at most 4611686018427387903")
		require.ErrorIs(t, err, engine.ErrTooLarge)
		var limit *engine.LimitError
		require.True(t, errors.As(err, &limit))
		require.Positive(t, limit.Value)
	}
}
