package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// A refusal is a stream that is there and cannot be opened. The broker serves all others, and shows this one with
// what is wrong and what to do about it.
type refusal struct {
	stream string
	cause  error
	since  time.Time
	retry  time.Time // a write before then does not try to open it again
}

// errEnded is the cause when a stream was open, and ended although nobody had asked it to.
var errEnded = errors.New("the store ended by itself")

// Error is for the log and the command line. It has the cause as it is, with its path.
func (r *refusal) Error() string {
	what, todo := r.words()
	return fmt.Sprintf("stream %q cannot be opened: %s. %s (%v)", r.stream, what, todo, r.cause)
}

func (r *refusal) Unwrap() error { return r.cause }

// sentence is for whoever asks over HTTP. It names no path outside the stream's folder.
func (r *refusal) sentence() string {
	what, todo := r.words()
	return fmt.Sprintf("stream %q cannot be opened: %s. %s.", r.stream, what, todo)
}

// words says what is wrong, and what to do.
func (r *refusal) words() (what, todo string) {
	const again = "the next write to it tries again"
	switch {
	case errors.Is(r.cause, errEnded):
		return "its store ended by itself, which is a bug", "Please report what the broker's log says; " + again
	case errors.Is(r.cause, actors.ErrMetaLost):
		return "its configuration, meta.inf, is lost or damaged",
			"Copy its folder, then restore meta.inf from a backup, or restart the broker with -recreate-meta to go on with the limits that its flags say"
	case errors.Is(r.cause, actors.ErrLocked):
		return "another process has it open", "End that process; " + again
	case errors.Is(r.cause, actors.ErrKey):
		return "it is encrypted, and this broker has no key", "Use a program that has the key"
	case errors.Is(r.cause, actors.ErrUnsupported):
		return "it uses something that this version cannot handle", "Use the program that wrote it; the broker's log names what it is"
	case errors.Is(r.cause, actors.ErrConfig):
		return "its configuration and the broker's flags do not go together", "The broker's log says why; restart it with other flags"
	case isFullDisk(r.cause):
		return "the disk is full", "Make room; " + again
	case isOutOfFiles(r.cause):
		return "the broker has as many files open as it may", "Raise the limit (ulimit -n) and restart the broker"
	case errors.Is(r.cause, fs.ErrPermission):
		return "the broker may not use " + fileIn(r.cause), "Give it the rights; " + again
	case errors.Is(r.cause, actors.ErrCorrupt):
		return "a file of it is damaged", "Copy its folder, check the disk, and restore the file that the broker's log names from a backup; " + again
	}
	return "its files cannot be read", "The broker's log says why; " + again
}

// fileIn names the file of an error without the way to it.
func fileIn(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return filepath.Base(path.Path)
	}
	return "its files"
}

// isFullDisk reports whether an error is that of a disk, or of a share of one, that is full.
func isFullDisk(err error) bool {
	return errors.Is(blockio.NameCause(err), actors.ErrNoSpace)
}

// isOutOfFiles reports whether an error is that of a process, or of a system, with too many open files.
func isOutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
