package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// clone returns a model that goes its own way.
func (m *model) clone() *model {
	own := *m
	own.log, own.live, own.ids = slices.Clone(m.log), slices.Clone(m.live), maps.Clone(m.ids)
	return &own
}

// stored reports whether a message was ever stored.
func (m *model) stored(r record) bool {
	for _, ev := range m.log {
		for _, e := range ev.messages {
			if e.sequence == r.sequence && e.subject == r.subject && e.payload == string(r.payload) {
				return true
			}
		}
	}
	return false
}

// checkCrash recovers a disk as the crash left it and says what is wrong.
// processOnly says that the machine, and with it the page cache, survived, and inOrder that whatever was written
// before something that is left is left, too.
func (mc *machine) checkCrash(d *disk, processOnly, inOrder bool) error {
	s := newShell(mc.cfg, d, engine.NewPublished(), mc.now)
	s.expireWaiting()
	if err := s.e.CheckInvariants(); err != nil {
		return err
	}
	last := s.pub.Last()
	if mc.isCut(s) {
		return nil
	}
	always, never := mc.cfg.Level == engine.SyncAlways, mc.cfg.Level == engine.SyncNever
	if promised := max(mc.pub.Durable(), mc.flushed); last < promised {
		return fmt.Errorf("last is %d, %d was durable", last, promised)
	}
	if processOnly && last < mc.written {
		return fmt.Errorf("last is %d, %d was handed to the system", last, mc.written)
	}
	if shown := max(mc.pub.Last(), mc.acked); last < shown && (always || processOnly && !never) {
		return fmt.Errorf("last is %d, %d was acknowledged", last, shown)
	}
	var err error
	if always || inOrder {
		least := 0
		if always || processOnly && !never {
			least = max(mc.ackedEvents, mc.seenEvents)
		}
		err = mc.checkPrefix(s, least)
	} else {
		err = mc.checkDurable(s)
	}
	if err != nil {
		return err
	}
	if r := s.do(sent{1, &engine.Skip{Count: 1}}); len(r) != 1 || r[0].Err != nil || r[0].Sequence != last+1 {
		return fmt.Errorf("skip after recovery: %+v", r)
	}
	return nil
}

// checkPrefix compares with the stream as it was after some command.
func (mc *machine) checkPrefix(s *shell, least int) (err error) {
	for n := len(mc.m.log); n >= least; n-- {
		p := mc.m.prefix(n, mc.first)
		p.reopen(mc.cfg.Limits)
		one := mc.compareOpened(s, p.clone())
		if one == nil || mc.openedInstead(s, n) {
			return nil
		}
		if n == len(mc.m.log) {
			p.stamp = mc.m.stamp
			for _, group := range mc.expired { // which the model does not know yet
				if p.ageLike(group); mc.compareOpened(s, p.clone()) == nil {
					return nil
				}
			}
		}
		if err == nil || p.last == s.pub.Last() {
			err = fmt.Errorf("after %d of %d events: %w", n, len(mc.m.log), one)
		}
	}
	return err
}

// compareOpened compares with a model, of which an open has removed what is too old.
func (mc *machine) compareOpened(s *shell, p *model) error {
	p.expireAll(s.now)
	p.expireGone(s, s.now)
	p.expireLike(s)
	return comparePrefix(s, p)
}

func comparePrefix(s *shell, p *model) error {
	got, want := s.pub.State(), p.state()
	if want.LastTime == 0 {
		got.LastTime = 0 // a record without a time is taken for an erased one, which says nothing of the last time
	}
	if err := sameState(got, want); err != nil {
		return err
	}
	if got, want := s.e.Deleted(), p.deleted(); !slices.Equal(got, want) {
		return fmt.Errorf("deleted %v, want %v", got, want)
	}
	return verify(s, p.live)
}

