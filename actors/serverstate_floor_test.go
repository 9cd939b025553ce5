package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// foundWithoutFloors is what somebody finds in the blocks who knows nothing of floors, and applies no limits.
func foundWithoutFloors(t *testing.T, fsys blockio.FS, blocks int) (live []uint64) {
	t.Helper()
	removed := map[uint64]bool{}
	var messages []uint64
	dir := "data/" + servedName
	for id := uint32(1); id <= uint32(blocks); id++ {
		path := blockio.BlockPath(dir, id)
		if !exists(t, fsys, path) {
			continue
		}
		data, err := blockio.ReadFile(fsys, path, 1<<20)
		require.NoError(t, err)
		blockio.ScanBlock(path, id, blockio.NewRecordCodec(servedName, id), data, true, func(_ int64, rec blockio.Record) {
			switch rec.Kind {
			case blockio.KindTombstone:
				removed[rec.Sequence] = true
			case blockio.KindMessage:
				messages = append(messages, rec.Sequence)
			}
		})
	}
	for _, sequence := range messages {
		if !removed[sequence] {
			live = append(live, sequence)
		}
	}
	return live
}

// TestAServerFindsWhatItLeft: what is removed at the head of the stream by index.db alone gets tombstones, besides the
// floor that a nats-server does not know, where the limits of the stream would not remove it again.
func TestAServerFindsWhatItLeft(t *testing.T) {
	const size = 22 + 1 + 7 + 8 // of a record
	for name, row := range map[string]struct {
		meta func(*blockio.StreamMeta)
		find []uint64
	}{
		"MaxMsgs has no room":                       {limited(3), []uint64{1, 2, 3, 4, 5}},
		"MaxMsgs has room":                          {limited(4), []uint64{3, 4, 5}},
		"MaxMsgs refuses":                           {func(m *blockio.StreamMeta) { m.MaxMsgs, m.Discard = 3, "new" }, []uint64{3, 4, 5}},
		"MaxBytes has no room":                      {func(m *blockio.StreamMeta) { m.MaxBytes = 4*size - 1 }, []uint64{1, 2, 3, 4, 5}},
		"MaxBytes has room":                         {func(m *blockio.StreamMeta) { m.MaxBytes = 4 * size }, []uint64{3, 4, 5}},
		"MaxAge has come for none":                  {func(m *blockio.StreamMeta) { m.MaxAge = 10 }, []uint64{3, 4, 5}},
		"MaxAge has come for one":                   {func(m *blockio.StreamMeta) { m.MaxAge = 5 }, []uint64{1, 3, 4, 5}},
		"MaxAge has come for both":                  {func(m *blockio.StreamMeta) { m.MaxAge = 4 }, []uint64{1, 2, 3, 4, 5}},
		"MaxAge has come for both, but not for all": {func(m *blockio.StreamMeta) { m.MaxAge, m.AllowMsgTTL = 4, true }, []uint64{3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			v := served{blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"3-3", "4-5"}, meta: row.meta, live: []uint64{3, 4, 5}, last: 5}
			mem := blocktest.NewMemFS()
			v.place(t, mem)
			config := actors.Config{Dir: "data", Name: servedName, FS: mem, Runtime: actors.NewRuntime(actors.RuntimeConfig{
				Clock: func() time.Time { return time.Unix(0, servedTime+6) }})}
			s := openToFail(t, config)
			v.check(t, s)
			require.NoError(t, s.Stop(t.Context()))
			require.Equal(t, row.find, foundWithoutFloors(t, mem, len(v.blocks)))
		})
	}
}
