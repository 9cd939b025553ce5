package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// EraseAside overwrites what SetAside has kept of the message with that sequence, in
// whatever block it was, and syncs it: the same message may have been cut off with one
// block and stored again in another. Where a copy holds the head of such a record, its
// bytes become those of an erased message, also if it does not verify, as one that was
// torn. What a crash left of a copy that was being made is removed. It returns how many
// records there were. What of a copy cannot be read may hold the message: that is an error,
// once all that can be read is erased.
func (b *Blocks) EraseAside(sequence uint64, random io.Reader) (records int, err error) {
	dir := filepath.Join(b.dir, setAsideDir)
	entries, err := b.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var errs []error
	for _, entry := range entries {
		name, unfinished := strings.CutSuffix(entry.Name, UnfinishedSuffix)
		id, ok := asideBlock(name)
		if !ok || entry.IsDir {
			continue
		}
		if unfinished {
			if rmErr := b.fs.Remove(filepath.Join(dir, entry.Name)); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
				errs = append(errs, rmErr)
			}
			continue
		}
		n, fileErr := b.eraseInCopy(filepath.Join(dir, entry.Name), id, sequence, random)
		records += n
		if !errors.Is(fileErr, fs.ErrNotExist) {
			errs = append(errs, fileErr)
		}
	}
	if err == nil {
		errs = append(errs, b.fs.SyncDir(dir)) // one that was removed before may come back
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		return records, fmt.Errorf("erase in what was set aside of %s: %w", b.stream, err)
	}
	return records, nil
}

// asideBlock returns the number of the block that a copy made by SetAside is of.
func asideBlock(name string) (id uint32, ok bool) {
	stem, ok := strings.CutSuffix(name, ".bin")
	parts := strings.Split(stem, "-")
	if !ok || len(parts) != 3 {
		return 0, false
	}
	number, err := strconv.ParseUint(parts[0], 10, 32)
	return uint32(number), err == nil
}

// eraseInCopy is EraseAside of one file.
func (b *Blocks) eraseInCopy(name string, id uint32, sequence uint64, random io.Reader) (records int, err error) {
	data, readErr := readPart(b.fs, name, 0, SetAsideLimit)
	if readErr != nil && Unreadable(readErr) == nil {
		return 0, readErr
	}
	var file File
	key := b.Codec(id)
	for at := 0; at < len(data); at++ {
		record, ok := copiedRecord(key, data[at:], sequence)
		if !ok {
			continue
		}
		if file == nil {
			if file, err = b.fs.OpenFile(name, ModeReadWrite); err != nil {
				return records, err
			}
		}
		if err = eraseCopied(key, record, sequence, random); err == nil {
			_, err = file.WriteAt(record, int64(at))
		}
		if err != nil {
			return records, errors.Join(err, file.Close())
		}
		records++
	}
	if file == nil {
		return 0, readErr
	}
	return records, errors.Join(readErr, file.Sync(), file.Close())
}

// copiedRecord returns as much as there is of the record at the beginning of data, if its
// head is that of a message with that sequence, and it has not been erased.
func copiedRecord(key *RecordCodec, data []byte, sequence uint64) (record []byte, ok bool) {
	size, ok := FrameSize(data)
	if !ok || len(data) < headSize || binary.LittleEndian.Uint64(data[4:])&^erasedBit != sequence ||
		int(binary.LittleEndian.Uint16(data[20:])) > size-EmptyRecordSize {
		return nil, false
	}
	record = data[:min(size, len(data))]
	var r Record
	if key.decode(record, &r) == nil && r.Kind != KindMessage {
		return nil, false
	}
	return record, true
}

// eraseCopied makes a record one of an erased message. Of one whose end is missing the head
// stays, so that it is found again if not all of this reaches the disk.
func eraseCopied(key *RecordCodec, record []byte, sequence uint64, random io.Reader) error {
	if size, _ := FrameSize(record); size == len(record) {
		return key.putErased(record, sequence, random)
	}
	putSequenceTime(record, sequence|erasedBit, 0)
	binary.LittleEndian.PutUint16(record[20:], 0)
	_, err := io.ReadFull(random, record[headSize:])
	return err
}
