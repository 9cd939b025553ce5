package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// metaFiles is the content of the meta files of a stream; nil for one that is missing.
type metaFiles struct{ inf, sum, next []byte }

// readMetaFiles reads the meta files. A sum of which a sector cannot be read says nothing, as one that is missing.
// Of meta.inf that is a loss, unless the sum cannot be read either: then it is the disk that fails.
func readMetaFiles(fsys FS, dir string) (m metaFiles, err error) {
	unreadable := make(map[string]error)
	for _, file := range []struct {
		name string
		data *[]byte
	}{{metaFile, &m.inf}, {metaSumFile, &m.sum}, {nextSumFile, &m.next}} {
		path := filepath.Join(dir, file.name)
		data, err := readFile(fsys, path, maxMetaSize, []byte{})
		switch {
		case errors.Is(err, ErrTooLarge):
			return m, metaLost(path, err.Error())
		case err == nil:
			*file.data = data
		case Unreadable(err) != nil:
			unreadable[file.name] = err
		case !errors.Is(err, fs.ErrNotExist):
			return m, err
		}
	}
	switch err = unreadable[metaFile]; {
	case err == nil:
		return m, nil
	case unreadable[metaSumFile] != nil:
		return m, err
	}
	return m, &CorruptionError{Path: filepath.Join(dir, metaFile), Reason: "cannot be read", Err: fmt.Errorf("%w: %w", ErrMetaLost, err)}
}

// proof is what meta.sum says of meta.inf.
type proof uint8

const (
	summed   proof = iota // meta.inf is what was written
	unsummed              // nothing: meta.sum is missing, empty or all zeros
	refuted               // one of the two is not what was written
)

func (m *metaFiles) proof(stream string) proof {
	sum := MetaSum(stream, m.inf)
	switch {
	case string(m.sum) == sum, string(m.next) == sum:
		return summed
	case allZero(m.sum):
		return unsummed
	}
	return refuted
}

// ReadMeta reads meta.inf of the stream in dir, and checks it by meta.sum. It changes nothing.
//
// A missing meta.inf is fs.ErrNotExist when there are no blocks: there is no stream. When there are, it is
// a *CorruptionError that is also ErrMetaLost, and so is a meta.inf that is empty, zeroed or cut, that is not
// JSON, or that is not what its sum says. A sum that is missing, empty or zeroed says nothing: a meta.inf that
// is whole and names the stream is then taken as it is. Of a write that was cut short, meta.sum.tmp has the
// sum. A meta.inf that names another stream is ErrName; of an encrypted stream, ErrEncrypted.
func ReadMeta(fsys FS, dir, stream string) (*StreamMeta, error) {
	m, err := readMeta(fsys, dir, stream)
	if err != nil {
		return nil, fmt.Errorf("read meta of %s: %w", stream, err)
	}
	return m, nil
}

func readMeta(fsys FS, dir, stream string) (*StreamMeta, error) {
	path := filepath.Join(dir, metaFile)
	files, err := readMetaFiles(fsys, dir)
	if err != nil {
		return nil, err
	}
	if files.inf == nil {
		return nil, missingMeta(fsys, dir)
	}
	proof := files.proof(stream)
	m, err := parseMeta(openMeta(fsys, files.inf))
	switch {
	case proof != summed && encrypted(fsys, dir), err != nil && encrypted(fsys, dir):
		return nil, fmt.Errorf("%w: %s", ErrEncrypted, path)
	case allZero(files.inf):
		return nil, metaLost(path, "no content")
	case err == nil && m.Name != stream && (proof != refuted || string(files.sum) == MetaSum(m.Name, files.inf)):
		// A directory that was renamed, perhaps: its blocks would not be readable under its new name.
		return nil, &CorruptionError{Path: path, Reason: fmt.Sprintf("names %q, want %q", m.Name, stream), Err: ErrName}
	case proof == refuted:
		return nil, metaLost(path, "differs from meta.sum")
	case err != nil:
		return nil, metaLost(path, "no stream meta: "+err.Error())
	}
	m.finished = files.next == nil && string(files.sum) == MetaSum(stream, files.inf)
	return m, nil
}

// openMeta returns what meta.inf says by what it holds.
func openMeta(fsys FS, stored []byte) []byte {
	if s, ok := SealerOf(fsys); ok {
		return s.OpenMeta(stored)
	}
	return stored
}

// missingMeta returns what it means that there is no meta.inf.
func missingMeta(fsys FS, dir string) error {
	path := filepath.Join(dir, metaFile)
	missing := &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	features, err := ReadDirectoryFeatures(fsys, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !features.HasBlocks:
		return missing
	case err != nil:
		return err
	case features.Encrypted && encrypted(fsys, dir):
		return fmt.Errorf("%w: %s", ErrEncrypted, dir)
	}
	return metaLost(path, "missing beside blocks")
}

func metaLost(path, reason string) error {
	return &CorruptionError{Path: path, Reason: reason, Err: ErrMetaLost}
}

// Finished reports whether the meta is one that ReadMeta has found with its sum, and with nothing left of a write of it: FinishMeta
// has nothing to do. It is false of any other meta.
func (m *StreamMeta) Finished() bool { return m.finished }

// FinishMeta ends a write of the meta files that was cut short between meta.inf and meta.sum: the sum that
// WriteMeta has left beside meta.sum takes its place. Where meta.sum is missing, empty or zeroed, a meta.inf
// that ReadMeta accepts gets a sum again, and renewed is true. meta.inf stays as it is.
func FinishMeta(fsys FS, dir, stream string) (renewed bool, err error) {
	renewed, err = finishMeta(fsys, dir, stream)
	if err != nil {
		return false, fmt.Errorf("finish meta of %s: %w", stream, err)
	}
	return renewed, nil
}

func finishMeta(fsys FS, dir, stream string) (renewed bool, err error) {
	files, err := readMetaFiles(fsys, dir)
	sum := MetaSum(stream, files.inf)
	switch {
	case err != nil:
		return false, err
	case string(files.next) == sum:
		// The process may have been killed before it had made meta.inf durable.
		err = fsys.SyncDir(dir)
	case files.inf == nil || files.proof(stream) != unsummed:
		return false, nil // as nearly always
	default:
		if m, err := parseMeta(openMeta(fsys, files.inf)); err != nil || m.Name != stream {
			return false, nil // ReadMeta says what is wrong
		}
		renewed = true
		err = writeNextSum(fsys, dir, sum)
	}
	if err != nil {
		return false, err
	}
	return renewed, putNextSum(fsys, dir, stream)
}