// checkDurable asks for what was durable, and that nothing is made up: at the
// weaker levels power loss may leave holes.
func (mc *machine) checkDurable(s *shell) error {
	p := mc.m.clone()
	p.expireAll(s.now)
	p.expireGone(s, s.now)
	p.live = slices.DeleteFunc(p.live, func(e entry) bool {
		gone := slices.ContainsFunc(slices.Concat(s.expired, mc.expired), func(group expired) bool { return slices.Contains(group.sequences, e.sequence) })
		return e.sequence > mc.pub.Durable() || gone && p.mayGo(e, s.now)
	})
	state := s.pub.State()
	l := mc.cfg.Limits
	// A removal that the power took back, before stores that it did not, has the limits remove more. So has
	// a store that would have removed another message of its subject. A marker needs room of its own.
	marked := p.marks() && len(s.expired)+len(mc.expired) > 0
	limited := l.Discard == engine.DiscardOld && (l.MaxMsgs > 0 || l.MaxBytes > 0) && (mc.m.hasRemoved() || marked || l.MaxMsgsPer > 0)
	if l.MaxMsgsPer > 0 && mc.m.hasRemoved() {
		p.live = nil // and the limit of a subject likewise
	}
	for _, e := range p.live {
		if limited && e.sequence < state.FirstSequence {
			continue
		}
		if r, ok := s.read(e.sequence); !ok || string(r.payload) != e.payload {
			return fmt.Errorf("message %d was durable and is gone", e.sequence)
		}
	}
	if state.LastSequence-state.FirstSequence > 10_000 {
		return nil
	}
	for _, sequence := range s.live() {
		if got, _ := s.read(sequence); !mc.m.stored(got) && !(mc.m.marks() && msgheader.LifeOf(got.header).Marker) {
			return fmt.Errorf("message %d is made up", sequence)
		}
	}
	return nil
}

// crashPoints checks recovery at every moment of what the machine does from now
// on. It returns the number of crashes tried.
func (mc *machine) crashPoints() (points *int) {
	points = new(int)
	mc.disk.point = func(what string) {
		modes := []struct {
			name        string
			keep        func() bool
			processOnly bool
			inOrder     bool
		}{
			{"all unsynced lost", dropAll, false, mc.disk.inOrder()},
			{"all kept", keepAll, true, true},
			{"some kept", keepSome(uint64(*points)), false, false},
		}
		for _, mode := range modes {
			*points++
			if err := mc.checkCrash(mc.disk.crash(mode.keep), mode.processOnly, mode.inOrder); err != nil {
				mc.fail("crash %s, %s: %w", what, mode.name, err)
			}
		}
	}
	return points
}

// small draws a configuration whose blocks roll often.
func drawSmallConfig(t *rapid.T) engine.Config {
	cfg := drawConfig(t)
	cfg.BlockSize = min(cfg.BlockSize, 1<<10)
	return cfg
}

func TestAcknowledgedSurvivesCrash(t *testing.T) {
	points, began := 0, time.Now()
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.SampledFrom([]int{0, 1 << 20}).Draw(t, "keep records")
		defer engine.SetKeepRecords(keep)()
		defer drawPurgePieces(t)()
		mc := newMachine(drawSmallConfig(t), newDisk())
		n := mc.crashPoints()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if err := mc.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		points += *n
	})
	t.Logf("%d crashes, %.0f a second", points, float64(points)/time.Since(began).Seconds())
}

// TestAnOpenTakesAtOnceWhatGoesInAWhile: a message that is old, and with it those next to it that are ahead of the clock.
// They are no loss, durable as they were.
func TestAnOpenTakesAtOnceWhatGoesInAWhile(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		cfg := testConfig()
		cfg.Level, cfg.Limits.MaxAge = level, time.Second
		mc := newMachine(cfg, newDisk())
		mc.crashPoints()
		for _, stamp := range []int64{1, start + second, start + second} {
			mc.send(&engine.StoreRaw{Time: stamp})
			mc.send(&engine.Flush{})
			require.NoError(t, mc.quiesce())
		}
		require.Equal(t, []uint64{1, 2, 3}, mc.shell.live())
		mc.advance(second / 2)
		require.NoError(t, mc.quiesce())
		require.Empty(t, mc.shell.live())
	}
}
