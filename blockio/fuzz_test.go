package blockio_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// seedBlocks adds the blocks that nats-server wrote to a corpus. They are of
// other streams: with their checksums wrong they are a hard test of everything
// ahead of those. FuzzScan takes the stream's name from the input as well.
func seedBlocks(f *testing.F, add func(stream string, block uint32, data []byte)) {
	f.Helper()
	for stream, path := range map[string]string{
		"BASIC": "basic", "DELETES": "deletes", "HEADERS": "headers", "CTAIL": "corrupted-tail",
	} {
		block := uint32(1)
		if stream == "CTAIL" {
			block = 3
		}
		blocks := blockio.NewBlocks(blockio.OS, filepath.Join("testdata", "golden", path, "streams", stream), stream, blockio.BlocksOptions{})
		data, err := blocks.ReadAll(block, nil)
		if err != nil {
			f.Fatal(err)
		}
		add(stream, block, data)
	}
}

// FuzzDecode: no input makes Decode panic, and what it accepts encodes to the
// same bytes.
func FuzzDecode(f *testing.F) {
	seedBlocks(f, func(stream string, block uint32, data []byte) { f.Add(stream, block, data) })
	f.Fuzz(func(t *testing.T, stream string, block uint32, data []byte) {
		key := blockio.NewRecordCodec(stream, block)
		r, err := key.Decode(data)
		if err != nil {
			require.ErrorIs(t, err, blockio.ErrCorrupt)
			return
		}
		if r.Kind == blockio.KindMessage && (r.Header == nil || len(r.Header) > 0) {
			again := key.AppendMessage(nil, r.Sequence, r.Time, string(r.Subject), r.Header, r.Payload)
			require.Equal(t, data[:r.Size], again)
		}
	})
}

// FuzzScan: no input makes a scan panic, visit what is not there or go back.
func FuzzScan(f *testing.F) {
	seedBlocks(f, func(stream string, block uint32, data []byte) {
		f.Add(stream, block, data, true)
		f.Add(stream, block, append(bytes.Clone(data[:len(data)/2]), data...), false)
	})
	key := blockio.NewRecordCodec("S", 1)
	var group []byte
	for sequence := uint64(1); sequence < 4; sequence++ {
		group = key.AppendMessage(group, sequence, 1, "a", nil, bytes.Repeat([]byte("p"), 300))
	}
	mark := make([]byte, blockio.EmptyRecordSize)
	key.PutGroupMark(mark, 3, uint32(len(group)))
	f.Add("S", uint32(1), append(mark, group...), true)
	torn := append(bytes.Clone(mark), group...)
	clear(torn[512:])
	f.Add("S", uint32(1), torn, true)
	for _, data := range framedSeeds(key) {
		f.Add("S", uint32(1), data, true)
		f.Add("S", uint32(1), data, false)
	}
	f.Fuzz(func(t *testing.T, stream string, block uint32, data []byte, tail bool) {
		key := blockio.NewRecordCodec(stream, block)
		next, last := int64(0), uint64(0)
		kept := make(map[uint64]bool)
		scan := blockio.ScanBlock("", block, key, data, tail, func(offset int64, r blockio.Record) {
			require.GreaterOrEqual(t, offset, next)
			next = offset + int64(r.Size)
			if r.Kind != blockio.KindTombstone {
				require.Greater(t, r.Sequence, last)
				last = r.Sequence
				kept[r.Sequence] = true
			}
			again, err := key.Decode(data[offset:])
			require.NoError(t, err)
			require.Equal(t, r, again)
		})
		require.LessOrEqual(t, next, scan.End)
		require.LessOrEqual(t, scan.End, int64(len(data)))
		require.LessOrEqual(t, len(scan.Damage), scan.DamageCount)
		require.Equal(t, scan.Torn, scan.CutTo > scan.CutFrom)
		if scan.Torn {
			require.True(t, tail)
			require.Equal(t, scan.End, scan.CutFrom)
		}
		require.True(t, slices.IsSorted(scan.Lost))
		for _, sequence := range scan.Lost {
			require.False(t, kept[sequence], "lost and kept: %d", sequence)
		}
		records := 0
		other := blockio.ScanBlock("", block, key, data, !tail, func(int64, blockio.Record) { records++ })
		if !scan.Torn && !other.Torn {
			require.Equal(t, [3]int64{int64(scan.DamageCount), scan.LostBytes, scan.End}, [3]int64{int64(other.DamageCount), other.LostBytes, other.End})
			require.Equal(t, scan.MarkCRC, other.MarkCRC)
		}
	})
}

// framedSeeds are frames with marks of the second kind, whole and damaged.
func framedSeeds(key *blockio.RecordCodec) [][]byte {
	var data []byte
	crc, sequence := uint32(0), uint64(0)
	for _, records := range []int{1, 3, 1} {
		mark := make([]byte, blockio.EmptyRecordSize)
		var frame []byte
		for range records {
			sequence++
			at := len(frame)
			frame = key.AppendMessage(frame, sequence, 1, "a.b", []byte("NATS/1.0\r\n\r\n")[:12*int(sequence%2)], bytes.Repeat([]byte("p"), 100))
			crc = blockio.LengthsCRC(crc, frame[at:])
		}
		key.PutFrameMark(mark, uint32(len(frame)), crc)
		data = append(append(data, mark...), frame...)
	}
	seeds := [][]byte{data}
	for _, at := range []int{3, 12, 20, 31, 50, 52, 180, 200, 330, len(data) - 3} {
		damaged := bytes.Clone(data)
		damaged[at] ^= 1
		seeds = append(seeds, damaged, append(bytes.Clone(data[:at]), make([]byte, 100)...))
	}
	return seeds
}

// FuzzMeta: no input makes ReadMeta panic; what it accepts, with its right sum,
// is written and read again with the same meaning.
func FuzzMeta(f *testing.F) {
	paths, err := filepath.Glob("testdata/golden/*/streams/*/meta.inf")
	if err != nil || len(paths) == 0 {
		f.Fatal("no golden meta files", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Base(filepath.Dir(path)), data)
	}
	f.Add("X", []byte(`{"name":"X","NAME":"X","max_msgs":1,"MAX_MSGS":2, "a":[1,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, stream string, data []byte) {
		m := blocktest.NewMemFS()
		require.NoError(t, m.MkdirAll("/s"))
		require.NoError(t, blockio.ReplaceFile(m, "/s/meta.inf", data))
		require.NoError(t, blockio.ReplaceFile(m, "/s/meta.sum", []byte(blockio.MetaSum(stream, data))))
		meta, err := blockio.ReadMeta(m, "/s", stream)
		if err != nil {
			return
		}
		require.NoError(t, blockio.WriteMeta(m, "/s", stream, meta))
		again, err := blockio.ReadMeta(m, "/s", stream)
		require.NoError(t, err)
		require.True(t, meta.Created.Equal(again.Created))
		meta.MaxMsgs = 77
		require.NoError(t, blockio.WriteMeta(m, "/s", stream, meta))
		again, err = blockio.ReadMeta(m, "/s", stream)
		require.NoError(t, err)
		require.Equal(t, int64(77), again.MaxMsgs)
		require.Equal(t, meta.Subjects, again.Subjects)
	})
}
