package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/duplicates"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// machine drives a shell and a model side by side, and compares them after each
// step.
type machine struct {
	*shell
	m     *model
	first uint64 // Config.FirstSequence

	submitted []sent         // not applied by the engine yet: parked
	expected  []engine.Reply // in order of the commands
	after     []int          // events of the model after each of them
	late      map[any]engine.Reply
	toSystem  map[any]bool // of late: flushes to the system
	erasing   []erasing
	purging   []*purging
	purged    map[any]purged
	tags      int
	acked     uint64 // highest sequence in a reply without an error
	// ackedEvents is how many events of the model were acknowledged.
	ackedEvents int
	seenEvents  int // and of those that readers were shown
	// between is what the model was at moments that the engine may publish before it goes on with commands that
	// had to wait: after each purge, and before them.
	between []snapshot
	flushed uint64         // highest sequence in a reply to a flush or stop
	written uint64         // and in one to a flush to the system
	caps    []engine.Reply // to truncations that were carried out, and are not answered yet, with the last sequence then

	shown      snapshot // what readers should see
	committing snapshot // what they should see after the commit
	held       bool     // the commit in flight was held back
	failure    error
	changing   bool           // a change of the limits is under way
	tamper     func(*machine) // a planted fault
}

type snapshot struct {
	state  engine.State
	live   []entry
	events int // that led to it
}

func newMachine(cfg engine.Config, d *disk) *machine {
	mc := &machine{m: newModel(cfg.Limits, cfg.FirstSequence), first: cfg.FirstSequence, late: map[any]engine.Reply{}, toSystem: map[any]bool{}, purged: map[any]purged{}}
	if cfg.Duplicates.Entries > 0 {
		mc.m.ids = map[string]uint64{}
	}
	mc.shell = newShell(cfg, d, engine.NewPublished(), start)
	mc.listen()
	mc.attach()
	return mc
}

// attach starts to compare with a shell that is open and idle.
func (mc *machine) attach() {
	mc.shown = mc.snapshot()
	mc.followFromHere()
	mc.onReady = func(commit bool) {
		if mc.e.Failed() != nil {
			return
		}
		mc.follow()
		current, inflight := mc.e.Held()
		for i := range mc.between {
			if sameState(mc.pub.State(), mc.between[i].state) == nil {
				mc.shown = mc.between[i]
			}
		}
		switch {
		case mc.cfg.Level == engine.SyncNever && !current && !inflight, mc.commit == nil && !current:
			mc.shown, mc.between = mc.snapshot(), nil
		}
		if commit {
			mc.committing, mc.held = mc.snapshot(), inflight
		}
	}
	mc.onTruncated = mc.truncated
	mc.onCommit = func() {
		if mc.cfg.Level != engine.SyncNever || mc.held {
			mc.shown, mc.between = mc.committing, nil
		}
	}
}

func (mc *machine) snapshot() snapshot {
	return snapshot{mc.m.state(), slices.Clone(mc.m.live), len(mc.m.log)}
}

func (mc *machine) fail(format string, args ...any) {
	if mc.failure == nil {
		mc.failure = fmt.Errorf(format, args...)
	}
}

// send gives one command to both.
func (mc *machine) send(c engine.Command) {
	mc.tags++
	s := sent{fmt.Sprintf("%T #%d", c, mc.tags), c}
	mc.submitted = append(mc.submitted, s)
	mc.step(s)
	mc.follow()
}

// follow applies to the model what the engine has applied.
func (mc *machine) follow() {
	mc.followExpiry()
	mc.followPurges()
	if len(mc.submitted) > mc.e.Parked() {
		mc.between = append(mc.between, mc.snapshot())
	}
	for len(mc.submitted) > mc.e.Parked() {
		c := mc.submitted[0]
		mc.submitted = mc.submitted[1:]
		if mc.accepted(c) {
			continue
		}
		want := mc.predict(c)
		_, flush := c.command.(*engine.Flush)
		_, stop := c.command.(*engine.Stop)
		_, erase := c.command.(*engine.Erase)
		if erase {
			mc.erasing = append(mc.erasing, erasing{want, len(mc.m.log)})
		} else if (flush && mc.cfg.Level != engine.SyncAlways || stop || mc.switches(c)) && want.Err == nil {
			mc.late[c.tag] = want
			mc.noteFlush(c)
		} else {
			mc.expected, mc.after = append(mc.expected, want), append(mc.after, len(mc.m.log))
		}
		mc.followSync(c, want)
	}
}

