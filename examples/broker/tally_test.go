package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestTallyKeepsEachErrorOnce(t *testing.T) {
	var none tally
	none.add(nil)
	if err := none.err("publishers"); err != nil {
		t.Errorf("%v, want nil", err)
	}
	var met tally
	for range 3 {
		met.add(fmt.Errorf("%w: disk full", actors.ErrFailed))
		met.add(nil)
	}
	met.add(errors.New("another"))
	err := met.err("publishers")
	want := actors.ErrFailed.Error() + ": disk full (3 publishers were told so)\nanother"
	if !errors.Is(err, actors.ErrFailed) || err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// TestTallyTakesOneFailureForOne, whether or not those who met it were under way when the storage failed.
func TestTallyTakesOneFailureForOne(t *testing.T) {
	refused := fmt.Errorf("%w: disk full", actors.ErrFailed)
	unknown := fmt.Errorf("%w: %w", actors.ErrOutcomeUnknown, refused)
	for _, order := range [][]error{{refused, unknown, refused}, {unknown, refused, refused}, {refused, refused, unknown}} {
		var met tally
		for _, err := range order {
			met.add(err)
		}
		err := met.err("publishers")
		want := unknown.Error() + " (3 publishers were told so)"
		if !errors.Is(err, actors.ErrOutcomeUnknown) || err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	var met tally
	met.add(refused)
	met.add(fmt.Errorf("%w: %w: the cable is out", actors.ErrOutcomeUnknown, actors.ErrFailed))
	if len(met.met) != 2 {
		t.Errorf("%v, want two failures", met.err("publishers"))
	}
}
