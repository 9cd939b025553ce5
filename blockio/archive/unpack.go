package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// stagingPrefix begins the name of the directory that an archive is unpacked into, beside the stream's. No stream
// has such a name, and nats-server removes such directories when it starts.
const stagingPrefix = ".restore-"

// Destination says where an archive is unpacked, and what is let in.
type Destination struct {
	FS blockio.FS
	// Dir is the directory of the streams: that of the stream is made in it.
	Dir string
	// Encrypt, if set, returns the file system through which what is in the directory of the stream is encrypted. The directory
	// is there, and that of the blocks.
	Encrypt func(dir, stream string) (blockio.FS, error)
	// Check refuses a stream by its configuration, before anything is written.
	Check func(*blockio.StreamMeta) error
	// LockFile is the name of the file in a stream's directory that is locked while the stream is open, and Holder
	// what others are told about who holds it.
	LockFile, Holder string
	// Bases, if any, are the archives that an increment builds on, the latest first.
	Bases []io.Reader
	// MaxBytes bounds the size of all files together, if it is above 0.
	MaxBytes int64
	// Progress, if set, is called after each file with the number of bytes that were written so far. Not all of them are durable.
	Progress func(written int64)
}

// Unpack makes the directory of a stream from its archive, all or nothing: it writes into a directory beside it,
// which gets the stream's name when all of it was checked and is durable. Errors are those of Read, and one that
// wraps fs.ErrExist when something has the name already. After an error nothing is left, but for one of the last
// step, a sync of Dir, after which the stream may be there: it is whole then.
//
// What an earlier Unpack of the stream has left that a crash has cut short is removed.
func Unpack(ctx context.Context, from io.Reader, to Destination) (Contents, error) {
	s := &staging{Destination: to, syncs: syncBehind{ctx: ctx}}
	contents, err := read(ctx, from, to.MaxBytes, s, len(to.Bases) > 0)
	if err == nil && contents.LeftOut != nil {
		err = s.addBases(ctx, &contents)
	}
	if err == nil {
		err = s.finish()
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = s.show()
	}
	if err = errors.Join(err, s.end()); err != nil {
		return Contents{}, err
	}
	return contents, nil
}

// staging is a directory that an archive is being unpacked into.
type staging struct {
	Destination
	// below is the file system as it is if FS encrypts, and stream the name of the stream; see encrypt.
	below  blockio.FS
	stream string

	final   string // the stream's directory
	dir     string // the one that becomes it, empty as long as there is none
	lock    io.Closer
	dirs    []string        // that were made in it, dir the first
	made    map[string]bool // the same
	open    *stagedFile
	syncs   syncBehind
	written int64
	shown   bool // dir has become final
}

// Begin implements Sink.
func (s *staging) Begin(meta *blockio.StreamMeta) error {
	if err := s.Check(meta); err != nil {
		return err
	}
	if err := s.begin(meta.Name); err != nil {
		return err
	}
	if err := s.mkdir(blockio.BlocksDir(s.dir)); err != nil {
		return err
	}
	return s.encrypt(meta.Name)
}

// begin makes the directory for a stream, and locks it.
func (s *staging) begin(stream string) error {
	s.final = filepath.Join(s.Dir, stream)
	if err := s.clear(stream); err != nil {
		return err
	}
	if err := s.FS.MkdirAll(s.Dir); err != nil {
		return err
	}
	s.dir = filepath.Join(s.Dir, fmt.Sprintf("%s%s-%016x", stagingPrefix, stream, rand.Uint64()))
	if err := s.mkdir(s.dir); err != nil {
		return err
	}
	lock, err := s.FS.Lock(filepath.Join(s.dir, s.LockFile), s.Holder)
	if err != nil {
		return err
	}
	s.lock = lock
	return nil
}

// clear refuses a name that is taken, and removes what was left of earlier attempts to restore the stream.
func (s *staging) clear(name string) error {
	entries, err := s.FS.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir && strings.HasPrefix(e.Name, stagingPrefix+name+"-") {
			if err := s.removeLeft(filepath.Join(s.Dir, e.Name)); err != nil {
				return err
			}
		}
	}
	if slices.ContainsFunc(entries, func(e blockio.Entry) bool { return e.Name == name }) {
		return taken(s.final)
	}
	return nil
}

func taken(name string) error {
	return &fs.PathError{Op: "restore", Path: name, Err: fs.ErrExist}
}

