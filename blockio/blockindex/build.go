package blockindex

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Suffix is how the name of an index ends, where that of its block ends in .blk.
const Suffix = ".bix"

// tempSuffix is added to the name while the file is written.
const tempSuffix = blockio.UnfinishedSuffix

// Path is the file of the index of a block: beside it, with another ending.
func Path(blockPath string) string { return strings.TrimSuffix(blockPath, ".blk") + Suffix }

// builders are those that Build has used.
var builders = sync.Pool{New: func() any { return NewBuilder(0) }}

// Build scans data, all bytes of a sealed block, and makes the image of its index.
// Every record has passed its checksum, and the damage that there is is in scan, as
// blockio.ScanBlock returns it. path is used in errors alone.
//
// stat is of the file from before data was read: whatever is changed after that makes
// the index stale. The error wraps ErrStale when data is not as long as stat says,
// because the file was changed meanwhile, and ErrLimit; scan is good in any case.
//
// It lets others run meanwhile, and may have no more than half of a processor.
func Build(path string, id uint32, key *blockio.RecordCodec, data []byte, stat blockio.FileStat) (image []byte, scan blockio.BlockScan, err error) {
	return build(path, id, key, data, nil, stat, true)
}

// BuildAround is Build of a block of which some sectors could not be read. They are
// damage for the index, which is therefore not for a file: they may be read later. Somebody waits for it, and it goes on
// until it is done.
func BuildAround(path string, id uint32, key *blockio.RecordCodec, data []byte, unreadable []blockio.SectorRange, stat blockio.FileStat) (image []byte, scan blockio.BlockScan, err error) {
	return build(path, id, key, data, unreadable, stat, false)
}

func build(path string, id uint32, key *blockio.RecordCodec, data []byte, unreadable []blockio.SectorRange, stat blockio.FileStat, paced bool) (image []byte, scan blockio.BlockScan, err error) {
	b := builders.Get().(*Builder)
	defer builders.Put(b)
	b.Reset(id)
	b.pace.on = paced
	scan = blockio.ScanBlockAround(path, id, key, data, unreadable, false, func(offset int64, r blockio.Record) {
		b.Record(data, offset, &r)
	})
	b.sum.Plain = b.sum.Plain && len(unreadable) == 0
	b.sum.Unscheduled = b.sum.Unscheduled && len(unreadable) == 0
	if int64(len(data)) != stat.Size {
		return nil, scan, fmt.Errorf("%w: %s: %d bytes read, the file had %d", ErrStale, path, len(data), stat.Size)
	}
	image, err = b.Finish(identity(id, data, stat), &scan)
	return image, scan, err
}

// BuildWritten makes the image of the index of a sealed block from what was written to it, as Build does: all of it, in pieces of
// whole records. The block is read for its identity alone. Where its file is not what was written, a reader who goes
// by the index finds damage.
//
// The error is one of the file, wraps ErrStale when the file has not the length of the pieces or another end, and is
// one of ErrLimit or of blockio.ErrCorrupt when the pieces are not what they should be.
func BuildWritten(file BlockFile, block uint32, pieces [][]byte) (image []byte, err error) {
	b := builders.Get().(*Builder)
	defer builders.Put(b)
	b.Reset(block)
	b.pace.on = true
	end := int64(0)
	var r blockio.Record
	var last []byte
	for _, piece := range pieces {
		for ; len(piece) > 0; piece = piece[r.Size:] {
			if err := blockio.Parse(piece, &r); err != nil {
				return nil, fmt.Errorf("what was written at %d of block %d: %w", end, block, err)
			}
			last = piece[:r.Size]
			b.add(last, end, &r)
			end += int64(r.Size)
		}
	}
	id, err := IdentityOf(file, block)
	if err != nil {
		return nil, err
	}
	if want := identity(block, last, blockio.FileStat{Size: end, ModTime: id.ModTime}); id != want {
		return nil, fmt.Errorf("%w: the file is %v, what was written %v", ErrStale, id, want)
	}
	return b.Finish(id, &blockio.BlockScan{End: end})
}

// Write puts an image into the file path, in place of what is there: a reader finds
// the old file or the new. Nothing is synced. After a crash the file may be the old
// one, missing or torn, which Open finds. No other file is left behind by an error.
//
// A block that is not sealed is ErrUnsealed: the zeros behind its records would be
// all that its identity has of its end. So does one whose last bytes are damaged and
// zeros. Two calls for one path must not overlap.
func Write(fsys blockio.FS, path string, image []byte) error {
	h, err := openHeader(image, true)
	if err == nil && h.sum.End < h.id.Size {
		err = fmt.Errorf("%w: records end at %d, the file at %d", ErrUnsealed, h.sum.End, h.id.Size)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	temp := path + tempSuffix
	if err = writeFile(fsys, temp, image); err == nil {
		if err = fsys.Rename(temp, path); err == nil {
			return nil
		}
	}
	if rmErr := fsys.Remove(temp); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return fmt.Errorf("blockindex: write %s: %w", path, err)
}

func writeFile(fsys blockio.FS, name string, data []byte) error {
	file, err := fsys.OpenFile(name, blockio.ModeReplace)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	return errors.Join(err, file.Close())
}