// predict applies a command to the model, unless the engine has refused it since it could not read a block.
func (mc *machine) predict(c sent) engine.Reply {
	for _, r := range append(mc.e.Unsent(), mc.replies...) {
		if r.Tag == c.tag && errors.Is(r.Err, engine.ErrUnreadable) {
			return engine.Reply{Tag: c.tag, Err: engine.ErrUnreadable}
		}
	}
	want := mc.m.apply(c, mc.now)
	switch c.command.(type) {
	case *engine.Purge, *engine.Compact, *engine.SyncDeleted:
		mc.between = append(mc.between, mc.snapshot())
	}
	return want
}

// observe checks the replies that came and the published state.
func (mc *machine) observe() error {
	if err := mc.e.Failed(); err != nil {
		return err // checkFailed wants all the replies that are left
	}
	if mc.tamper != nil {
		mc.tamper(mc)
	}
	for _, r := range mc.replies {
		if found, err := mc.erased(r); found {
			if err != nil {
				return err
			}
			continue
		}
		if found, err := mc.answered(r); found {
			if err != nil {
				return err
			}
			continue
		}
		if want, ok := mc.late[r.Tag]; ok {
			if err := matches(r, want); err != nil {
				return err
			}
			delete(mc.late, r.Tag)
			mc.flushedTo(r)
			continue
		}
		if len(mc.expected) == 0 {
			return fmt.Errorf("a reply to %v, none was due", r.Tag)
		}
		if err := matches(r, mc.expected[0]); err != nil {
			return err
		}
		mc.ackedEvents = max(mc.ackedEvents, mc.after[0])
		mc.expected, mc.after = mc.expected[1:], mc.after[1:]
		if len(mc.caps) > 0 && mc.caps[0].Tag == r.Tag {
			mc.caps = mc.caps[1:]
		} else if r.Err == nil && changes(r.Tag) {
			mc.acked = mc.cap(max(mc.acked, r.Sequence))
		}
	}
	mc.replies, mc.seenEvents = mc.replies[:0], mc.shown.events
	if err := cmp.Or(mc.failure, mc.taker.wrong); err != nil {
		return err
	}
	if err := mc.e.CheckInvariants(); err != nil {
		return err
	}
	// Subjects are counted when a group is published.
	staged, model := mc.e.StagedState(), mc.m.state()
	staged.Subjects, model.Subjects = 0, 0
	if mc.e.FirstTimeStale() {
		staged.FirstTime = model.FirstTime
	}
	if err := sameState(staged, model); err != nil {
		return fmt.Errorf("staged: %w", err)
	}
	if err := sameSubjects(mc.pub.Snapshot(), &mc.shown); err != nil {
		return fmt.Errorf("published: %w", err)
	}
	if err := sameState(mc.pub.State(), mc.shown.state); err != nil {
		return fmt.Errorf("published: %w", err)
	}
	if mc.acked > mc.pub.Last() {
		return fmt.Errorf("acknowledged %d, published %d", mc.acked, mc.pub.Last())
	}
	if d := mc.pub.Durable(); d > mc.pub.Last() || mc.flushed > d {
		return fmt.Errorf("durable %d, published %d, flushed %d", d, mc.pub.Last(), mc.flushed)
	}
	return nil
}

// cap lowers a sequence of a reply to what the truncations that come next have left.
func (mc *machine) cap(sequence uint64) uint64 {
	for _, r := range mc.caps {
		sequence = min(sequence, r.Sequence)
	}
	return sequence
}

func (mc *machine) advance(by int64) {
	mc.tick(mc.now + by)
	mc.follow()
	if at, ok := mc.e.NextTick(); ok && at <= mc.now {
		mc.fail("the next tick is %d ns in the past", mc.now-at)
	}
}

