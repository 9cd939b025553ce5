package blockio

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// CheckFiles verifies the small files of the stream in dir that have a checksum, all but those of nats-server's state,
// and returns what is damaged, each as a *CorruptionError, and what else is wrong with them. A file that is not there
// is not damaged. Whoever changes the directory meanwhile may make it look so.
func CheckFiles(fsys FS, dir, stream string) (damage []*CorruptionError, err error) {
	var errs []error
	_, err = readMeta(fsys, dir, stream)
	var corrupt *CorruptionError
	switch {
	case errors.As(err, &corrupt):
		damage = append(damage, corrupt)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	for _, file := range []struct {
		name  string
		limit int64
		valid func(data []byte) bool
	}{
		{EndProofFile, endProofSize2, func(data []byte) bool { _, ok := decodeEndProof(data); return ok }},
		{LostFile, lostHeaderSize + MostLostRanges*lostRangeSize + 4, func(data []byte) bool { _, ok := decodeLost(data); return ok }},
	} {
		path := filepath.Join(BlocksDir(dir), file.name)
		data, err := readFile(fsys, path, file.limit, nil)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case Unreadable(err) != nil:
			damage = append(damage, &CorruptionError{Path: path, Reason: reasonText(ErrSector), Err: err})
		case errors.Is(err, ErrTooLarge), err == nil && !file.valid(data):
			damage = append(damage, &CorruptionError{Path: path, Reason: reasonText(errChecksum), Err: errChecksum})
		case err != nil:
			errs = append(errs, err)
		}
	}
	return damage, errors.Join(errs...)
}
