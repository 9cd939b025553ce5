package main

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestACommandsErrorIsASentence, with no places in files.
func TestACommandsErrorIsASentence(t *testing.T) {
	const told = "; all that was acknowledged is stored, and the log says where it failed"
	for _, row := range []struct {
		cause error
		want  string
	}{
		{syscall.ENOSPC, "taking in events: the disk is full" + told},
		{syscall.EIO, "taking in events: the disk has failed (" + syscall.EIO.Error() + ")" + told},
		{actors.ErrChanged, "taking in events: somebody else has changed or removed its files" + told},
		{fmt.Errorf("some other way"), "taking in events: the disk has failed" + told},
	} {
		err := fmt.Errorf("taking in events: %w: %w: write 3 [17..40) sync: %w (9 publishers were told so)", actors.ErrOutcomeUnknown, actors.ErrFailed, row.cause)
		if got := forPeople(err); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
	if got := forPeople(fmt.Errorf("opening: %w", actors.ErrTooLarge)); got != "opening: too large" {
		t.Errorf("%q", got)
	}
}