// quiesce runs all work and compares everything.
func (mc *machine) quiesce() error {
	for mc.turn(); mc.runAny() || mc.linger(func(at int64) { mc.advance(at - mc.now) }); mc.turn() {
		mc.follow()
		if err := mc.observe(); err != nil {
			return err
		}
	}
	mc.follow()
	if err := mc.observe(); err != nil {
		return err
	}
	if len(mc.expected) > 0 || len(mc.late) > 0 || len(mc.erasing) > 0 || len(mc.submitted) > 0 || len(mc.purging)+len(mc.purged) > 0 {
		return fmt.Errorf("idle, without replies to %v %v %v %v %v", mc.expected, mc.late, mc.submitted, mc.purging, mc.purged)
	}
	if err := sameState(mc.pub.State(), mc.m.state()); err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	if at, ok := mc.e.NextTick(); len(mc.m.due(mc.now)) > 0 && !mc.m.ended && (!ok || at > mc.now+int64(250*time.Millisecond)) {
		return fmt.Errorf("messages %v are due, and the next tick is %v, %d", mc.m.due(mc.now), ok, at-mc.now)
	}
	if got, want := mc.e.Deleted(), mc.m.deleted(); !slices.Equal(got, want) {
		return fmt.Errorf("deleted %v, want %v", got, want)
	}
	return verify(mc.shell, mc.m.live)
}

// reopen is a restart after the process was killed when nothing was in flight.
func (mc *machine) reopen() error {
	mc.capture()
	mc.pub = engine.NewPublished()
	return mc.resume(0)
}

// resume recovers from the disk and compares with the model.
func (mc *machine) resume(atLeast uint64) error {
	// What fails then is a refused open, which is tried again, or what is removed for its age afterwards.
	var before []expired // by engines that failed when they had served
	for mc.recover(atLeast, 0); mc.e.Failed() != nil; mc.recover(atLeast, 0) {
		before = append(before, mc.expired...)
		if state := mc.pub.State(); !mc.e.Served() && state != engine.NewPublished().State() {
			return fmt.Errorf("a refused open shows %+v", state)
		}
		mc.pub = engine.NewPublished()
	}
	mc.replies, mc.purging, mc.purged = nil, nil, map[any]purged{}
	mc.expiredBefore(before)
	mc.renewed()
	mc.m.reopenIDs(mc.found)
	mc.caps = nil
	if mc.shown = mc.snapshot(); mc.e.Failed() != nil {
		return nil
	}
	return mc.quiesce()
}

// generators

var subjectNames = []string{"", "a", "b", "a.b", "orders.eu.new", "x"}

func drawMessage(t *rapid.T) engine.Message {
	m := engine.Message{Subject: rapid.SampledFrom(subjectNames).Draw(t, "subject")}
	if rapid.IntRange(0, 4).Draw(t, "with header") == 0 {
		m.Header = []byte("NATS/1.0\r\nK: " + strings.Repeat("v", rapid.IntRange(0, 40).Draw(t, "header")) + "\r\n\r\n")
	}
	n := rapid.SampledFrom([]int{0, 1, 10, 50, 100, 200, 700, 1500}).Draw(t, "payload")
	if rapid.IntRange(0, 3).Draw(t, "with TTL") == 3 {
		m.Header = withTTL(m.Header, rapid.SampledFrom(lifetimes[:6]).Draw(t, "TTL"))
	}
	m.Payload = []byte(strings.Repeat(rapid.SampledFrom([]string{"p", "q"}).Draw(t, "byte"), n))
	return withID(t, m)
}

