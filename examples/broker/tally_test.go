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
