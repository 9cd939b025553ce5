package blockio

import "errors"

// ErrChanged: somebody else has changed a file of a stream that is open here. Which one, and what is different, is
// in the ChangedError.
var ErrChanged = errors.New("the files were changed by somebody else")

// A ChangedError says what somebody else has changed. errors.Is(err, ErrChanged) is true.
type ChangedError struct {
	Path string // the file or directory
	What string // what is different, in a few words
}

// Error implements error.
func (e *ChangedError) Error() string {
	return "somebody else has changed " + e.Path + ": " + e.What
}

// Unwrap returns ErrChanged.
func (e *ChangedError) Unwrap() error { return ErrChanged }