func drawCommand(t *rapid.T, mc *machine) engine.Command {
	last := mc.e.StagedState().LastSequence
	near := func(label string) uint64 {
		return rapid.SampledFrom([]uint64{0, last + 1, last + 1, last, last + 2}).Draw(t, label)
	}
	precondition := func() (p engine.Precondition) {
		if rapid.IntRange(0, 9).Draw(t, "expect") == 0 {
			p.HasExpectLast, p.ExpectLast = true, near("expected")
		}
		return p
	}
	switch k := rapid.IntRange(0, 99).Draw(t, "command"); {
	case k < 55:
		return &engine.Store{Message: rollingUp(t, 8, expecting(t, mc, drawMessage(t))), Precondition: precondition()}
	case k < 67:
		return &engine.StoreRaw{
			Message: drawMessage(t), Sequence: near("sequence"),
			Time:            rapid.SampledFrom([]int64{1, mc.now, mc.now - second, mc.now + second, start, -1}).Draw(t, "time"),
			CheckDiscardNew: rapid.Bool().Draw(t, "check discard new"),
			StampNow:        rapid.Bool().Draw(t, "stamp now"),
		}
	case k < 80:
		c := &engine.StoreBatch{Precondition: precondition()}
		for range rapid.IntRange(0, 5).Draw(t, "batch") {
			c.Messages = append(c.Messages, rollingUp(t, 10, expecting(t, mc, drawMessage(t))))
		}
		return c
	case k < 90:
		return &engine.Skip{
			Sequence: near("sequence"),
			Count:    rapid.SampledFrom([]uint64{0, 1, 2, 1000, 5_000_000}).Draw(t, "count"),
			HasTime:  rapid.Bool().Draw(t, "with a time"),
			Time:     rapid.SampledFrom([]int64{mc.now, mc.now - second, start, -1}).Draw(t, "time of the skip"),
		}
	case k < 93:
		return drawFlush(t)
	default:
		return drawRemoval(t, mc, last)
	}
}

// drawRemoval draws a command that removes messages.
func drawRemoval(t *rapid.T, mc *machine, last uint64) engine.Command {
	if n := len(mc.m.live); n > 0 && rapid.IntRange(0, 3).Draw(t, "erase") == 0 {
		return &engine.Erase{Sequence: mc.m.live[rapid.IntRange(0, n-1).Draw(t, "message")].sequence}
	} else if n > 0 && rapid.IntRange(0, 4).Draw(t, "truncate") == 0 {
		return &engine.Truncate{Sequence: mc.m.live[rapid.IntRange(0, n-1).Draw(t, "message")].sequence + rapid.SampledFrom([]uint64{0, 0, 0, 1}).Draw(t, "behind")}
	}
	sequence := rapid.OneOf(rapid.Uint64Range(0, min(last, 1<<20)+2), rapid.Just(last), rapid.Just(last+1), rapid.Just(last+5))
	switch rapid.IntRange(0, 12).Draw(t, "removal") {
	case 11, 12:
		return drawSyncDeleted(t, mc)
	case 10:
		return &engine.Truncate{Sequence: sequence.Draw(t, "above")}
	case 0:
		return &engine.Purge{}
	case 1, 2:
		return &engine.Compact{Sequence: sequence.Draw(t, "below")}
	case 3, 4, 5:
		c := &engine.Purge{Keep: rapid.SampledFrom([]uint64{0, 0, 1, 2, 100}).Draw(t, "keep")}
		c.Sequence = rapid.OneOf(rapid.Just(uint64(0)), sequence).Draw(t, "below")
		if text := rapid.SampledFrom([]string{"", ">", "a", "a.*", "*", "orders.>", "none"}).Draw(t, "filter"); text != "" {
			set := subject.NewSet(subject.Compile(text))
			c.Filter = &set
		}
		return c
	case 9:
		return &engine.Erase{Sequence: sequence.Draw(t, "sequence")}
	default:
		return &engine.Remove{Sequence: sequence.Draw(t, "sequence")}
	}
}

// changes reports whether the command with a tag was one whose reply has the last sequence.
func changes(tag any) bool { return !strings.HasPrefix(fmt.Sprint(tag), "*engine.Remove") }

