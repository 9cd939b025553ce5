package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// maxS2Block is the largest block of S2 that is read, in bytes: no writer makes larger ones.
const maxS2Block = 4 << 20

// source is the tar in an archive. It keeps apart what the caller's reader returns from what is wrong with the
// bytes.
type source struct {
	s2    *s2.Reader
	in    *input
	left  int64 // how much may still come out of it
	ended bool  // it was read to its end
	err   error // what ended it, if that is not the end
	head  [len(messagesMagic)]byte
	heads int // bytes of head that have come
}

// newSource returns the tar of which at most limit bytes are read.
func newSource(ctx context.Context, from io.Reader, limit int64) *source {
	in := &input{ctx: ctx, from: from}
	return &source{s2: s2.NewReader(in, s2.ReaderMaxBlockSize(maxS2Block), s2.ReaderAllocBlock(64<<10)), in: in, left: limit}
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.s2.Read(p)
	if s.left -= int64(n); s.left < 0 {
		n, err = 0, ErrLimit
	}
	if s.heads < len(s.head) {
		s.heads += copy(s.head[s.heads:], p[:n])
	}
	switch {
	case err == io.EOF:
		s.ended = true
	case err != nil:
		s.err = err
	}
	return n, err
}

// wrong returns what an error means that came up while the archive was read: what ended the reading, or else that
// the archive is none.
func (s *source) wrong(err error) error {
	switch {
	case s.in.err != nil:
		return s.in.err
	case errors.Is(s.err, ErrLimit):
		return ErrLimit
	case errors.Is(err, ErrArchive):
		return err
	}
	return fmt.Errorf("%w: %w", ErrArchive, err)
}

// finish makes sure that the tar was ended, and that nothing follows. The reader of the tar has come to the end of
// its files.
func (s *source) finish() error {
	if s.ended {
		return s.wrong(bad("it is cut"))
	}
	padding := make([]byte, 512)
	for range maxPadding {
		n, err := io.ReadFull(s, padding)
		for _, b := range padding[:n] {
			if b != 0 {
				return bad("something follows its end")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.wrong(err)
		}
	}
	return bad("its end does not end")
}

// maxPadding is how many blocks of zeros may follow the end of a tar: some writers fill up to 20.
const maxPadding = 128

// bad returns an ErrArchive that says what is wrong.
func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrArchive}, args...)...)
}

// input is the caller's reader, until the context ends. It keeps its error.
type input struct {
	ctx  context.Context
	from io.Reader
	err  error
}

func (i *input) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		i.err = context.Cause(i.ctx)
		return 0, i.err
	}
	n, err := i.from.Read(p)
	if err != nil && err != io.EOF {
		i.err = err
	}
	return n, err
}
