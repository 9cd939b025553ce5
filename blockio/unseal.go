package blockio

import (
	"bytes"
	"errors"
	"math"
)

const (
	// zeroRun is how many zeros in a row, in bytes, are taken for bytes that were never encrypted, unless they are in a
	// record that is intact.
	zeroRun = 16
	// borderRun is the same where the run begins or ends with a sector, as what a disk has lost does.
	borderRun = 4
)

// A zeroStretch is zeros as the disk has them.
type zeroStretch struct{ from, to int }

// unsealAll makes of all bytes of an encrypted block, as they are stored, those of the block, in place. What is zeros on
// the disk because nobody has written there, or the disk has lost it, is zeros: recovery goes by them.
func unsealAll(file SealedFile, key *RecordCodec, data []byte) {
	zeros := storedZeros(data)
	file.Unseal(data, 0)
	if _, _, _, compressed := compressedAlgorithm(data); compressed || len(zeros) == 0 {
		return // what is compressed takes no more records, and has no place for zeros
	}
	w := sealedWalk{walker: newWalker(key, data)}
	for _, z := range zeros {
		clear(data[w.recordsUpTo(z.from, z.to):z.to])
	}
}

// unsealPart is unsealAll of some bytes, which begin at an offset of the block: where the zeros begin is not
// looked for.
func unsealPart(file SealedFile, data []byte, offset int64) {
	zeros := storedZeros(data)
	file.Unseal(data, offset)
	for _, z := range zeros {
		if z.to-z.from >= zeroRun {
			clear(data[z.from:z.to])
		}
	}
}

// unsealNonzero makes of bytes that are stored at an offset those of the block, but for zeros.
func unsealNonzero(file SealedFile, data []byte, offset int64) {
	stored := bytes.Clone(data)
	file.Unseal(data, offset)
	for i, b := range stored {
		if b == 0 {
			data[i] = 0
		}
	}
}

// storedZeros lists the stretches of bytes that may be no encrypted ones.
func storedZeros(data []byte) (list []zeroStretch) {
	if end := len(data); end > 0 && end < borderRun && allZero(data) {
		return []zeroStretch{{0, end}}
	}
	// A run of borderRun bytes has one of these places.
	for at := borderRun - 1; at < len(data); {
		if data[at] != 0 {
			at += borderRun
			continue
		}
		from, to := at, at+1
		for from > 0 && data[from-1] == 0 {
			from--
		}
		for to < len(data) && data[to] == 0 {
			to++
		}
		size, border := to-from, from%sectorSize == 0 || to%sectorSize == 0
		if size >= zeroRun || size >= borderRun && border || to == len(data) {
			list = append(list, zeroStretch{from, to})
		}
		at = to + borderRun
	}
	if end := trimZeros(data); end < len(data) && (len(list) == 0 || list[len(list)-1].to < len(data)) {
		list = append(list, zeroStretch{end, len(data)})
	}
	return list
}

// A sealedWalk goes from record to record, in a block of which zeros of the disk are still what encryption makes of
// them.
type sealedWalk struct {
	walker
	at int
}

// recordsUpTo returns up to where bytes from..to, which are zeros on the disk, are of a record that is intact as it is:
// what is encrypted may have zeros, too, and the last bytes of a record may be some.
func (w *sealedWalk) recordsUpTo(from, to int) int {
	var r Record
	for w.at < from {
		if w.key.decode(w.data[w.at:], &r) == nil {
			w.note(&r)
			if w.at += r.Size; w.at > from {
				return min(w.at, to)
			}
			continue
		}
		next, found := w.search(w.at+1, from, len(w.data), &r)
		if !found {
			w.at = to
			break
		}
		w.at = next
	}
	return from
}

// Soundness tells how much of a block can be read as one: of the same bytes with the wrong key it is 0, or as good as that, and
// the most for a block without damage. file is that of the block, encrypted or not; id is the block's number in the stream.
func Soundness(file File, stream string, id uint32) (records int, err error) {
	key := NewRecordCodec(stream, id)
	stat, err := file.Stat()
	if err != nil {
		return 0, err
	}
	plain, _, err := plainFile(file, "", stat, nil)
	if err != nil {
		return 0, nil // it is no compressed block
	}
	data, err := readBlock(plain, key, "", -1, nil)
	if err != nil && Unreadable(err) == nil {
		return 0, err
	}
	if allZero(data) {
		return 1, nil // there is nothing that a key could be wrong for
	}
	scan := ScanBlock("", id, key, data, false, func(int64, Record) { records++ })
	if scan.End > 0 && scan.DamageCount == 0 {
		records = math.MaxInt
	}
	return records, nil
}

// ReadStored returns all bytes of a block as its file has them, compressed or not, but not encrypted. When some of it cannot
// be read, the error wraps an *UnreadableError.
func ReadStored(file File, path, stream string, id uint32) ([]byte, error) {
	return readBlock(file, NewRecordCodec(stream, id), path, -1, nil)
}

// LacksZeros reports whether the disk has lost part of records that are intact all the same, since what is missing of them would be
// zeros: WriteLostZeros is to be called. data is the block as ReadAll returns it.
func (b *Blocks) LacksZeros(id uint32, data []byte) (bool, error) {
	lacking := false
	err := b.openSealed(id, ModeRead, func(file SealedFile) error {
		return b.lackingZeros(file, id, data, func(int64, []byte) error {
			lacking = true
			return nil
		})
	})
	return lacking, b.wrap("look at", id, err)
}

// WriteLostZeros writes what the disk has lost of such records, and syncs it: to who reads such a record alone it would be
// damaged. The bytes are those that were to be written, so that no key stream is used for others.
func (b *Blocks) WriteLostZeros(id uint32) error {
	err := b.openSealed(id, ModeReadWrite, func(file SealedFile) error {
		data, err := readBlock(file, b.Codec(id), b.Path(id), -1, nil)
		if err == nil {
			err = b.lackingZeros(file, id, data, func(offset int64, record []byte) error {
				_, err := file.WriteAt(record, offset)
				return err
			})
		}
		if err != nil {
			return err
		}
		return SyncFile(file)
	})
	return b.wrap("mend", id, err)
}

// openSealed opens the file of a block for one use, if it is encrypted.
func (b *Blocks) openSealed(id uint32, mode OpenMode, use func(file SealedFile) error) error {
	if _, ok := SealerOf(b.fs); !ok {
		return nil
	}
	file, err := b.fs.OpenFile(b.Path(id), mode)
	if err != nil {
		return err
	}
	if sealed, ok := file.(SealedFile); ok {
		err = use(sealed)
	}
	return errors.Join(err, file.Close())
}

// lackingZeros calls lacking for each record of a block that is intact, and not as the disk has it.
func (b *Blocks) lackingZeros(file SealedFile, id uint32, data []byte, lacking func(offset int64, record []byte) error) error {
	plain, err := readSized(file.Stored(), b.Path(id), int64(len(data)), MaxBlockFile, nil)
	if err != nil || len(plain) != len(data) {
		return nil // nothing is written to a file that cannot be read
	}
	file.Unseal(plain, 0)
	if bytes.Equal(plain, data) {
		return nil
	}
	ScanBlock("", id, b.Codec(id), data, false, func(offset int64, r Record) {
		record := data[offset:][:r.Size]
		if err == nil && !bytes.Equal(record, plain[offset:][:r.Size]) {
			err = lacking(offset, record)
		}
	})
	return err
}