func drawConfig(t *rapid.T) engine.Config {
	cfg := testConfig()
	cfg.Level = rapid.SampledFrom([]engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever}).Draw(t, "level")
	cfg.BlockSize = rapid.SampledFrom([]int64{100, 400, 1 << 10, 8 << 20}).Draw(t, "block size")
	cfg.FirstSequence = rapid.SampledFrom([]uint64{0, 1, 1000}).Draw(t, "first sequence")
	cfg.CompactBelow = rapid.SampledFrom([]int{0, 50, 90}).Draw(t, "compact below")
	cfg.Compress = rapid.Bool().Draw(t, "compress")
	cfg.MaxUnwritten = rapid.SampledFrom([]int64{0, 300, 1 << 20}).Draw(t, "unwritten")
	cfg.Limits = engine.Limits{
		MaxMsgs:       rapid.SampledFrom([]int64{0, 1, 3, 10}).Draw(t, "max messages"),
		MaxBytes:      rapid.SampledFrom([]int64{0, 0, 200, 1000, 3000}).Draw(t, "max bytes"),
		MaxAge:        rapid.SampledFrom([]time.Duration{0, time.Second, 3 * time.Second}).Draw(t, "max age"),
		MaxMsgsPer:    rapid.SampledFrom([]int64{0, 0, 1, 2, 3}).Draw(t, "max messages of a subject"),
		DiscardNewPer: rapid.Bool().Draw(t, "discard new of a subject"),
		MaxMsgSize:    rapid.SampledFrom([]int{0, 0, 600}).Draw(t, "max message size"),
		Discard:       rapid.SampledFrom([]engine.DiscardPolicy{engine.DiscardOld, engine.DiscardOld, engine.DiscardNew}).Draw(t, "discard"),
	}
	drawTTLs(t, &cfg.Limits)
	if rapid.Bool().Draw(t, "duplicates") {
		cfg.Duplicates = duplicates.Limits{Entries: 1000, Age: idAge}
	}
	if rapid.Bool().Draw(t, "derived") {
		cfg.Derived = []string{"index.db"}
	}
	return cfg
}

// drawPurgePieces draws which purges are carried out in pieces.
func drawPurgePieces(t *rapid.T) (restore func()) {
	if rapid.Bool().Draw(t, "purge in pieces") {
		return engine.SetPurgePieces(rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "more than"), 1, rapid.SampledFrom([]int{1, 2, 5}).Draw(t, "piece"))
	}
	return func() {}
}

// act takes one step of a random schedule.
func (mc *machine) act(t *rapid.T) error {
	switch k := rapid.IntRange(0, 99).Draw(t, "step"); {
	case k < 40:
		mc.send(drawCommand(t, mc))
	case k < 60:
		mc.turn()
	case k < 75:
		mc.runCommit()
	case k < 85:
		mc.runWork()
	case k < 93:
		mc.advance(rapid.SampledFrom([]int64{0, millisecond, 300 * millisecond, second, 11 * second}).Draw(t, "time"))
	case k < 97:
		return mc.quiesce()
	default:
		if err := mc.quiesce(); err != nil || mc.e.Failed() != nil {
			return err
		}
		return mc.reopen()
	}
	if mc.e.Failed() != nil {
		return nil
	}
	mc.follow()
	return mc.observe()
}

func TestEngineEqualsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.SampledFrom([]int{0, 0, 1 << 20}).Draw(t, "keep records")
		defer engine.SetKeepRecords(keep)()
		defer drawPurgePieces(t)()
		mc := newMachine(drawConfig(t), newDisk())
		mc.resumes = rapid.Bool().Draw(t, "resumes")
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if err := mc.act(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "stop") {
			mc.send(&engine.Stop{})
			mc.send(&engine.Store{})
			if err := mc.quiesce(); err != nil {
				t.Fatal(err)
			}
			if len(mc.disk.pending) > 0 {
				t.Fatalf("stopped with %d changes that are not synced", len(mc.disk.pending))
			}
		}
		if err := mc.reopen(); err != nil {
			t.Fatalf("reopened: %v", err)
		}
		// What is too old goes with tombstones. A block of nothing else goes when the stream is opened next.
		if err := mc.reopen(); err != nil {
			t.Fatalf("reopened once more: %v", err)
		}
		before := mc.disk.crash(keepAll)
		if err := mc.reopen(); err != nil {
			t.Fatalf("reopened twice: %v", err)
		}
		if !mc.disk.equal(before) {
			t.Fatal("recovery of a recovered stream changed it")
		}
	})
}
