package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// whole returns what does not fit together of what readers see: the numbers, the list of
// what is deleted, the gaps of the blocks, the subjects and, with messages, the messages
// themselves.
func whole(s *shell, messages bool) error {
	snapshot := s.pub.Snapshot()
	state := snapshot.State
	_, ranges := s.pub.Deleted()
	var deleted uint64
	for _, r := range ranges {
		deleted += r.Last - r.First + 1
	}
	if deleted != state.Deleted {
		return fmt.Errorf("%d deleted, and %v are listed: %+v", state.Deleted, ranges, state)
	}
	if n := snapshot.Subjects.Messages(); n > state.Messages {
		return fmt.Errorf("%d messages, and %d of all subjects", state.Messages, n)
	}
	if state.Messages == 0 {
		return nil
	}
	// What a count from the first sequence on, and a scan, find.
	var pending, scanned uint64
	blocks := snapshot.View.Blocks()
	for i, b := range blocks {
		from, to := max(b.First, state.FirstSequence), state.LastSequence
		if i+1 < len(blocks) {
			to = min(to, blocks[i+1].First-1)
		}
		if from > to {
			continue
		}
		pending += to - from + 1 - b.DeletedWithin(from, to)
		for at := b.LiveAfter(from); messages && at <= to; at = b.LiveAfter(at + 1) {
			if _, ok := s.read(at); !ok {
				return fmt.Errorf("message %d cannot be read: %+v", at, state)
			}
			scanned++
		}
	}
	if pending != state.Messages || messages && scanned != pending {
		return fmt.Errorf("%d are counted and %d scanned: %+v", pending, scanned, state)
	}
	return nil
}

// TestWhatIsPublishedIsWhole: at every moment, also while one recovery after the other
// fails, what readers see fits together; and a recovery that fails has published nothing.
func TestWhatIsPublishedIsWhole(t *testing.T) {
	failed := 0
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.SampledFrom([]int{0, 1 << 20}).Draw(t, "keep records")
		defer engine.SetKeepRecords(keep)()
		mc := newMachine(drawSmallConfig(t), newDisk())
		var broken error
		// At a weak level the log is cut below what readers have seen: until the recovery
		// succeeds, they cannot read all of it.
		cut := false
		look := func() {
			if broken == nil {
				broken = whole(mc.shell, !cut || mc.cfg.Level == engine.SyncAlways)
			}
		}
		const never = 1 << 30
		due := never // calls until one fails
		mc.disk.fault = func(_ int, what string) error {
			if look(); strings.HasPrefix(what, "load") {
				return nil
			}
			if due--; due == 0 {
				return errDisk
			}
			return nil
		}
		check := func(err error) {
			t.Helper()
			if look(); err != nil || broken != nil {
				t.Fatal(errors.Join(err, broken))
			}
		}
		due = rapid.IntRange(1, 60).Draw(t, "fails after")
		for range 60 {
			err := mc.act(t)
			if mc.e.Failed() != nil {
				break // what else there is to say of that, TestEveryFailureIsFinal says
			}
			check(err)
		}
		if due = never; mc.e.Failed() == nil {
			check(mc.quiesce())
			return
		}
		check(nil)
		for mc.runWork() { // what was handed out before it failed
		}
		mc.commit = nil
		check(nil)
		counts, view := mc.pub.Counts(), mc.pub.View()
		_, deleted := mc.pub.Deleted()
		highest := uint32(0)
		synced := rapid.Bool().Draw(t, "cut at what was synced")
		for attempts := rapid.IntRange(0, 4).Draw(t, "attempts that fail"); ; attempts-- {
			due = never
			if attempts > 0 {
				due = rapid.IntRange(1, 6).Draw(t, "attempt fails after")
			}
			mc.removeBelow = counts.FirstSequence
			cut, highest = true, max(highest, mc.cutLog(synced))
			mc.recover(counts.LastSequence, highest+1)
			if mc.e.Failed() == nil {
				break
			}
			check(nil)
			if mc.e.Served() { // and failed after that, so it is one more engine that has failed
				cut, counts, view = false, mc.pub.Counts(), mc.pub.View()
				_, deleted = mc.pub.Deleted()
				check(nil)
				continue
			}
			failed++
			if _, now := mc.pub.Deleted(); mc.pub.Counts() != counts || mc.pub.View() != view || !slices.Equal(now, deleted) {
				t.Fatalf("a recovery that failed has published %+v, before that it was %+v", mc.pub.Counts(), counts)
			}
		}
		cut, due, mc.removeBelow = false, never, 0
		check(mc.recovered(counts.LastSequence, counts))
	})
	t.Logf("%d recoveries failed", failed)
}

// TestRecoveryThatFailsPublishesNothing: what a recovery has to write before the stream
// serves is written before any of it is seen.
func TestRecoveryThatFailsPublishesNothing(t *testing.T) {
	for _, row := range []struct {
		name     string
		limits   engine.Limits
		below    uint64 // was removed before the failure
		messages uint64 // that are left
	}{
		{name: "sequences that were given out are skipped", messages: 25},
		{name: "a limit", limits: engine.Limits{MaxMsgs: 5}, messages: 5},
		{name: "what was removed before stays removed", below: 15, messages: 11},
		{name: "all was removed before", below: 27},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Level, cfg.BlockSize = engine.SyncInterval, 100
			s := newShell(cfg, newDisk(), engine.NewPublished(), start)
			for n := range 26 {
				if n == 20 {
					s.must(t, sent{"flush", &engine.Flush{}})
				}
				s.must(t, sent{n, &engine.Store{Message: engine.Message{Subject: "s"}}})
			}
			s.disk.fault = func(_ int, what string) error {
				if strings.HasPrefix(what, "sync") || strings.HasPrefix(what, "create") {
					return errDisk
				}
				return nil
			}
			s.do(sent{"flush again", &engine.Flush{}})
			require.ErrorIs(t, s.e.Failed(), errDisk)
			mc := &machine{shell: s}
			s.cfg.Limits, s.removeBelow = row.limits, row.below
			before, view := s.pub.Counts(), s.pub.View()
			require.Equal(t, uint64(26), before.Messages)
			for range 3 {
				mc.recover(26, mc.cutLog(true)+1)
				require.ErrorIs(t, s.e.Failed(), errDisk)
				require.Equal(t, before, s.pub.Counts())
				require.Same(t, view, s.pub.View())
				require.NoError(t, whole(s, false))
			}
			s.disk.fault = nil
			mc.recover(26, mc.cutLog(true)+1)
			require.NoError(t, s.e.Failed())
			require.NoError(t, whole(s, true))
			state := s.pub.State()
			require.Equal(t, uint64(26), state.LastSequence)
			require.Equal(t, row.messages, state.Messages)
		})
	}
}

// TestNewStreamThatFailsPublishesNothing: not even where its sequences are to begin.
func TestNewStreamThatFailsPublishesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.FirstSequence = 1000
	d := newDisk()
	d.fault = func(int, string) error { return errDisk }
	s := newShell(cfg, d, engine.NewPublished(), start)
	require.ErrorIs(t, s.e.Failed(), errDisk)
	require.Equal(t, engine.NewPublished().State(), s.pub.State())
	d.fault = nil
	s.recover(0, 0)
	require.Equal(t, uint64(999), s.pub.Last())
}
