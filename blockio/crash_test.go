package blockio_test

import (
	"bytes"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A crashWriter commits groups to blocks as a store does, and knows which were
// acknowledged.
type crashWriter struct {
	blocks *blockio.Blocks
	random *rand.Rand
	id     uint32
	end    int64
	next   uint64   // sequence
	acked  uint64   // highest acknowledged sequence
	groups []uint64 // last sequence of each group begun

	measuring bool // marks of the second kind, before every group
	large     int  // how many times as long payloads are
	crc       uint32
}

// run commits groups until something fails.
func (w *crashWriter) run(groups int) error {
	w.id, w.next = 1, 1
	if err := w.blocks.Create(w.id); err != nil {
		return err
	}
	for range groups {
		if w.random.Intn(8) == 0 {
			if err := w.blocks.Seal(w.id, w.end); err != nil {
				return err
			}
			w.id, w.end, w.crc = w.id+1, 0, 0
			if err := w.blocks.Create(w.id); err != nil {
				return err
			}
		}
		if err := w.commit(1 + w.random.Intn(4)*w.random.Intn(2)); err != nil {
			return err
		}
	}
	return nil
}

func (w *crashWriter) commit(records int) error {
	key := w.blocks.Codec(w.id)
	var group []byte
	for range records {
		payload := make([]byte, w.random.Intn(700)*w.large)
		for i := range payload {
			payload[i] = byte(1 + w.random.Intn(255))
		}
		group = key.AppendMessage(group, w.next, int64(w.next), "subject", nil, payload)
		w.next++
	}
	pieces := [][]byte{group}
	mark := make([]byte, blockio.EmptyRecordSize)
	switch {
	case w.measuring:
		for at := 0; at < len(group); {
			size, _ := blockio.FrameSize(group[at:])
			w.crc = blockio.LengthsCRC(w.crc, group[at:at+size])
			at += size
		}
		key.PutFrameMark(mark, uint32(len(group)), w.crc)
		pieces = [][]byte{mark, group}
	case records > 1:
		key.PutGroupMark(mark, uint32(records), uint32(len(group)))
		pieces = [][]byte{mark, group}
	}
	if w.large > 1 { // in one write: the memory file system may lose a part of a sector with one of two
		pieces = [][]byte{bytes.Join(pieces, nil)}
	}
	w.groups = append(w.groups, w.next-1)
	if err := w.blocks.Append(w.id, w.end, pieces, true); err != nil {
		return err
	}
	for _, piece := range pieces {
		w.end += int64(len(piece))
	}
	w.acked = w.next - 1
	if w.random.Intn(3) == 0 {
		w.blocks.Rest(w.id) // what fails of it is of no interest to the next append, or noticed by it
	}
	return nil
}

// TestAcknowledgedSurvivesCrash: at a random operation, after every kind of crash,
// all that was acknowledged is there, the group that was under way is there in
// full or not at all, and nothing is called damage.
func TestAcknowledgedSurvivesCrash(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	torn := 0
	for seed := range rounds {
		random := rand.New(rand.NewSource(int64(seed)))
		m := blocktest.NewMemFS()
		f := blocktest.NewFaultFS(m)
		require.NoError(t, m.MkdirAll("/s/msgs"))
		w := &crashWriter{random: random, measuring: seed%2 == 0, large: 1}
		options := blockio.BlocksOptions{BlockSize: 64 << 10}
		if seed%75 < 2 { // with holes ahead of the records
			w.large, options.BlockSize = 100, 1<<20
		}
		w.blocks = blockio.NewBlocks(f, "/s", "S", options)
		at := random.Intn(120)
		short := random.Intn(1500)
		f.SetHook(func(op blocktest.Op) blocktest.Fault {
			return blocktest.Fault{Crash: op.Index == at, Short: short}
		})
		_ = w.run(30) // it fails where the crash is, if it comes that far
		for _, mode := range blocktest.CrashModes {
			for range 4 {
				torn += w.check(t, m.CrashImage(mode, random), "seed %d, operation %d, %v", seed, at, mode)
			}
		}
	}
	require.Greater(t, torn, rounds/10, "the crashes are of the interesting kind")
}

func (w *crashWriter) check(t *testing.T, image *blocktest.MemFS, note string, args ...any) (torn int) {
	t.Helper()
	blocks := blockio.NewBlocks(image, "/s", "S", blockio.BlocksOptions{})
	list, err := blocks.List()
	require.NoError(t, err)
	for len(list) > 0 && list[len(list)-1].Size == 0 {
		list = list[:len(list)-1]
	}
	last := uint64(0)
	for i, info := range list {
		data, err := blocks.ReadAll(info.ID, nil)
		require.NoError(t, err)
		scan := blockio.ScanBlock("", info.ID, blocks.Codec(info.ID), data, i == len(list)-1, func(_ int64, r blockio.Record) {
			if r.Sequence != last+1 {
				require.Failf(t, "hole", "sequence %d after %d: "+note, append([]any{r.Sequence, last}, args...)...)
			}
			last = r.Sequence
		})
		if scan.DamageCount > 0 || len(scan.Lost) > 0 || scan.Settle {
			require.Failf(t, "called damage", "%v: "+note, append([]any{scan.Damage}, args...)...)
		}
		if scan.Torn {
			torn = 1
			require.NoError(t, blocks.SetAside(info.ID, scan.CutFrom, scan.CutTo))
			require.NoError(t, blocks.Truncate(info.ID, scan.End))
		}
		if i == len(list)-1 {
			require.NoError(t, blocks.OpenTail(info.ID, scan.End), "it can be gone on with")
			require.NoError(t, blocks.Close())
		}
	}
	if last < w.acked {
		require.Failf(t, "acknowledged and gone", "%d of %d: "+note, append([]any{last, w.acked}, args...)...)
	}
	whole := last == w.acked
	for _, end := range w.groups {
		whole = whole || end == last
	}
	if !whole {
		require.Failf(t, "a group in part", "up to %d: "+note, append([]any{last}, args...)...)
	}
	return torn
}