// removeLeft removes a directory that an earlier attempt has left, unless it is still under way.
func (s *staging) removeLeft(dir string) error {
	lock, err := s.FS.Lock(filepath.Join(dir, s.LockFile), s.Holder)
	if errors.Is(err, blockio.ErrLocked) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.removeAll(dir, lock)
}

// removeAll removes a directory with all that is in it. It releases the lock in it before that goes, since Windows
// removes no file that is open.
func (s *staging) removeAll(dir string, lock io.Closer) error {
	err := s.removeWithin(dir, s.LockFile)
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	if err == nil {
		err = s.removeWithin(dir, "")
	}
	if err == nil {
		err = s.FS.Remove(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else is removing it
	}
	return err
}

// removeWithin removes what is in a directory, but for one name.
func (s *staging) removeWithin(dir, except string) error {
	entries, err := s.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name)
		if e.Name == except {
			continue
		}
		if e.IsDir {
			if err := s.removeWithin(name, ""); err != nil {
				return err
			}
		}
		if err := s.FS.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes a directory, whose names are made durable at the end.
func (s *staging) mkdir(name string) error {
	if s.made[name] {
		return nil
	}
	if s.made == nil {
		s.made = make(map[string]bool)
	}
	s.made[name] = true
	s.dirs = append(s.dirs, name)
	return s.FS.MkdirAll(name)
}

// Create implements Sink.
func (s *staging) Create(name string) (io.WriteCloser, error) {
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := s.mkdir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if file := s.createWhole(name); file != nil {
		return file, nil
	}
	file, err := s.FS.OpenFile(path, blockio.ModeCreate)
	if err != nil {
		return nil, err
	}
	s.open = &stagedFile{of: s, file: file}
	return s.open, nil
}

// remove removes a file of a size that was unpacked.
func (s *staging) remove(name string, size int64) error {
	if err := s.syncs.wait(); err != nil { // Windows removes no file that is open
		return err
	}
	s.written -= size
	return s.FS.Remove(filepath.Join(s.dir, filepath.FromSlash(name)))
}

// finish makes all that was unpacked durable.
func (s *staging) finish() error {
	if err := s.syncs.wait(); err != nil {
		return err
	}
	for _, dir := range slices.Backward(s.dirs) {
		if err := s.FS.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// show gives the directory the stream's name, which nothing has.
func (s *staging) show() error {
	switch entries, err := s.FS.ReadDir(s.Dir); {
	case err != nil:
		return err
	case slices.ContainsFunc(entries, func(e blockio.Entry) bool { return filepath.Join(s.Dir, e.Name) == s.final }):
		return taken(s.final)
	}
	if runtime.GOOS == "windows" { // which renames no directory in which a file is open
		if err := s.unlock(); err != nil {
			return err
		}
	}
	if err := s.FS.Rename(s.dir, s.final); err != nil {
		return err
	}
	s.shown = true
	return s.FS.SyncDir(s.Dir)
}

func (s *staging) unlock() error {
	lock := s.lock
	if s.lock = nil; lock == nil {
		return nil
	}
	return lock.Close()
}

// end removes what was unpacked unless it was shown, and releases the lock.
func (s *staging) end() error {
	if s.shown {
		return s.unlock()
	}
	s.syncs.fail(errEnded) // what waits is only closed
	_ = s.syncs.wait()     // an error of it is why this is the end, or comes after another that is
	var err error
	if s.open != nil {
		err = s.open.file.Close()
	}
	if s.dir != "" {
		lock := s.lock
		s.lock = nil
		err = errors.Join(err, s.removeAll(s.dir, lock))
	}
	return err
}

// stagedFile is a file that is being unpacked.
type stagedFile struct {
	of   *staging
	file blockio.File
	size int64
}

func (f *stagedFile) Write(p []byte) (int, error) {
	if most := f.of.MaxBytes; most > 0 && f.of.written+f.size+int64(len(p)) > most { // of bases, of which not all is wanted
		return 0, fmt.Errorf("%w", ErrLimit)
	}
	n, err := f.file.WriteAt(p, f.size)
	f.size += int64(n)
	return n, err
}

// Close has the content made durable, before finish returns. The error may be that of a file before it.
func (f *stagedFile) Close() error {
	f.of.open = nil
	if err := f.of.syncs.add(f.file); err != nil {
		return err
	}
	if f.of.written += f.size; f.of.Progress != nil {
		f.of.Progress(f.of.written)
	}
	return nil
}
