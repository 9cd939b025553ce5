package engine

import (
	"errors"
	"strings"
)

// FailedError is ErrFailed, and ErrOutcomeUnknown as well if Unknown. Its text is for who has called: what that means, and the reason as
// the system has it. Where it was and what was being done is in the text of Cause, which is for a log.
type FailedError struct {
	Cause   error
	Unknown bool // the command had been accepted
}

// Error implements error.
func (e *FailedError) Error() string {
	if e.Unknown {
		return ErrOutcomeUnknown.Error() + ", as the store failed meanwhile: " + reasonOf(e.Cause)
	}
	return ErrFailed.Error() + ": " + reasonOf(e.Cause)
}

// Unwrap returns what it is, and the cause.
func (e *FailedError) Unwrap() []error {
	if e.Unknown {
		return []error{ErrOutcomeUnknown, ErrFailed, e.Cause}
	}
	return []error{ErrFailed, e.Cause}
}

// CauseOf returns the error that has made the engine fail, with all that is known of it, for a log; an error that is of no
// failure as it is.
func CauseOf(err error) error {
	var failed *FailedError
	if errors.As(err, &failed) {
		return failed.Cause
	}
	return err
}

// reasonOf returns the text of the cause below all that say only what was being done.
func reasonOf(err error) string {
	for {
		next := below(err)
		if next == nil || !strings.Contains(err.Error(), next.Error()) {
			return err.Error()
		}
		err = next
	}
}

// below returns what an error wraps, or nil. Of several it is the first one if that has details, and else the last: the first is
// what it is called then.
func below(err error) error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return e.Unwrap()
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		if len(all) == 0 {
			return nil
		}
		if below(all[0]) != nil {
			return all[0]
		}
		return all[len(all)-1]
	}
	return nil
}
