package blockio

import (
	"errors"
	"io/fs"
)

// TruncateRecords drops the records of a block from offset size on, for a
// truncation of the stream. Truncate alone would not do: a group mark that
// counts records which are gone looks like a commit that was torn, and recovery
// would cut what is left of its group. When size falls inside a group, the file
// is replaced, at once and durably, by one whose mark counts what is left.
// Offsets of what is kept stay as they are.
//
// size must be where a record ends. A write handle of the block is closed;
// OpenTail opens it again. A reader's cached handle is stale after it.
func (b *Blocks) TruncateRecords(id uint32, size int64) error {
	data, err := b.ReadAll(id, nil)
	if err != nil {
		return err
	}
	if size < 0 || size > int64(len(data)) {
		return b.wrap("truncate records of", id, ErrOffset)
	}
	key := b.Key(id)
	mark, records, ok := groupCutAt(key, data, int(size))
	if !ok {
		return b.Truncate(id, size)
	}
	closeErr := b.drop(id)
	data = data[:size]
	key.PutGroupMark(data[mark:mark+EmptyRecordSize], records, uint32(int(size)-mark-EmptyRecordSize))
	err = ReplaceFile(b.fs, b.Path(id), data)
	if errors.Is(closeErr, fs.ErrClosed) {
		closeErr = nil
	}
	return b.wrap("truncate records of", id, errors.Join(err, closeErr))
}

// groupCutAt says whether a cut at size takes records off a group, where the
// mark of that is, and how many of its records are left.
func groupCutAt(key *BlockKey, data []byte, size int) (mark int, records uint32, cut bool) {
	s := NewScanner(key, data)
	end := 0
	for {
		if !s.Next() && !s.Resync() {
			break
		}
		at, r := int(s.Offset()), s.Record()
		if at >= size {
			break
		}
		n, bytes := r.GroupMark()
		switch {
		case r.Kind == KindGroupMark && sensibleMark(n, bytes):
			mark, records, end = at, 0, at+EmptyRecordSize+int(bytes)
		case at < end:
			records++
		}
	}
	return mark, records, end > size && mark < size
}
