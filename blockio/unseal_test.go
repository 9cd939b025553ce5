package blockio

import (
	"bytes"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// maskedFile is a sealed file in memory, whose key stream is given.
type maskedFile struct {
	File
	mask []byte
}

func (f maskedFile) Stored() File { return f.File }

func (f maskedFile) Unseal(data []byte, offset int64) {
	for i := range data {
		data[i] ^= f.mask[offset+int64(i)]
	}
}

// framedBlock returns a block of some frames, and where they end.
func framedBlock(key *RecordCodec, rng *rand.Rand) (data []byte, ends []int) {
	crc, sequence := uint32(0), uint64(0)
	for range 2 + rng.Intn(12) {
		at := len(data)
		data = append(data, make([]byte, EmptyRecordSize)...)
		for range 1 + rng.Intn(3) {
			sequence++
			from := len(data)
			payload := make([]byte, rng.Intn(700))
			if rng.Intn(3) > 0 {
				rng.Read(payload)
			}
			data = key.AppendMessage(data, sequence, 1_700_000_000_000_000_000, "orders.new", nil, payload)
			crc = LengthsCRC(crc, data[from:])
		}
		ends = append(ends, len(data))
		key.PutFrameMark(data[at:at+EmptyRecordSize], uint32(len(data)-at-EmptyRecordSize), crc)
	}
	return data, ends
}

// TestTornEncryptedBlocksAreReadAsPlainOnes: what of the last frame is lost, by the sector or from a byte on, costs what it costs
// in a plain block, also where what is encrypted has zeros of its own.
func TestTornEncryptedBlocksAreReadAsPlainOnes(t *testing.T) {
	key := NewRecordCodec("S", 1)
	torn, seeds := 0, 4000/stride(20)
	for seed := range int64(seeds) {
		rng := rand.New(rand.NewSource(seed))
		plain, ends := framedBlock(key, rng)
		size := len(plain) + rng.Intn(3)*rng.Intn(2000) // zeros ahead
		mask := make([]byte, size)
		rng.Read(mask)
		for _, end := range ends {
			if zeros := rng.Intn(12); rng.Intn(2) == 0 { // the last bytes of frames are encrypted to zeros
				copy(mask[end-zeros:end], plain[end-zeros:end])
			}
		}
		stored := make([]byte, size)
		copy(stored, plain)
		maskedFile{mask: mask}.Unseal(stored[:len(plain)], 0)
		plain = append(plain, make([]byte, size-len(plain))...)
		whole, wholeStored := bytes.Clone(plain), bytes.Clone(stored)
		last := lastFrame(key, plain)
		switch rng.Intn(4) {
		case 0: // nothing is lost
		case 1: // from a byte on
			at := last + rng.Intn(ends[len(ends)-1]-last)
			clear(plain[at:])
			clear(stored[at:])
		case 2: // the file ends before
			at := last + rng.Intn(ends[len(ends)-1]-last)
			plain, stored = plain[:at], stored[:at]
		default:
			for sector := last - last%sectorSize; sector < len(plain); sector += sectorSize {
				if rng.Intn(2) == 0 {
					from, to := max(sector, last), min(sector+sectorSize, len(plain))
					clear(plain[from:to])
					clear(stored[from:to])
				}
			}
		}
		if bytes.Equal(stored, wholeStored) {
			plain = whole // what was lost was zeros on the disk
		}
		view := bytes.Clone(stored)
		unsealAll(maskedFile{mask: mask}, key, view)
		var want, got []uint64
		wanted := ScanBlock("b", 1, key, plain, true, func(_ int64, r Record) { want = append(want, r.Sequence) })
		found := ScanBlock("b", 1, key, view, true, func(_ int64, r Record) { got = append(got, r.Sequence) })
		require.Equal(t, want, got, "seed %d", seed)
		require.Equal(t, wanted.End, found.End, "seed %d", seed)
		require.Equal(t, wanted.DamageCount, found.DamageCount, "seed %d", seed)
		require.Equal(t, wanted.Torn, found.Torn || allZero(view[found.End:]) && !allZero(plain[found.End:]), "seed %d", seed)
		require.Equal(t, plain[:wanted.End], view[:wanted.End], "seed %d", seed)
		if wanted.Torn {
			torn++
		}
	}
	require.Greater(t, torn, seeds/4)
}

// lastFrame returns where the last frame begins.
func lastFrame(key *RecordCodec, data []byte) (last int) {
	var r Record
	for at := 0; at < len(data) && key.DecodeInto(data[at:], &r) == nil; at += r.Size {
		if r.Kind == KindGroupMark {
			last = at
		}
	}
	return last
}

// TestZerosOfTheDisk: only what cannot be encrypted bytes is taken for zeros.
func TestZerosOfTheDisk(t *testing.T) {
	block := func(size int, zeros ...int) []byte {
		data := bytes.Repeat([]byte{0xff}, size)
		for i := 0; i < len(zeros); i += 2 {
			clear(data[zeros[i]:zeros[i+1]])
		}
		return data
	}
	for _, row := range []struct {
		data []byte
		want []zeroStretch
	}{
		{nil, nil},
		{block(100), nil},
		{block(100, 0, 100), []zeroStretch{{0, 100}}},
		{block(2, 0, 2), []zeroStretch{{0, 2}}},
		{block(100, 99, 100), []zeroStretch{{99, 100}}},
		{block(100, 40, 55), nil},
		{block(100, 40, 56), []zeroStretch{{40, 56}}},
		{block(1500, 508, 512), []zeroStretch{{508, 512}}},
		{block(1500, 509, 512), nil},
		{block(1500, 512, 516), []zeroStretch{{512, 516}}},
		{block(1500, 500, 511), nil},
		{block(1500, 508, 512, 700, 720, 1024, 1028, 1499, 1500), []zeroStretch{{508, 512}, {700, 720}, {1024, 1028}, {1499, 1500}}},
	} {
		require.Equal(t, row.want, storedZeros(row.data))
	}
}
