package blockio_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// spoil returns a copy of data as it is read around some sectors of it.
func spoil(data []byte, sectors ...blockio.SectorRange) []byte {
	data = bytes.Clone(data)
	for _, s := range sectors {
		for i := s.From; i < s.To; i++ {
			data[i] = 0xff
		}
	}
	return data
}

// aroundBlock returns a block of so many messages of that size, in commits of perCommit,
// and where each message's record lies.
func aroundBlock(key *blockio.RecordCodec, messages, perCommit, payload int) (data []byte, at [][2]int) {
	crc := uint32(0)
	for sequence := 1; sequence <= messages; {
		mark := len(data)
		data = append(data, make([]byte, blockio.EmptyRecordSize)...)
		inside := len(data)
		for range perCommit {
			from := len(data)
			text := bytes.Repeat([]byte{byte(sequence)}, payload)
			data = key.AppendMessage(data, uint64(sequence), 1_700_000_000_000_000_000, fmt.Sprintf("s.%d", sequence%3), nil, text)
			crc = blockio.LengthsCRC(crc, data[from:])
			at = append(at, [2]int{from, len(data)})
			sequence++
		}
		key.PutFrameMark(data[mark:inside], uint32(len(data)-inside), crc)
	}
	return data, at
}

// TestUnreadableSectorCostsWhatItCovers moves sectors of 512 and 4096 bytes over a block,
// which is the tail or not, with zeros ahead or not.
func TestUnreadableSectorCostsWhatItCovers(t *testing.T) {
	key := blockio.NewRecordCodec("S", 1)
	for _, perCommit := range []int{1, 7} {
		data, at := aroundBlock(key, 70, perCommit, 190)
		for _, ahead := range []int{0, 20 << 10} {
			file := append(bytes.Clone(data), make([]byte, ahead)...)
			for _, sector := range []int64{512, 4096} {
				for from := int64(0); from < int64(len(data)); from += sector {
					bad := blockio.SectorRange{From: from, To: min(from+sector, int64(len(file)))}
					for _, tail := range []bool{true, false} {
						name := fmt.Sprintf("%d a commit, %d ahead, %d..%d, tail %v", perCommit, ahead, bad.From, bad.To, tail)
						kept := make(map[uint64]bool)
						scan := blockio.ScanBlockAround("1.blk", 1, key, spoil(file, bad), []blockio.SectorRange{bad}, tail,
							func(_ int64, r blockio.Record) { kept[r.Sequence] = true })
						require.False(t, scan.Torn, name)
						require.Equal(t, bad.To-bad.From, scan.Unreadable, name)
						lost := make(map[uint64]bool)
						for _, sequence := range scan.Lost {
							lost[sequence] = true
						}
						for i, place := range at {
							sequence := uint64(i + 1)
							covered := int64(place[0]) < bad.To && bad.From < int64(place[1])
							require.Equal(t, !covered, kept[sequence], "%s: %d", name, sequence)
							switch {
							case !covered:
								require.False(t, lost[sequence], "%s: %d", name, sequence)
							case bad.From == 0:
								require.True(t, lost[sequence] || scan.LostHead, "%s: %d", name, sequence)
							default:
								require.True(t, lost[sequence] || scan.LostEnd && !tail, "%s: %d", name, sequence)
							}
						}
					}
				}
			}
		}
	}
}

// TestUnreadableBehindTheLog: zeros that were written ahead cost nothing.
func TestUnreadableBehindTheLog(t *testing.T) {
	key := blockio.NewRecordCodec("S", 1)
	data, _ := aroundBlock(key, 14, 7, 100)
	end := len(data)
	data = append(data, make([]byte, 64<<10)...)
	bad := []blockio.SectorRange{{From: 16 << 10, To: 20 << 10}, {From: 40 << 10, To: 40<<10 + 512}}
	for _, tail := range []bool{true, false} {
		scan := blockio.ScanBlockAround("1.blk", 1, key, spoil(data, bad...), bad, tail, nil)
		require.Equal(t, blockio.BlockScan{End: int64(end), Unreadable: 4096 + 512, MarkCRC: scan.MarkCRC}, scan)
	}
}

// TestTornBehindAnUnreadableSector: a torn frame is cut only when all of it was read.
func TestTornBehindAnUnreadableSector(t *testing.T) {
	key := blockio.NewRecordCodec("S", 1)
	data, at := aroundBlock(key, 70, 7, 190)
	torn := data[:at[69][0]+40]
	bad := blockio.SectorRange{From: 1024, To: 1536}
	scan := blockio.ScanBlockAround("1.blk", 1, key, spoil(torn, bad), []blockio.SectorRange{bad}, true, nil)
	require.True(t, scan.Torn)
	require.Equal(t, int64(at[63][0]-blockio.EmptyRecordSize), scan.CutFrom)
	require.NotEmpty(t, scan.Lost)
	bad = blockio.SectorRange{From: int64(len(torn)) / 512 * 512, To: int64(len(torn))}
	scan = blockio.ScanBlockAround("1.blk", 1, key, spoil(torn, bad), []blockio.SectorRange{bad}, true, nil)
	require.False(t, scan.Torn)
	require.Zero(t, scan.CutTo)
	require.Contains(t, scan.Lost, uint64(70))
}

// TestUnreadableFromTheFirstByteOn: of a tail that shows no sequence it is known how many
// records had room.
func TestUnreadableFromTheFirstByteOn(t *testing.T) {
	key := blockio.NewRecordCodec("S", 1)
	data, _ := aroundBlock(key, 2, 2, 100)
	bad := []blockio.SectorRange{{From: 0, To: int64(len(data))}}
	scan := blockio.ScanBlockAround("1.blk", 1, key, spoil(data, bad...), bad, true, nil)
	require.Empty(t, scan.Lost)
	require.Equal(t, len(data)/blockio.EmptyRecordSize, scan.Unnamed)
	require.Equal(t, 1, scan.DamageCount)
}
