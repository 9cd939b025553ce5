package actors_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// requireTold opens a stream twice more, with a message stored in between each time: every time the lost
// sequences are told as such, by loads, a scan and the count, and their numbers are not given again.
func requireTold(t *testing.T, config actors.Config, last uint64, lost ...uint64) {
	t.Helper()
	for opening := range 3 {
		s := open(t, config)
		missing := make(map[uint64]bool)
		for _, sequence := range lost {
			_, err := s.LoadMsg(t.Context(), sequence)
			require.ErrorIs(t, err, actors.ErrCorrupt, "opening %d, sequence %d", opening, sequence)
			missing[sequence] = true
		}
		state := stateOf(t, s)
		require.Equal(t, uint64(len(lost)), stateOf(t, s).LostMessages, "opening %d", opening)
		require.Equal(t, last, state.LastSequence)
		told := make(map[uint64]bool)
		read := uint64(0)
		for m, err := range s.Messages(t.Context()) {
			var damage *blockio.CorruptionError
			if errors.As(err, &damage) {
				for sequence := damage.Sequence; sequence <= max(damage.Sequence, damage.Last); sequence++ {
					told[sequence] = true
				}
				continue
			}
			require.NoError(t, err)
			require.False(t, missing[m.Sequence])
			read++
		}
		require.Equal(t, missing, told, "opening %d", opening)
		require.Equal(t, state.Messages, read)
		require.Equal(t, last-uint64(len(lost)), read)
		last++
		require.Equal(t, last, mustStore(t, s, "after", fmt.Sprint(opening)).Sequence)
		require.NoError(t, s.Stop(context.Background()))
	}
}

// TestWhatIsLostStaysTold, whatever showed it: also when that is gone at the next opening.
func TestWhatIsLostStaysTold(t *testing.T) {
	for _, c := range []struct {
		name      string
		indexFrom int64
		damage    func(t *testing.T, config actors.Config)
		lost      []uint64
	}{
		{"an index names what was cut off", 0, func(t *testing.T, config actors.Config) {
			cutRecord(t, config, 1, 7)
		}, []uint64{7, 8, 9, 10}},
		{"a block of zeros, with an index", 0, func(t *testing.T, config actors.Config) {
			name := blockPath(config, 1)
			info, err := os.Stat(name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, make([]byte, info.Size()), 0o600))
		}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{"the last block is gone", -1, func(t *testing.T, config actors.Config) {
			require.NoError(t, os.Remove(blockPath(config, 3)))
		}, []uint64{21, 22, 23, 24, 25}},
		{"the last block is cut at the end of a record", -1, func(t *testing.T, config actors.Config) {
			cutRecord(t, config, 3, 24)
		}, []uint64{24, 25}},
		{"the last block is cut inside of a record", -1, func(t *testing.T, config actors.Config) {
			name := blockPath(config, 3)
			info, err := os.Stat(name)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(name, info.Size()-3))
		}, []uint64{25}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: c.indexFrom}
			if c.indexFrom == 0 {
				config.IndexFrom = 1
			}
			storeTold(t, config)
			c.damage(t, config)
			requireTold(t, config, 25, c.lost...)
		})
	}
}

// storeTold stores 25 messages in blocks of 10, and stops.
func storeTold(t *testing.T, config actors.Config) {
	s := open(t, config)
	for i := range 25 {
		mustStore(t, s, "orders", fmt.Sprintf("secret-%d;%0330d", i+1, 0))
	}
	if config.IndexFrom > 0 {
		eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	}
	require.NoError(t, s.Stop(context.Background()))
	for i, want := range []string{"secret-10;", "secret-20;", "secret-25;"} {
		data, err := os.ReadFile(blockPath(config, i+1))
		require.NoError(t, err)
		require.Contains(t, string(data), want)
	}
}

// cutRecord cuts a block where the record of a message begins.
func cutRecord(t *testing.T, config actors.Config, block int, sequence uint64) {
	data, err := os.ReadFile(blockPath(config, block))
	require.NoError(t, err)
	key := blockio.NewRecordCodec(config.Name, uint32(block))
	found := false
	blockio.ScanBlock("", uint32(block), key, data, false, func(offset int64, r blockio.Record) {
		if r.Sequence == sequence {
			require.NoError(t, os.Truncate(blockPath(config, block), offset))
			found = true
		}
	})
	require.True(t, found)
}

// TestDamageUnderARunningStoreIsCounted in its last block as well, and stays told.
func TestDamageUnderARunningStoreIsCounted(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
	storeTold(t, config)
	s := open(t, config)
	last := blockPath(config, 3)
	was, err := os.Stat(last)
	require.NoError(t, err)
	flip(t, last, "secret-23;")
	require.NoError(t, os.Chtimes(last, was.ModTime(), was.ModTime())) // a disk that rots leaves them
	_, err = s.LoadMsg(t.Context(), 23)
	require.ErrorIs(t, err, actors.ErrCorrupt)
	require.NoError(t, s.Flush(t.Context())) // the report of the reader is before it
	require.Equal(t, uint64(24), stateOf(t, s).Messages)
	require.Equal(t, uint64(1), stateOf(t, s).LostMessages)
	require.NoError(t, s.Stop(context.Background()))
	requireTold(t, config, 25, 23)
}

