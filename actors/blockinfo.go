package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

// BlockInfo is one block of a stream, as it is when its turn comes.
type BlockInfo struct {
	ID          uint32 // number of its file
	First, Last uint64 // sequences of its first and its last live message; 0 when it has none
	Messages    uint64 // live ones
	Live        int64  // bytes of their records
	Size        int64  // bytes of the block when it is not compressed: live and removed messages, tombstones, marks
	Disk        int64  // bytes of its file, with zeros that are written ahead
	Index       int64  // bytes of its index; 0 when it has none
	Compressed  bool
	Full        bool // it takes no more records: so do all but the last one
	Damage      int  // damaged stretches in it
}

// errNoMore ends what goes through the blocks, as nobody wants to hear of more.
var errNoMore = errors.New("no more")

// Blocks goes through the blocks of the stream in order, for who wants to see what its files hold: how much of them is
// live, what is compressed. It reads each block that there is when it is called, once, and verifies its records; what
// is damaged is counted, and not told otherwise: see Verify. It runs on the caller's goroutine, beside everything else,
// and needs the memory of a block.
//
// The last pair has the error that ended it, if there was one: ErrStopped, ErrChanged, that of the context or of the disk.
func (s *Store) Blocks(ctx context.Context) iter.Seq2[BlockInfo, error] {
	return func(yield func(BlockInfo, error) bool) {
		v := &verification{store: s, ctx: ctx, each: func(c *blockVerification, full bool) error {
			info, err := s.blockInfo(c)
			info.Full = full
			if err == nil && !yield(info, nil) {
				err = errNoMore
			}
			return err
		}}
		if err := v.blocks(); err != nil && !errors.Is(err, errNoMore) {
			yield(BlockInfo{}, fmt.Errorf("look at the blocks of %s: %w", s.config.Name, err))
		}
	}
}

func (s *stream) blockInfo(c *blockVerification) (BlockInfo, error) {
	info := BlockInfo{
		ID: c.frozen.View.ID, Messages: c.messages, Live: c.live, Size: c.bytes,
		Compressed: c.block.Compressed(), Damage: len(c.damage),
	}
	if n := len(c.found); n > 0 {
		info.First, info.Last = c.found[0], c.found[n-1]
	}
	for _, file := range []struct {
		path string
		size *int64
	}{{c.block.Path(), &info.Disk}, {blockindex.Path(c.block.Path()), &info.Index}} {
		size, err := s.sizeOf(file.path)
		if err != nil {
			return info, err
		}
		*file.size = size
	}
	return info, nil
}

// sizeOf returns the size of a file, 0 if it is not there.
func (s *stream) sizeOf(path string) (int64, error) {
	f, err := s.config.FS.OpenFile(path, blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() // it was opened for reading, so an error of closing it loses nothing
	stat, err := f.Stat()
	return stat.Size, err
}
