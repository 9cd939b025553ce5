package actors_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A sectorWorld is a stopped stream of messages 1 to last, of three subjects, on a disk of which sectors can be
// made unreadable.
type sectorWorld struct {
	mem    *blocktest.MemFS
	fs     *blocktest.FaultFS
	config actors.Config
	last   uint64
	// placed is where the records of each block's messages lie.
	placed map[int]map[uint64]blockio.SectorRange
}

func sectorSubject(sequence uint64) string { return fmt.Sprint("s.", sequence%3) }

func sectorPayload(sequence uint64) string {
	return strings.Repeat(fmt.Sprintf("%06d.", sequence), 20)
}

// newSectorWorld makes a world. With crash the stream was not stopped.
func newSectorWorld(t *testing.T, config actors.Config, messages int, crash bool) *sectorWorld {
	t.Helper()
	w := &sectorWorld{mem: blocktest.NewMemFS(), config: config, last: uint64(messages), placed: make(map[int]map[uint64]blockio.SectorRange)}
	w.config.Dir, w.config.Name, w.config.FS = "data", "ORDERS", w.mem
	s := open(t, w.config)
	for sequence := uint64(1); sequence <= w.last; sequence++ {
		mustStore(t, s, sectorSubject(sequence), sectorPayload(sequence))
	}
	require.NoError(t, s.Flush(t.Context()))
	if crash {
		w.mem = w.mem.CrashImage(blocktest.DropUnsynced, nil)
	}
	require.NoError(t, s.Stop(context.Background()))
	w.attach()
	if !crash {
		forgetState(t, w.config) // else nothing would be read
	}
	for block := 1; ; block++ {
		blocks := blockio.NewBlocks(w.mem, "data/ORDERS", "ORDERS", blockio.BlocksOptions{})
		data, err := blocks.ReadAll(uint32(block), nil)
		if err != nil {
			break
		}
		w.placed[block] = make(map[uint64]blockio.SectorRange)
		blockio.ScanBlock("", uint32(block), blocks.Codec(uint32(block)), data, true, func(offset int64, r blockio.Record) {
			if r.Kind == blockio.KindMessage {
				w.placed[block][r.Sequence] = blockio.SectorRange{From: offset, To: offset + int64(r.Size)}
			}
		})
	}
	return w
}

// attach gives the world a fresh FaultFS over its disk.
func (w *sectorWorld) attach() {
	w.fs = blocktest.NewFaultFS(w.mem)
	w.config.FS, w.config.Runtime = w.fs, actors.NewRuntime(actors.RuntimeConfig{})
}

// fork returns a world with a copy of the disk.
func (w *sectorWorld) fork() *sectorWorld {
	other := *w
	other.mem = w.mem.Fork()
	other.attach()
	return &other
}

// end is where the last record of a block ends.
func (w *sectorWorld) end(block int) (end int64) {
	for _, place := range w.placed[block] {
		end = max(end, place.To)
	}
	return end
}

// spoil makes a sector of a block unreadable, and returns the messages that it covers.
func (w *sectorWorld) spoil(block int, from, size int64) map[uint64]bool {
	w.fs.Spoil(blockPath(w.config, block), from, from+size)
	covered := make(map[uint64]bool)
	for sequence, place := range w.placed[block] {
		if place.From < from+size && from < place.To {
			covered[sequence] = true
		}
	}
	return covered
}

