package disk

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// TestTheLogIsCutWhereItIsSafe: the block in which that is, and all that come after it.
func TestTheLogIsCutWhereItIsSafe(t *testing.T) {
	for _, row := range []struct {
		name string
		cut  engine.Position
		want []blockio.BlockInfo
	}{
		{"within a block", engine.Position{Block: 2, Offset: 100}, []blockio.BlockInfo{{ID: 1, Size: 141}, {ID: 2, Size: 100}}},
		{"at the end of a block", engine.Position{Block: 2, Offset: 141}, []blockio.BlockInfo{{ID: 1, Size: 141}, {ID: 2, Size: 141}}},
		{"at its beginning", engine.Position{Block: 2}, []blockio.BlockInfo{{ID: 1, Size: 141}, {ID: 2, Size: 0}}},
		{"before all blocks", engine.Position{}, nil},
		{"behind all blocks", engine.Position{Block: 9}, []blockio.BlockInfo{
			{ID: 1, Size: 141}, {ID: 2, Size: 141}, {ID: 3, Size: 141}, {ID: 4, Size: 141},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newTestFiles(t, blocktest.NewMemFS())
			for id := uint32(1); id <= 4; id++ {
				require.Equal(t, int64(141), writeBlock(t, f, id, uint64(id)*10, 3, true))
			}
			r := Recovery{Files: f, After: &Failure{Cut: row.cut}}
			list, err := f.Blocks.List()
			require.NoError(t, err)
			left, err := r.cutLog(list)
			require.NoError(t, err)
			there, err := f.Blocks.List()
			require.NoError(t, err)
			require.Equal(t, row.want, timeless(left), "what it returns is what there is")
			require.Equal(t, row.want, timeless(there))
		})
	}
}

// timeless returns a list of blocks without their times.
func timeless(list []blockio.BlockInfo) (same []blockio.BlockInfo) {
	for _, b := range list {
		b.ModTime = 0
		same = append(same, b)
	}
	return same
}

// TestACutThatWasNotSyncedIsMadeAgain: the file shows nothing to cut any more, and the disk has it all.
func TestACutThatWasNotSyncedIsMadeAgain(t *testing.T) {
	for _, row := range []struct {
		name string
		kind blocktest.OpKind // the sync that fails, and forgets
		cut  engine.Position
		want []blockio.BlockInfo // after a loss of power
	}{
		{"within a block", blocktest.OpSync, engine.Position{Block: 2, Offset: 100}, []blockio.BlockInfo{{ID: 1, Size: 141}, {ID: 2, Size: 100}}},
		// The name is back, which the system has told of once. What had been in the block is not.
		{"a whole block", blocktest.OpSyncDir, engine.Position{Block: 1, Offset: 141}, []blockio.BlockInfo{{ID: 1, Size: 141}, {ID: 2, Size: 0}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			memory := blocktest.NewMemFS()
			fault := blocktest.NewFaultFS(memory)
			f := newTestFiles(t, fault)
			for id := uint32(1); id <= 2; id++ {
				writeBlock(t, f, id, uint64(id)*10, 3, true)
			}
			failing := true
			fault.SetHook(func(op blocktest.Op) blocktest.Fault {
				if failing && op.Kind == row.kind && !strings.Contains(op.Name, "lost+found") {
					return blocktest.Fault{Err: blocktest.ErrIO, Forget: true}
				}
				return blocktest.Fault{}
			})
			for _, failing = range []bool{true, false} {
				f := newTestFiles(t, fault)
				r := Recovery{Files: f, After: &Failure{Cut: row.cut, CutAgain: !failing}}
				list, err := f.Blocks.List()
				require.NoError(t, err)
				if _, err = r.cutLog(list); failing {
					require.ErrorIs(t, err, blockio.ErrSync)
				} else {
					require.NoError(t, err)
				}
			}
			left, err := newTestFiles(t, memory.CrashImage(blocktest.DropUnsynced, nil)).Blocks.List()
			require.NoError(t, err)
			require.Equal(t, row.want, timeless(left))
		})
	}
}

// TestNothingIsAppendedBehindDamage, which would no longer be at the end of the block.
func TestNothingIsAppendedBehindDamage(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	writeBlock(t, f, 1, 1, 5, true)
	data, err := f.Blocks.ReadAll(1, nil)
	require.NoError(t, err)
	_, found := f.scanBlock(1, data, true, true)
	require.True(t, appendable(&found))
	data[len(data)/2] ^= 1
	_, found = f.scanBlock(1, data, true, true)
	require.Equal(t, 1, found.DamageCount)
	require.False(t, appendable(&found))
	require.False(t, appendable(&blockio.BlockScan{Settle: true}))
}

// TestTheMarkOfASettledBlockGoesOnWithTheChain: the next recovery of the block finds in its last mark what
// is in the one before it.
func TestTheMarkOfASettledBlockGoesOnWithTheChain(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	codec := f.Blocks.Codec(1)
	var data []byte
	crc, second := uint32(0), 0
	for i := range uint64(3) {
		record := codec.AppendMessage(nil, i+1, int64(i), "orders.new", nil, bytes.Repeat([]byte("p"), 2000))
		crc = blockio.LengthsCRC(crc, record)
		mark := make([]byte, blockio.EmptyRecordSize)
		codec.PutFrameMark(mark, uint32(len(record)), crc)
		data = append(append(data, mark...), record...)
		if i == 1 {
			second = len(data)
		}
	}
	clear(data[second-1024-second%512 : second-512-second%512]) // a sector of the second, which the third proves
	data = data[:second+100]                                    // and that is torn
	require.NoError(t, f.Commit(&engine.Commit{Ops: []engine.Op{
		{Kind: engine.OpCreate, Block: 1},
		{Kind: engine.OpWrite, Block: 1, Data: [][]byte{data}, Sync: true},
	}}))
	scan, found := f.scanBlock(1, data, true, true)
	require.True(t, found.Settle)
	require.NotZero(t, found.MarkCRC)
	r := Recovery{Files: f}
	require.NoError(t, r.mend(1, true, true, scanned{scan: scan, found: found}))
	left, err := f.Blocks.ReadAll(1, nil)
	require.NoError(t, err)
	require.Len(t, left, second+blockio.EmptyRecordSize)
	_, again := f.scanBlock(1, left, true, true)
	require.Equal(t, found.MarkCRC, again.MarkCRC)
	require.False(t, again.Torn)
	require.Equal(t, found.Lost, again.Lost)
}
