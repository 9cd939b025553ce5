package main

import (
	"errors"
	"strings"
	"syscall"

	"github.com/seed-d8b58eba/millrace/actors"
)

// forPeople is an error of a command as whoever ran it reads it. A failed disk has a chain of causes with places in
// files, which the log has; here it is one sentence.
func forPeople(err error) string {
	text := err.Error()
	if !errors.Is(err, actors.ErrFailed) {
		return text
	}
	doing := text
	for _, kind := range []error{actors.ErrOutcomeUnknown, actors.ErrFailed} {
		doing, _, _ = strings.Cut(doing, kind.Error())
	}
	what := "the disk has failed"
	var reason syscall.Errno
	switch {
	case isFullDisk(err):
		what = "the disk is full"
	case errors.Is(err, actors.ErrChanged):
		what = "somebody else has changed or removed its files"
	case errors.As(err, &reason):
		what += " (" + reason.Error() + ")"
	}
	return doing + what + "; all that was acknowledged is stored, and the log says where it failed"
}
