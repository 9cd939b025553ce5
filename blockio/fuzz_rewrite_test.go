package blockio_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// visited returns the records that a scan keeps, by their bytes, and what it found.
func visited(key *blockio.RecordCodec, data []byte) (records []blockio.Record, raw [][]byte, scan blockio.BlockScan) {
	scan = blockio.ScanBlock("", 1, key, data, false, func(offset int64, r blockio.Record) {
		records = append(records, r)
		raw = append(raw, data[offset:int(offset)+r.Size])
	})
	return records, raw, scan
}

// FuzzCompact: whatever a block holds, it is refused, or what is left of it is what was asked for, as it was. keep
// says by the low bits of a sequence whether it stays.
func FuzzCompact(f *testing.F) {
	seedBlocks(f, func(stream string, block uint32, data []byte) { f.Add(stream, block, data, uint8(0x5a), uint64(3)) })
	f.Fuzz(func(t *testing.T, stream string, block uint32, data []byte, keep uint8, provesLast uint64) {
		key := blockio.NewRecordCodec(stream, block)
		kept := func(sequence uint64) bool { return keep>>(sequence%8)&1 > 0 }
		provesLast %= 1 << 40
		before := bytes.Clone(data)
		out, err := blockio.Compact("", block, key, data, blockio.Compaction{Live: kept, KeepTombstone: kept, ProvesLast: provesLast})
		require.Equal(t, before, data)
		records, raw, scan := visited(key, data)
		if err != nil {
			require.True(t, scan.DamageCount > 0 || bytes.HasPrefix(data, []byte("cmp")))
			return
		}
		require.Zero(t, scan.DamageCount)
		left, leftRaw, leftScan := visited(key, out.Data)
		require.Equal(t, blockio.BlockScan{End: int64(len(out.Data)), MarkCRC: leftScan.MarkCRC}, leftScan)
		proven := uint64(0)
		for i, r := range records {
			switch {
			case r.Kind == blockio.KindMessage && kept(r.Sequence):
				proven = r.Sequence
			case r.Kind == blockio.KindFloor:
			case r.Kind != blockio.KindTombstone || r.Sequence == 0 || !kept(r.Sequence):
				continue
			}
			require.NotEmpty(t, left)
			require.Equal(t, raw[i], leftRaw[0])
			left, leftRaw = left[1:], leftRaw[1:]
		}
		if proven < provesLast {
			require.Len(t, left, 1)
			require.Equal(t, blockio.KindSkip, left[0].Kind)
			require.Equal(t, provesLast, left[0].Sequence)
			left = nil
		}
		require.Empty(t, left)
	})
}

// FuzzCut: whatever a block holds, it is cut where a record ends or not at all, and keeps what it had before.
func FuzzCut(f *testing.F) {
	seedBlocks(f, func(stream string, block uint32, data []byte) { f.Add(stream, block, data, uint32(40), uint64(3)) })
	f.Fuzz(func(t *testing.T, stream string, block uint32, data []byte, end uint32, last uint64) {
		key := blockio.NewRecordCodec(stream, block)
		before := bytes.Clone(data)
		out, err := blockio.Cut("", block, key, data, int64(end), last)
		require.Equal(t, before, data)
		if err != nil {
			return
		}
		require.Len(t, out.Data, int(end))
		records, raw, _ := visited(key, data)
		left, leftRaw, _ := visited(key, out.Data)
		size, n := 0, 0
		for i := range left {
			require.Equal(t, raw[i], leftRaw[i])
			size += left[i].Size
		}
		require.LessOrEqual(t, size, int(end))
		for _, r := range records[len(left):] {
			if r.Kind == blockio.KindTombstone && r.Sequence > 0 && r.Sequence <= last {
				n++
			}
		}
		require.LessOrEqual(t, len(out.Tombstones), n)
	})
}

// FuzzEraseAside: whatever was set aside, no message of the sequence is left in it, and what is not of the
// sequence stays.
func FuzzEraseAside(f *testing.F) {
	seedBlocks(f, func(stream string, block uint32, data []byte) { f.Add(stream, block, data, uint64(3)) })
	f.Fuzz(func(t *testing.T, stream string, block uint32, data []byte, sequence uint64) {
		if sequence == 0 || sequence > blockio.MaxSequence || len(data) > blockio.SetAsideLimit {
			return
		}
		files := blocktest.NewMemFS()
		require.NoError(t, files.MkdirAll("/s/lost+found"))
		name := "/s/lost+found/1-0-1.bin"
		require.NoError(t, blockio.ReplaceFile(files, name, data))
		blocks := blockio.NewBlocks(files, filepath.Dir(filepath.Dir(name)), stream, blockio.BlocksOptions{})
		n, err := blocks.EraseAside(sequence, bytes.NewReader(bytes.Repeat([]byte{0xee}, 40*len(data)+100)))
		require.NoError(t, err)
		after := make([]byte, len(data))
		file, err := files.OpenFile(name, blockio.ModeRead)
		require.NoError(t, err)
		if len(after) > 0 {
			_, err = file.ReadAt(after, 0)
			require.NoError(t, err)
		}
		require.Equal(t, n == 0, bytes.Equal(data, after))
		key := blocks.Codec(1)
		for at := range after {
			if r, err := key.Decode(after[at:]); err == nil && r.Kind == blockio.KindMessage {
				require.NotEqual(t, sequence, r.Sequence)
			}
		}
	})
}
