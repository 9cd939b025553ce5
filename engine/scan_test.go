package engine_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// onDisk is one record of a random store.
type onDisk struct {
	kind     byte
	sequence uint64
	time     int64
}

// drawBlock draws a block whose sequences follow those of the blocks before it.
// Tombstones name messages of any block so far; within a block anything goes.
func drawBlock(t *rapid.T, before int) []onDisk {
	var records []onDisk
	for range rapid.IntRange(0, 8).Draw(t, "records") {
		r := onDisk{
			kind:     rapid.SampledFrom([]byte("mmmmmstt")).Draw(t, "kind"),
			sequence: uint64(rapid.IntRange(before+1, before+12).Draw(t, "sequence")),
			time:     start + int64(rapid.IntRange(1, 5).Draw(t, "time")),
		}
		if r.kind == 't' {
			r.sequence = uint64(rapid.IntRange(1, before+12).Draw(t, "deleted"))
		}
		records = append(records, r)
	}
	return records
}

// naive is what the format says that a store holds: all messages but those with
// a tombstone, in order, each sequence once.
func naive(blocks [][]onDisk) (live []uint64, last uint64) {
	tombs := map[uint64]bool{}
	for _, b := range blocks {
		within := uint64(0) // sequences only move up
		for _, r := range b {
			switch {
			case r.kind == 't':
				tombs[r.sequence] = true
			case r.sequence <= within:
				continue
			default:
				within = r.sequence
				if r.kind == 'm' && r.sequence > last {
					live = append(live, r.sequence)
				}
			}
		}
		for _, r := range b {
			if r.kind == 't' || r.sequence <= within {
				last = max(last, r.sequence)
			}
		}
	}
	return slices.DeleteFunc(live, func(s uint64) bool { return tombs[s] }), last
}

func TestRecoveryOfAnyBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		defer engine.SetKeepRecords(rapid.SampledFrom([]int{0, 5, 1 << 20}).Draw(t, "keep records"))()
		d := newDisk()
		var blocks [][]onDisk
		for id := range uint32(rapid.IntRange(0, 6).Draw(t, "blocks")) {
			b := drawBlock(t, 12*int(id))
			blocks = append(blocks, b)
			var records []appender
			for _, r := range b {
				switch r.kind {
				case 'm':
					records = append(records, msgAt(r.sequence, r.time))
				case 's':
					records = append(records, skipped(r.sequence, r.time))
				case 't':
					records = append(records, func(c blockCodec, dst []byte) []byte { return c.AppendTombstone(dst, r.sequence, r.time) })
				}
			}
			d.current[2*id+1] = blockOf(2*id+1, records...)
		}
		live, last := naive(blocks)
		cfg := testConfig()
		if limit := rapid.IntRange(0, 5).Draw(t, "max messages"); limit > 0 {
			cfg.Limits.MaxMsgs = int64(limit)
			live = live[max(0, len(live)-limit):]
		}
		s := newShell(cfg, d, engine.NewPublished(), start)
		var lastTime int64
		for pass := range 2 {
			if err := s.e.CheckInvariants(); err != nil {
				t.Fatalf("pass %d: %v", pass, err)
			}
			if got := s.live(); !slices.Equal(got, live) {
				t.Fatalf("pass %d: live %v, want %v\n%v", pass, got, live, blocks)
			}
			state := s.pub.State()
			if state.LastSequence != last || state.Messages != uint64(len(live)) || state.LostMessages != 0 || state.Durable != last {
				t.Fatalf("pass %d: %+v, want last %d", pass, state, last)
			}
			if pass > 0 && state.LastTime != lastTime {
				t.Fatalf("last time went from %d to %d", lastTime, state.LastTime)
			}
			lastTime = state.LastTime
			s.reopen()
		}
		before := s.disk.crash(keepAll)
		if s.reopen(); !s.disk.equal(before) {
			t.Fatal("recovery of a recovered stream changed it")
		}
		if r := s.do(store("a", 1)); r[0].Err != nil || r[0].Sequence != last+1 {
			t.Fatalf("%+v", r)
		}
	})
}

// TestReadersSeeWholeMessages runs readers beside the engine; it is for the race
// detector as much as for what they see.
func TestReadersSeeWholeMessages(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			cfg := testConfig()
			cfg.BlockSize, cfg.Level, cfg.Limits.MaxMsgs = 1<<20, level, 9_000
			s := newShell(cfg, newDisk(), engine.NewPublished(), start)
			var done atomic.Bool
			failed := make(chan error, 2)
			for range 2 {
				go func() { failed <- readWhile(s.pub, &done) }()
			}
			for range 400 {
				s.do(repeat(store("a", 100), 50)...)
			}
			done.Store(true)
			for range 2 {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// readWhile reads the newest message that is in memory, over and over.
func readWhile(pub *engine.Published, done *atomic.Bool) error {
	for reads := 0; !done.Load() || reads == 0; reads++ {
		last := pub.Last()
		if last == 0 {
			continue
		}
		b := pub.View().Find(last)
		if b == nil || b.Tail == nil {
			return fmt.Errorf("message %d is in no block", last)
		}
		offset, size, found, known := b.Tail.Locate(last)
		if known && !found {
			return fmt.Errorf("message %d is not in its table", last)
		}
		if data := b.Tail.Bytes(offset, size); known && data != nil {
			if r, ok := decode(b.ID, data); !ok || r.sequence != last || len(r.payload) != 100 {
				return fmt.Errorf("message %d reads as %+v", last, r)
			}
		}
		if state := pub.State(); state.LastSequence < last || state.Messages > 9_000 || state.Bytes != state.Messages*131 {
			return fmt.Errorf("state %+v", state)
		}
	}
	return nil
}
