package engine_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// drawSparseConfig draws a configuration in which blocks are soon sparse, and are written anew while nearly nothing is
// durable.
func drawSparseConfig(t *rapid.T) engine.Config {
	cfg := drawConfig(t)
	cfg.Level = rapid.SampledFrom([]engine.SyncLevel{engine.SyncInterval, engine.SyncNever}).Draw(t, "lazy level")
	cfg.BlockSize = rapid.SampledFrom([]int64{200, 400, 700}).Draw(t, "small block size")
	cfg.CompactBelow = rapid.SampledFrom([]int{75, 95}).Draw(t, "compact below much")
	cfg.Compress = cfg.Compress && rapid.IntRange(0, 3).Draw(t, "compress at all") == 0
	cfg.MaxUnwritten = 0
	if !rapid.Bool().Draw(t, "limits by size") {
		cfg.Limits.MaxMsgs, cfg.Limits.MaxBytes = 0, 0
	}
	if !rapid.Bool().Draw(t, "limit by age") {
		cfg.Limits.MaxAge = 0
	}
	return cfg
}

// actLazily takes one step of a random schedule in which commands and commits come often, syncs seldom, and compactions
// as soon as they may.
func (mc *machine) actLazily(t *rapid.T) error {
	compaction := func(w engine.Work) bool { return w.Kind == engine.WorkCompact }
	switch k := rapid.IntRange(0, 99).Draw(t, "lazy step"); {
	case k < 30:
		m := drawMessage(t)
		m.Payload = m.Payload[:min(len(m.Payload), 100)]
		mc.send(&engine.Store{Message: m})
	case k < 55 && len(mc.m.live) > 0:
		mc.send(&engine.Remove{Sequence: mc.m.live[rapid.IntRange(0, len(mc.m.live)-1).Draw(t, "removed")].sequence})
	case k < 58:
		mc.send(drawRemoval(t, mc, mc.e.StagedState().LastSequence))
	case k < 75:
		mc.advance(rapid.SampledFrom([]int64{2 * millisecond, 2 * millisecond, 2 * millisecond, 300 * millisecond, second}).Draw(t, "time"))
		for mc.turn(); mc.runCommit(); mc.turn() {
			mc.follow()
			if err := mc.observe(); err != nil || mc.e.Failed() != nil {
				return err
			}
		}
	case k < 87 && mc.shell.first(compaction):
		mc.runWork()
	default:
		mc.runWork()
	}
	if mc.e.Failed() != nil {
		return nil
	}
	mc.follow()
	return mc.observe()
}

// crashPointsOfCompactions is crashPoints in compactions and right behind them.
func (mc *machine) crashPointsOfCompactions() {
	mc.crashPoints()
	crash, behind := mc.disk.point, false
	mc.disk.point = func(what string) {
		within := strings.Contains(what, engine.WorkCompact.String())
		if within || behind {
			crash(what)
		}
		behind = within
	}
}

// TestCompactionsSurviveLossesOfPower: what a block is rid of was durably removed, in a stream that is written to faster
// than its disk syncs. When nothing that was not synced is left, the stream is as it was after some command.
func TestCompactionsSurviveLossesOfPower(t *testing.T) {
	compactions := 0
	rapid.Check(t, func(t *rapid.T) {
		defer engine.SetKeepRecords(1 << 20)()
		defer drawPurgePieces(t)()
		mc := newMachine(drawSparseConfig(t), newDisk())
		mc.crashPointsOfCompactions()
		mc.advance(millisecond) // a block is written anew when the shell has begun to tick
		for range rapid.IntRange(100, 300).Draw(t, "steps") {
			before := len(mc.shell.out(engine.WorkCompact))
			if err := mc.actLazily(t); err != nil {
				t.Fatal(err)
			}
			compactions += max(0, len(mc.shell.out(engine.WorkCompact))-before)
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
	})
	if compactions == 0 {
		t.Fatal("no script came to a compaction")
	}
	t.Logf("%d compactions", compactions)
}
