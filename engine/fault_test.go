package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

var errDisk = errors.New("the disk is on fire")

// outcome is what one run of a scenario gave.
type outcome struct {
	calls int
	what  string // the operation that failed
	err   error
}

// faultScenario runs a random script in which operation number at fails, and
// goes on with a recovered engine. at 0 fails nothing.
func faultScenario(at int) *rapid.Generator[outcome] {
	return rapid.Custom(func(t *rapid.T) outcome {
		defer drawPurgePieces(t)()
		mc := newMachine(drawSmallConfig(t), newDisk())
		var o outcome
		mc.disk.calls = 0
		mc.disk.fault = func(call int, what string) error {
			o.calls = call
			if call != at || strings.HasPrefix(what, "load") {
				return nil
			}
			o.what = what
			return errDisk
		}
		for range 60 {
			if o.err = mc.act(t); o.err != nil || mc.e.Failed() != nil {
				break
			}
		}
		if mc.e.Failed() == nil && o.err == nil {
			o.err = mc.quiesce()
		}
		if mc.e.Failed() == nil {
			return o
		}
		mc.disk.fault = nil
		if o.err = mc.checkFailed(); o.err != nil {
			return o
		}
		if o.err = mc.recoverFailed(rapid.Bool().Draw(t, "cut at what was synced")); o.err != nil {
			return o
		}
		for range 30 {
			if o.err = mc.act(t); o.err != nil {
				return o
			}
		}
		o.err = mc.quiesce()
		return o
	})
}

// checkFailed says what is wrong with an engine that has failed.
func (mc *machine) checkFailed() error {
	if !errors.Is(mc.e.Failed(), engine.ErrFailed) || !errors.Is(mc.e.Failed(), errDisk) {
		return fmt.Errorf("failed with %w", mc.e.Failed())
	}
	mc.e.Step("late", &engine.Store{})
	mc.turn()
	owed := map[any]bool{"late": true}
	for _, r := range mc.expected {
		owed[r.Tag] = true
	}
	for tag := range mc.late {
		owed[tag] = true
	}
	for _, p := range mc.purging {
		owed[p.tag] = true
	}
	for tag := range mc.purged {
		owed[tag] = true
	}
	for _, x := range mc.erasing {
		owed[x.want.Tag] = true
	}
	for _, c := range mc.submitted {
		owed[c.tag] = true
	}
	for _, r := range mc.replies {
		if !owed[r.Tag] {
			return fmt.Errorf("a second reply to %v", r.Tag)
		}
		delete(owed, r.Tag)
		if r.Err == nil {
			mc.acked = mc.cap(max(mc.acked, r.Sequence))
		} else if r.Tag == "late" && !errors.Is(r.Err, engine.ErrFailed) {
			return fmt.Errorf("a failed engine answers %w", r.Err)
		}
	}
	if len(owed) > 0 {
		return fmt.Errorf("no reply to %v", owed)
	}
	for mc.runWork() { // what was handed out before it failed
	}
	mc.commit = nil
	if mc.turn(); mc.busy() {
		return errors.New("a failed engine hands out work")
	}
	mc.tick(mc.now + second)
	if _, ok := mc.e.NextTick(); ok {
		return errors.New("a failed engine wants to be woken up")
	}
	if err := sameState(mc.pub.State(), mc.shown.state); err != nil {
		return fmt.Errorf("published by a failed engine: %w", err)
	}
	if mc.acked > mc.pub.Last() {
		return fmt.Errorf("acknowledged %d, published %d", mc.acked, mc.pub.Last())
	}
	return verify(mc.shell, mc.shown.live)
}

// cutLog removes from the disk what is behind the place up to which the log of a failed
// engine can be trusted, and returns the highest number of a block that there was.
func (mc *machine) cutLog(synced bool) (highest uint32) {
	cut := mc.e.WrittenTo()
	if synced {
		cut = mc.e.SyncedTo()
	}
	for _, id := range mc.disk.blocks() {
		highest = max(highest, id)
		if data := mc.disk.current[id]; id > cut.Block {
			delete(mc.disk.current, id)
		} else if id == cut.Block && int64(len(data)) > cut.Offset {
			mc.disk.current[id] = data[:cut.Offset]
		}
	}
	return highest
}

// recoverFailed puts a new engine in the place of a failed one.
func (mc *machine) recoverFailed(synced bool) error {
	shown, counts := mc.pub.Last(), mc.pub.Counts()
	mc.recover(shown, mc.cutLog(synced)+1)
	return mc.recovered(shown, counts)
}

// recovered checks what came out of a recovery, of a stream that had shown so much, and
// goes on with it.
func (mc *machine) recovered(shown uint64, counts engine.Counts) error {
	mc.expireWaiting()
	state := mc.pub.State()
	switch {
	case state.LastSequence < shown:
		return fmt.Errorf("last fell from %d to %d", shown, state.LastSequence)
	case mc.pub.Durable() < counts.Durable:
		return fmt.Errorf("durable fell from %d to %d", counts.Durable, mc.pub.Durable())
	case mc.pub.Counts().Stored < counts.Stored || mc.pub.Counts().RefusedSequence < counts.RefusedSequence:
		return fmt.Errorf("totals fell from %+v to %+v", counts, mc.pub.Counts())
	}
	if mc.cfg.Level == engine.SyncAlways {
		if err := mc.checkPrefix(mc.shell, max(mc.ackedEvents, mc.seenEvents)); err != nil {
			return err
		}
	}
	mc.m = mc.adopt(state)
	mc.followFromHere()
	mc.m.reopenIDs(mc.found)
	mc.expected, mc.submitted, mc.replies, mc.late, mc.erasing = nil, nil, nil, map[any]engine.Reply{}, nil
	mc.purging, mc.purged = nil, map[any]purged{}
	mc.shown = mc.snapshot()
	return mc.quiesce()
}

// adopt returns a model that starts from what was recovered.
func (mc *machine) adopt(state engine.State) *model {
	m := newModel(mc.cfg.Limits, mc.first)
	m.last, m.time, m.stamp = state.LastSequence, state.LastTime, state.LastTime
	for _, ev := range mc.m.log {
		for _, e := range ev.messages {
			there := slices.ContainsFunc(m.live, func(other entry) bool { return other.sequence == e.sequence })
			if got, ok := mc.read(e.sequence); ok && !there && got.time == e.time && got.subject == e.subject &&
				string(got.header) == e.header && string(got.payload) == e.payload {
				m.live = append(m.live, e)
			}
		}
	}
	for _, sequence := range mc.live() {
		got, ok := mc.read(sequence) // of markers the engine has stored some that the model does not know
		if ok && m.marks() && m.index(sequence) < 0 && msgheader.LifeOf(got.header).Marker {
			m.live = append(m.live, entry{sequence, got.time, got.subject, string(got.header), string(got.payload)})
		}
	}
	slices.SortFunc(m.live, func(a, b entry) int { return cmp.Compare(a.sequence, b.sequence) })
	if mc.m.ids != nil {
		m.ids = map[string]uint64{}
	}
	return m
}

func TestEveryFailureIsFinal(t *testing.T) {
	runs, seeds := 0, 40
	if testing.Short() { // the engine has no goroutines: under the race detector there is nothing to find
		seeds = 2
	}
	for seed := range seeds {
		calls := faultScenario(0).Example(seed).calls
		for at := 0; at <= calls; at++ {
			runs++
			if o := faultScenario(at).Example(seed); o.err != nil {
				t.Fatalf("seed %d, operation %d (%s) fails: %v", seed, at, o.what, o.err)
			}
		}
	}
	t.Logf("%d runs", runs)
}
