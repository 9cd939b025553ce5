package actors

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A process that has as many files open as it may is overloaded; its disk has not failed. So a store does not fail either
// when it cannot open a file that it has to write to: it waits until it can, as it would for a slow disk, and callers wait
// with it until their contexts end. What only reads is told at once (ErrNoDescriptors), and so is Open.

// patientFS is the file system of an open stream: opening a file to write to it, and syncing a directory, waits for a
// descriptor. All errors for want of one are ErrNoDescriptors.
type patientFS struct {
	blockio.FS
	stream *stream
}

// patience is how many calls wait for a descriptor at the moment. Before a stream is open, and when it has stopped, it is
// below zero, and nothing waits.
type patience struct{ waits atomic.Int32 }

// impatient is far below any number of calls that wait.
const impatient = -1 << 30

func (p *patience) begin() { p.waits.Store(0) }
func (p *patience) end()   { p.waits.Add(impatient) }

// lasts reports whether calls wait.
func (p *patience) lasts() bool { return p.waits.Load() >= 0 }

// The pauses between two attempts to get a descriptor double from the first to the last.
const (
	firstPause = time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// waitFor calls f until it does not want for a descriptor.
func (s *stream) waitFor(f func() error) error {
	p := &s.patience
	err := blockio.NameCause(f())
	if !errors.Is(err, ErrNoDescriptors) || !p.lasts() {
		return err
	}
	p.waits.Add(1)
	defer p.waits.Add(-1)
	s.log.Warn("no file can be opened, and what has to be written waits", "error", err)
	for pause := firstPause; p.lasts(); pause = min(2*pause, lastPause) {
		time.Sleep(pause)
		if err = blockio.NameCause(f()); !errors.Is(err, ErrNoDescriptors) {
			return err
		}
	}
	return err
}

// OpenFile implements blockio.FS.
func (p *patientFS) OpenFile(name string, mode blockio.OpenMode) (file blockio.File, err error) {
	open := func() error {
		file, err = p.FS.OpenFile(name, mode)
		return err
	}
	if mode == blockio.ModeRead {
		return file, blockio.NameCause(open())
	}
	err = p.stream.waitFor(open)
	return file, err
}

// SyncDir implements blockio.FS.
func (p *patientFS) SyncDir(name string) error {
	return p.stream.waitFor(func() error { return p.FS.SyncDir(name) })
}

// ReadDir implements blockio.FS.
func (p *patientFS) ReadDir(name string) ([]blockio.Entry, error) {
	entries, err := p.FS.ReadDir(name)
	return entries, blockio.NameCause(err)
}

// MkdirAll implements blockio.FS.
func (p *patientFS) MkdirAll(name string) error { return blockio.NameCause(p.FS.MkdirAll(name)) }

// bePatient puts the file system that waits between the stream and the real one.
func (s *stream) bePatient() {
	s.config.FS = &patientFS{s.config.FS, s}
	s.patience.end()
}

// whileStarved adds to the error of an operation whose context has ended that it was waiting for a descriptor.
func (s *stream) whileStarved(err error) error {
	if err == nil || s.patience.waits.Load() <= 0 || errors.Is(err, ErrNoDescriptors) {
		return err
	}
	return errors.Join(err, ErrNoDescriptors)
}