// TestNothingIsToldOfALossThatIsPassed: what the head of the stream has left behind is in the file no more.
func TestNothingIsToldOfALossThatIsPassed(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
	storeTold(t, config)
	flip(t, blockPath(config, 1), "secret-4;")
	s := open(t, config)
	require.FileExists(t, filepath.Join(filepath.Dir(blockPath(config, 1)), blockio.LostFile))
	require.NoError(t, s.Stop(context.Background()))
	config.MaxMsgs = 5
	s = open(t, config)
	require.NoError(t, s.Stop(context.Background()))
	require.NoFileExists(t, filepath.Join(filepath.Dir(blockPath(config, 1)), blockio.LostFile))
}

// TestNothingIsTornAfterACleanStop: of a batch whose end is cut off, what is left was acknowledged, and stays.
func TestNothingIsTornAfterACleanStop(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
	storeTold(t, config)
	s := open(t, config)
	_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{
		{Subject: "orders", Payload: []byte("first")}, {Subject: "orders", Payload: []byte("second")},
		{Subject: "orders", Payload: []byte("third")},
	})
	require.NoError(t, err)
	require.NoError(t, s.Stop(context.Background()))
	info, err := os.Stat(blockPath(config, 3))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(blockPath(config, 3), info.Size()-3))
	s = open(t, config)
	for sequence, want := range map[uint64]string{26: "first", 27: "second"} {
		m, err := s.LoadMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Payload))
	}
	require.NoError(t, s.Stop(context.Background()))
	requireTold(t, config, 28, 28)
}

// TestLossIsToldAfterAKill: what a reader has found is written down while the store is open. The blocks alone
// would not show it: one without an index ends where a record ended.
func TestLossIsToldAfterAKill(t *testing.T) {
	memory := blocktest.NewMemFS()
	config := actors.Config{Dir: "data", FS: memory, Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
	s := open(t, config)
	for i := range 25 {
		mustStore(t, s, "orders", fmt.Sprintf("secret-%d;%0330d", i+1, 0))
	}
	require.NoError(t, memory.Rot("data/ORDERS/msgs/1.blk", func(data []byte) []byte {
		key := blockio.NewRecordCodec(config.Name, 1)
		at := len(data)
		blockio.ScanBlock("", 1, key, data, false, func(offset int64, r blockio.Record) {
			if r.Sequence == 8 {
				at = int(offset)
			}
		})
		return data[:at-blockio.EmptyRecordSize] // in front of the mark of its commit
	}))
	for _, err := range s.Messages(t.Context()) {
		if err != nil {
			require.ErrorIs(t, err, actors.ErrCorrupt)
		}
	}
	eventually(t, func() bool { return stateOf(t, s).LostMessages == 3 && !stateOf(t, s).Recounting })
	before := stateOf(t, s)
	// The power goes when the file is there, and takes what is not synced.
	var config2 actors.Config
	eventually(t, func() bool {
		config2 = config
		config2.FS = memory.CrashImage(blocktest.DropUnsynced, nil)
		told, err := blockio.NewBlocks(config2.FS, "data/ORDERS", config.Name, blockio.BlocksOptions{}).ReadLost()
		require.NoError(t, err)
		return len(told) == 1 && told[0].Bytes == before.LostBytes
	})
	requireTold(t, config2, 25, 8, 9, 10)
	s2 := open(t, config2)
	require.Equal(t, before.LostBytes, stateOf(t, s2).LostBytes)
	require.NoError(t, s2.Stop(context.Background()))
}

// TestFileThatIsGoneUnderARunningStore costs its messages: a scan names all of them, in both directions, and
// they are counted and stay told.
func TestFileThatIsGoneUnderARunningStore(t *testing.T) {
	for _, options := range [][]actors.ReadOption{nil, {actors.Reverse()}} {
		config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
		storeTold(t, config)
		s := open(t, config)
		require.NoError(t, os.Remove(blockPath(config, 2)))
		var read, lost int
		for _, err := range s.Messages(t.Context(), options...) {
			var damage *blockio.CorruptionError
			if errors.As(err, &damage) {
				lost++
				require.Equal(t, uint64(11), damage.Sequence)
				require.Equal(t, uint64(20), damage.Last)
				continue
			}
			require.NoError(t, err)
			read++
		}
		require.Equal(t, 15, read)
		require.Equal(t, 1, lost)
		require.NoError(t, s.Flush(t.Context())) // the report of the reader is before it
		require.Equal(t, uint64(10), stateOf(t, s).LostMessages)
		require.NoError(t, s.Stop(context.Background()))
		requireTold(t, config, 25, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
	}
}
