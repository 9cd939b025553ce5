package archive

import (
	"bytes"
	"errors"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// An archive is plain. Where the stream that it becomes is to be encrypted, no file is plain for a moment either: what is
// written goes through a file system that encrypts. The checksums of configurations are of what is encrypted, so those files
// are written once their content is known.

// encrypt has everything that is unpacked written through Destination.Encrypt, if it is set.
func (s *staging) encrypt(stream string) error {
	if s.Encrypt == nil {
		return nil
	}
	files, err := s.Encrypt(s.dir, stream)
	if err != nil {
		return err
	}
	s.below, s.stream = s.FS, stream
	s.FS = files
	return nil
}

// createWhole returns a file that is written when its content is known; nil for one that need not be. The directory of the file is
// there.
func (s *staging) createWhole(name string) io.WriteCloser {
	if s.below == nil {
		return nil
	}
	dir, base := path.Split(name)
	switch {
	case name == metaName:
		return &wholeFile{of: s, write: func(data []byte) error {
			seal := func(plain []byte) ([]byte, error) { return plain, nil }
			if f, ok := blockio.SealerOf(s.FS); ok {
				seal = f.SealMeta
			}
			return blockio.WriteMetaBytes(s.below, s.dir, s.stream, data, seal)
		}}
	case name == sumName:
		return passing{} // it was written with meta.inf
	case strings.HasPrefix(dir, consumersName) && base == ConsumerSum:
		return &wholeFile{of: s, write: func([]byte) error {
			if err := s.syncs.wait(); err != nil { // meta.inf is encrypted when it is synced
				return err
			}
			stored, err := blockio.ReadFile(s.below, filepath.Join(s.dir, filepath.FromSlash(dir), ConsumerMeta), MaxConsumerFile)
			if err != nil {
				return err
			}
			sum := blockio.MetaSum(s.stream+"/"+path.Base(dir), stored)
			return blockio.ReplaceFile(s.below, filepath.Join(s.dir, filepath.FromSlash(name)), []byte(sum))
		}}
	}
	return nil
}

// wholeFile is a small file that is written when it is closed.
type wholeFile struct {
	of    *staging
	data  bytes.Buffer
	write func(data []byte) error
}

func (f *wholeFile) Write(p []byte) (int, error) {
	if f.data.Len()+len(p) > blockio.MaxMetaSize {
		return 0, errors.Join(ErrLimit, blockio.ErrTooLarge)
	}
	if most := f.of.MaxBytes; most > 0 && f.of.written+int64(f.data.Len()+len(p)) > most {
		return 0, ErrLimit
	}
	return f.data.Write(p)
}

func (f *wholeFile) Close() error {
	if err := f.write(f.data.Bytes()); err != nil {
		return err
	}
	f.of.written += int64(f.data.Len())
	return nil
}