// requireRest looks at all of a store by all of its calls: what is not lost is there, and what is lost is told of,
// once a call. It returns what is lost.
func (w *sectorWorld) requireRest(t *testing.T, s *actors.Store, what string) map[uint64]bool {
	t.Helper()
	lost := make(map[uint64]bool)
	for sequence := uint64(1); sequence <= stateOf(t, s).LastSequence; sequence++ {
		m, err := s.LoadMsg(t.Context(), sequence)
		var damage *blockio.CorruptionError
		switch {
		case err == nil && sequence <= w.last:
			require.Equal(t, sectorPayload(sequence), string(m.Payload), what)
		case errors.As(err, &damage):
			require.ErrorIs(t, err, actors.ErrCorrupt, what)
			require.Equal(t, sequence, damage.Sequence, what)
			require.NotZero(t, damage.Block, what)
			lost[sequence] = true
		case sequence <= w.last:
			require.NoError(t, err, what)
		}
	}
	for name, options := range map[string][]actors.ReadOption{
		"forward": nil, "reverse": {actors.Reverse()},
		"filtered": {actors.Filter("s.1")}, "filtered, reverse": {actors.Filter("s.1"), actors.Reverse()},
	} {
		name = what + ", " + name
		var read []uint64
		told := make(map[uint64]bool)
		for m, err := range s.Messages(t.Context(), options...) {
			var damage *blockio.CorruptionError
			if errors.As(err, &damage) {
				for sequence := damage.Sequence; damage.Sequence > 0 && sequence <= max(damage.Sequence, damage.Last); sequence++ {
					require.False(t, told[sequence], "%s: %d twice", name, sequence)
					told[sequence] = true
				}
				continue
			}
			require.NoError(t, err, name)
			if m.Sequence <= w.last {
				read = append(read, m.Sequence)
			}
		}
		var want []uint64
		wantTold := make(map[uint64]bool)
		for sequence := uint64(1); sequence <= w.last; sequence++ {
			switch selected := !strings.Contains(name, "filtered") || sectorSubject(sequence) == "s.1"; {
			case selected && !lost[sequence]:
				want = append(want, sequence)
			case selected:
				wantTold[sequence] = true
			}
		}
		if strings.Contains(name, "reverse") {
			slices.Reverse(want)
		}
		require.Equal(t, want, read, name)
		for sequence := range wantTold {
			require.True(t, told[sequence], "%s: %d is lost in silence", name, sequence)
		}
		for sequence := range told {
			require.True(t, lost[sequence], "%s: %d is told to be lost", name, sequence)
		}
	}
	return lost
}

// requireCost checks what is lost by what a sector covers. At the end of the log nobody can tell how much that is.
func (w *sectorWorld) requireCost(t *testing.T, covered, lost map[uint64]bool, what string) {
	t.Helper()
	lost = maps.Clone(lost)
	maps.DeleteFunc(lost, func(sequence uint64, _ bool) bool { return sequence > w.last })
	require.Equal(t, covered, lost, what)
}

// TestSectorCostsWhatItCovers: whatever sector of a block cannot be read, Open succeeds and all else is served; and
// when it can be read again, nothing has been lost.
func TestSectorCostsWhatItCovers(t *testing.T) {
	for _, c := range []struct {
		name   string
		config actors.Config
		blocks []int
		crash  bool
	}{
		{"without an index", actors.Config{BlockSize: 12 << 10, IndexFrom: -1}, []int{1, 2, 3}, false},
		{"a crash", actors.Config{BlockSize: 12 << 10, IndexFrom: -1}, []int{2, 3}, true},
		{"with an index", actors.Config{BlockSize: 12 << 10, IndexFrom: 1}, []int{1, 2, 3}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newSectorWorld(t, c.config, 150, c.crash)
			require.Len(t, world.placed, 3)
			for _, block := range c.blocks {
				for _, size := range []int64{512, 4096} {
					last := (world.end(block) - 1) / size * size
					places := []int64{last} // what is lost at the end of the log, nobody can tell
					for from := int64(0); from < last; from += 3 * size {
						places = append(places, from)
					}
					for _, from := range places {
						what := fmt.Sprintf("%s: block %d, %d bytes at %d", c.name, block, size, from)
						w := world.fork()
						covered := w.spoil(block, from, size)
						s := open(t, w.config)
						if state := stateOf(t, s); c.name != "with an index" {
							require.GreaterOrEqual(t, state.LostMessages, uint64(len(covered)), what)
							if block < 3 {
								require.Equal(t, state.LostMessages, uint64(len(covered)), what)
							}
						}
						lost := w.requireRest(t, s, what)
						w.requireCost(t, covered, lost, what)
						next := mustStore(t, s, "next", "").Sequence
						for sequence := range lost {
							require.Greater(t, next, sequence, what)
						}
						require.NoError(t, s.Stop(context.Background()))
						s = open(t, w.config)
						lost = w.requireRest(t, s, what+", again")
						w.requireCost(t, covered, lost, what+", again")
						require.NoError(t, s.Stop(context.Background()))
						w.fs.Heal()
						s = open(t, w.config)
						require.Zero(t, stateOf(t, s).LostMessages, what)
						require.Empty(t, w.requireRest(t, s, what+", healed"))
						require.Equal(t, next, stateOf(t, s).LastSequence, what)
						require.NoError(t, s.Stop(context.Background()))
					}
				}
			}
		})
	}
}
