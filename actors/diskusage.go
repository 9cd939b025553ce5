package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
)

// DiskUsage is what the files of a stream hold, in bytes. A file system takes more for it, as it gives room in pieces.
type DiskUsage struct {
	// Blocks is the messages and what else is in the log, as it is in the files: compressed where that is so, with what
	// was removed and is not gone yet, without zeros that are written ahead.
	Blocks uint64
	// ZerosAhead is those, and holes ahead of large messages, which take nothing of the disk. When the block is full, or the stream is stopped, they are gone.
	ZerosAhead uint64
	// Indexes is the indexes of the blocks.
	Indexes uint64
	// Other is everything else in the stream's folder: its configuration, the state, consumers of a server, lost+found.
	Other uint64
}

// Total returns what all files hold but for zeros that are written ahead.
func (u DiskUsage) Total() uint64 { return u.Blocks + u.Indexes + u.Other }

// DiskUsage looks at the stream's folder. It works on a failed and on a stopped store, too. A file that appears or goes
// meanwhile counts or not, and a block that was full a moment ago counts with its zeros until it is sealed.
func (s *Store) DiskUsage(ctx context.Context) (DiskUsage, error) {
	var u DiskUsage
	if err := s.usage(ctx, s.dir, &u, mostFolders); err != nil {
		return DiskUsage{}, fmt.Errorf("look at the files of %s: %w", s.config.Name, err)
	}
	return u, nil
}

// mostFolders is how deep folders are that are looked at: those of consumers are the deepest of a stream.
const mostFolders = 4

func (s *stream) usage(ctx context.Context, dir string, u *DiskUsage, depth int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := s.config.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && depth < mostFolders {
		return nil // it has gone meanwhile
	}
	if err != nil {
		return err
	}
	end := s.published.LogEnd()
	for _, e := range entries {
		if e.IsDir {
			if depth > 1 {
				if err := s.usage(ctx, filepath.Join(dir, e.Name), u, depth-1); err != nil {
					return err
				}
			}
			continue
		}
		size := uint64(e.Size)
		switch id, block := blockio.BlockNumber(e.Name); {
		case block && dir == blockio.BlocksDir(s.dir):
			ahead := uint64(0)
			if id == end.Block && size > uint64(end.Offset) {
				ahead = size - uint64(end.Offset)
			}
			u.Blocks, u.ZerosAhead = u.Blocks+size-ahead, u.ZerosAhead+ahead
		case filepath.Ext(e.Name) == blockindex.Suffix:
			u.Indexes += size
		default:
			u.Other += size
		}
	}
	return nil
}

type (
	// DiskUsageRequest asks what the stream's files hold, see Store.DiskUsage. It counts for 64 KiB. Reply:
	// *DiskUsageReply.
	DiskUsageRequest struct{ Tag any }
	// DiskUsageReply answers DiskUsageRequest.
	DiskUsageReply struct {
		Usage DiskUsage
		Err   error
		Tag   any
	}
)

func (*DiskUsageRequest) weight() int64 { return loadCredit }

func (m *DiskUsageRequest) refuse(_ *stream, err error) any {
	return &DiskUsageReply{Err: err, Tag: m.Tag}
}

func (m *DiskUsageRequest) carryOut(ctx context.Context, s *stream) any {
	usage, err := s.handle().DiskUsage(ctx)
	return &DiskUsageReply{usage, err, m.Tag}
}
