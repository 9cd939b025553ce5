package engine_test

import (
	"slices"
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

type appender func(b blockCodec, dst []byte) []byte

func msgAt(sequence uint64, time int64) appender {
	return func(b blockCodec, dst []byte) []byte { return b.AppendMessage(dst, sequence, time, "s", nil, nil) }
}

// msg is a message whose time is its sequence.
func msg(sequence uint64) appender { return msgAt(sequence, int64(sequence)) }

func skipped(sequence uint64, time int64) appender {
	return func(b blockCodec, dst []byte) []byte { return b.AppendSkip(dst, sequence, time) }
}

func tomb(sequence uint64) appender {
	return func(b blockCodec, dst []byte) []byte { return b.AppendTombstone(dst, sequence, int64(sequence)) }
}

// frameOf is a frame: a mark and records.
func frameOf(records ...appender) appender {
	return func(b blockCodec, dst []byte) []byte {
		crc := markCRC(uint32(b), dst)
		start := len(dst) + 30
		dst = append(dst, make([]byte, 30)...)
		for _, r := range records {
			at := len(dst)
			dst = r(b, dst)
			crc = b.LengthsCRC(crc, dst[at:])
		}
		b.PutFrameMark(dst[start-30:start], uint32(len(dst)-start), crc)
		return dst
	}
}

func blockOf(id uint32, records ...appender) []byte {
	data := []byte{}
	for _, r := range records {
		data = r(blockCodec(id), data)
	}
	return data
}

func TestRecovery(t *testing.T) {
	none := engine.NoTime
	type blocks map[uint32][]appender
	for _, row := range []struct {
		name      string
		blocks    blocks
		live      []uint64
		last      uint64
		lastTime  int64
		deleted   []engine.SequenceRange
		remaining []uint32 // blocks afterwards; nil: the same
	}{
		{name: "nothing", lastTime: none},
		{name: "an empty block", blocks: blocks{1: nil}, lastTime: none},
		{name: "messages", blocks: blocks{1: {msg(1), msg(2)}, 2: {msg(3)}}, live: []uint64{1, 2, 3}, last: 3, lastTime: 3},
		{name: "block numbers with gaps", blocks: blocks{3: {msg(1)}, 900: {msg(2)}}, live: []uint64{1, 2}, last: 2, lastTime: 2},
		{name: "holes without records", blocks: blocks{1: {msg(5), msg(9)}, 2: {msg(20)}}, live: []uint64{5, 9, 20}, last: 20, lastTime: 20,
			deleted: []engine.SequenceRange{{First: 6, Last: 8}, {First: 10, Last: 19}}},
		{name: "duplicate and backward sequences in a block", blocks: blocks{1: {msg(1), msg(3), msg(3), msg(2), msg(4)}},
			live: []uint64{1, 3, 4}, last: 4, lastTime: 4, deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "a block that overlaps the one before", blocks: blocks{1: {msg(1), msg(2), msg(3)}, 2: {msg(2), msg(3), msg(4), msg(5)}},
			live: []uint64{1, 2, 3, 4, 5}, last: 5, lastTime: 5},
		{name: "a block of duplicates stays", blocks: blocks{1: {msg(1), msg(2)}, 2: {msg(1), msg(2)}, 3: {msg(3)}},
			live: []uint64{1, 2, 3}, last: 3, lastTime: 3},
		{name: "sequence zero is no message", blocks: blocks{1: {skipped(0, 3), msg(1)}}, live: []uint64{1}, last: 1, lastTime: 1},
		{name: "tombstone in the same block", blocks: blocks{1: {msg(1), msg(2), msg(3), tomb(2)}}, live: []uint64{1, 3}, last: 3, lastTime: 3,
			deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "tombstone before its message", blocks: blocks{1: {tomb(2), msg(1), msg(2), msg(3)}}, live: []uint64{1, 3}, last: 3, lastTime: 3,
			deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "tombstones in later blocks", blocks: blocks{1: {msg(1), msg(2), msg(3)}, 2: {tomb(1), msg(4)}, 3: {tomb(3), tomb(1), msg(5)}},
			live: []uint64{2, 4, 5}, last: 5, lastTime: 5, deleted: []engine.SequenceRange{{First: 3, Last: 3}}},
		{name: "tombstones do not roll the first back", blocks: blocks{1: {msg(1), msg(2)}, 2: {msg(3), tomb(1)}, 3: {tomb(2), msg(4)}},
			live: []uint64{3, 4}, last: 4, lastTime: 4, remaining: []uint32{2, 3}},
		{name: "tombstones of nothing", blocks: blocks{1: {msg(5), tomb(2)}, 2: {msg(6), tomb(3)}}, live: []uint64{5, 6}, last: 6, lastTime: 6},
		{name: "newest message deleted", blocks: blocks{1: {msg(1), msg(2), tomb(2)}}, live: []uint64{1}, last: 2, lastTime: 2,
			deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "a tombstone keeps the last sequence", blocks: blocks{1: {msg(1)}, 3: {tomb(7)}}, live: []uint64{1}, last: 7, lastTime: 7,
			deleted: []engine.SequenceRange{{First: 2, Last: 7}}},
		{name: "only a tombstone", blocks: blocks{2: {tomb(7)}}, last: 7, lastTime: 7},
		{name: "tombstones of lower sequences in the last block", blocks: blocks{1: {msg(1), msg(2), msg(20)}, 2: {tomb(1), tomb(2), tomb(20)}},
			last: 20, lastTime: 20, remaining: []uint32{2}},
		{name: "everything deleted, the last block knows too little", blocks: blocks{1: {msg(1), msg(20), tomb(20)}, 2: {tomb(1)}},
			last: 20, lastTime: 20, remaining: []uint32{2}},
		{name: "crash between the new tail and the end of the old block", blocks: blocks{1: {msg(1)}, 2: {msg(2)}, 3: {tomb(2)}},
			live: []uint64{1}, last: 2, lastTime: 2, deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "erased newest message", blocks: blocks{1: {msg(1), skipped(2, 0), tomb(2)}}, live: []uint64{1}, last: 2, lastTime: 2,
			deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "erased newest message, tombstone in a later block", blocks: blocks{1: {msg(1), skipped(2, 0)}, 2: {tomb(2)}},
			live: []uint64{1}, last: 2, lastTime: 2, deleted: []engine.SequenceRange{{First: 2, Last: 2}}},
		{name: "skips", blocks: blocks{1: {skipped(5, 5), msg(6), skipped(8, 6), msg(9)}, 2: {skipped(12, 9)}}, live: []uint64{6, 9}, last: 12, lastTime: 9,
			deleted: []engine.SequenceRange{{First: 7, Last: 8}, {First: 10, Last: 12}}},
		{name: "only skips", blocks: blocks{1: {skipped(5, 3)}}, last: 5, lastTime: 3},
		{name: "frame marks are nothing", blocks: blocks{1: {frameOf(msg(1), msg(2)), frameOf()}}, live: []uint64{1, 2}, last: 2, lastTime: 2},
		{name: "empty highest block", blocks: blocks{1: {msg(1)}, 2: nil}, live: []uint64{1}, last: 1, lastTime: 1},
		{name: "empty blocks in between go", blocks: blocks{1: {msg(1)}, 2: nil, 3: nil, 4: {msg(2)}, 5: nil}, live: []uint64{1, 2}, last: 2, lastTime: 2,
			remaining: []uint32{1, 4, 5}},
		{name: "first deleted at open, and that of the next block", blocks: blocks{1: {msg(1), tomb(1)}, 2: {msg(2), msg(3), tomb(2)}},
			live: []uint64{3}, last: 3, lastTime: 3, remaining: []uint32{2}},
	} {
		for _, keep := range []int{0, 1 << 20} {
			t.Run(row.name, func(t *testing.T) {
				defer engine.SetKeepRecords(keep)()
				d := newDisk()
				var want []uint32
				for id, records := range row.blocks {
					d.current[id] = blockOf(id, records...)
					want = append(want, id)
				}
				if slices.Sort(want); row.remaining != nil {
					want = row.remaining
				}
				s := newShell(testConfig(), d, engine.NewPublished(), start)
				for pass := range 3 {
					if err := s.e.CheckInvariants(); err != nil {
						t.Fatalf("pass %d: %v", pass, err)
					}
					state := s.pub.State()
					if state.LastSequence != row.last || state.LastTime != row.lastTime || state.LostMessages != 0 {
						t.Fatalf("pass %d: state %+v", pass, state)
					}
					if got := s.live(); !slices.Equal(got, row.live) || int(state.Messages) != len(row.live) {
						t.Fatalf("pass %d: live %v, %+v", pass, got, state)
					}
					if len(row.live) > 0 && (state.FirstSequence != row.live[0] || state.FirstTime != int64(row.live[0])) {
						t.Fatalf("pass %d: state %+v", pass, state)
					}
					if got := s.e.Deleted(); !slices.Equal(got, row.deleted) {
						t.Fatalf("pass %d: deleted %v", pass, got)
					}
					if got := d.blocks(); !slices.Equal(got, want) {
						t.Fatalf("pass %d: blocks %v, want %v", pass, got, want)
					}
					s.reopen()
				}
				if r := s.must(t, store("x", 1)); r[0].Sequence != row.last+1 {
					t.Fatalf("next sequence %d", r[0].Sequence)
				}
			})
		}
	}
}

func TestEmptyHighestBlockIsUsedAgain(t *testing.T) {
	d := newDisk()
	d.current[1], d.current[2] = blockOf(1, msg(1)), []byte{}
	s := newShell(testConfig(), d, engine.NewPublished(), start)
	s.must(t, store("a", 0))
	if got := d.blocks(); !slices.Equal(got, []uint32{1, 2}) || len(d.current[2]) == 0 {
		t.Fatalf("blocks %v", got)
	}
}

func TestAnEmptyTailTakesOverTheLastSequence(t *testing.T) {
	d := newDisk()
	d.current[1], d.current[2] = blockOf(1, msg(1), msg(2)), []byte{}
	cfg := testConfig()
	cfg.Limits.MaxAge = 1
	s := newShell(cfg, d, engine.NewPublished(), start)
	if got := d.blocks(); !slices.Equal(got, []uint32{2}) {
		t.Fatalf("blocks %v", got)
	}
	checkState(t, s, engine.State{FirstSequence: 3, FirstTime: engine.NoTime, LastSequence: 2, LastTime: 2})
}

func TestSequencesAreNotUsedTwice(t *testing.T) {
	for _, row := range []struct {
		name    string
		first   uint64
		atLeast uint64
		records []appender
		want    uint64
	}{
		{"below the last", 0, 1, []appender{msg(1), msg(2)}, 3},
		{"above the last", 0, 9, []appender{msg(1), msg(2)}, 10},
		{"nothing left", 0, 9, nil, 10},
		{"nothing left of a stream that begins later", 1000, 2000, nil, 2001},
		{"a stream that begins later and never began", 1000, 999, nil, 1000},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.FirstSequence = row.first
			d := newDisk()
			d.current[1] = blockOf(1, row.records...)
			s := &shell{cfg: cfg, disk: d, pub: engine.NewPublished(), now: start}
			s.recover(row.atLeast, 5)
			if r := s.must(t, store("a", 0)); r[0].Sequence != row.want {
				t.Fatalf("next sequence %d, want %d", r[0].Sequence, row.want)
			}
			s.reopen()
			if s.pub.Last() != row.want {
				t.Fatalf("last %d after a restart", s.pub.Last())
			}
		})
	}
}

func TestLostSequencesAreNotUsedAgain(t *testing.T) {
	s := engine.NewScan(1)
	s.Message(1, 1, 0, 30, nil)
	s.Finish(60, false, []uint64{2}, 30)
	r := engine.NewRecovery(testConfig(), engine.NewPublished())
	r.Add(s)
	sh := &shell{cfg: testConfig(), disk: newDisk(), e: r.Finish(start), now: start}
	sh.pub = sh.e.Published()
	sh.disk.current[1] = make([]byte, 60)
	sh.settle()
	state := sh.pub.State()
	if state.LostMessages != 1 || state.LostBytes != 30 || state.LastSequence != 2 || state.Deleted != 1 {
		t.Fatalf("state %+v", state)
	}
	if got := sh.must(t, store("a", 0)); got[0].Sequence != 3 {
		t.Fatalf("next sequence %d", got[0].Sequence)
	}
}

func TestCommandsWaitForOpening(t *testing.T) {
	d := newDisk()
	d.current[1] = blockOf(1, msg(1), msg(2), tomb(1))
	s := &shell{cfg: testConfig(), disk: d, pub: engine.NewPublished(), now: start}
	s.mount(0, 0)
	if r := s.must(t, store("a", 0)); r[0].Sequence != 3 {
		t.Fatalf("replies %+v", r)
	}
	if got := s.live(); !slices.Equal(got, []uint64{2, 3}) {
		t.Fatalf("live %v", got)
	}
}

// A command meets the stream as it is when tombstones are applied: with room for one
// message more, here.
func TestCommandsMeetTheOpenedStream(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	d := newDisk()
	d.current[1] = blockOf(1, msg(1), msg(2), tomb(1))
	cfg := testConfig()
	cfg.Limits = engine.Limits{MaxMsgs: 2, Discard: engine.DiscardNew}
	s := &shell{cfg: cfg, disk: d, pub: engine.NewPublished(), now: start}
	s.mount(0, 0)
	s.must(t, store("a", 0))
	if got := s.live(); !slices.Equal(got, []uint64{2, 3}) {
		t.Fatalf("live %v", got)
	}
}

// Limits count what tombstones have left, also when the table comes in that these wait
// for.
func TestLimitsComeAfterTombstones(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	d := newDisk()
	d.current[1] = blockOf(1, msg(1), msg(2), msg(3), tomb(2))
	cfg := testConfig()
	cfg.Limits = engine.Limits{MaxMsgs: 2}
	d.current[2] = blockOf(2, msg(4), msg(5))
	d.current[3] = blockOf(3, msg(6), msg(7), tomb(6), tomb(7), tomb(5), tomb(4))
	s := newShell(cfg, d, engine.NewPublished(), start)
	if got := s.live(); !slices.Equal(got, []uint64{1, 3}) {
		t.Fatalf("live %v", got)
	}
}

func TestMessagesThatVanishAreCountedAsLost(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	for _, row := range []struct {
		name string
		age  bool // drop whole blocks instead of single messages
		left int  // records that are left of a block that had seven
		lost uint64
	}{
		{"all, one by one", false, 0, 7},
		{"some, one by one", false, 3, 4},
		{"all of a block", true, 0, 7},
		{"some of a block", true, 3, 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(sevenABlock)
			for range 70 { // ten blocks
				s.must(t, store("a", 100))
			}
			s.cfg.Limits.MaxMsgs = 70
			if row.age {
				s.cfg.Limits = engine.Limits{MaxAge: 1}
				s.now = start - second
			}
			s.reopen()
			clear(s.disk.current[4][(30+131)*row.left:])
			if row.age {
				s.tick(start + second)
				s.settle()
				s.tick(start + 2*second)
				s.settle()
			}
			for range 70 {
				s.do(store("b", 0))
			}
			if err := s.e.CheckInvariants(); err != nil {
				t.Fatal(err)
			}
			state := s.pub.State()
			if state.LostMessages != row.lost || state.LostBytes != row.lost*131 || state.LastSequence != 140 || state.Messages != 70 {
				t.Fatalf("state %+v", state)
			}
		})
	}
}

func TestViewWalksTheBlocks(t *testing.T) {
	s := open(nil)
	s.must(t, repeat(store("a", 100), 70)...)
	v := s.pub.View()
	n, b := 0, v.Find(1)
	for ; b != nil; b = v.Next(b) {
		if b != v.Blocks()[n] {
			t.Fatalf("block %d comes at %d", b.ID, n)
		}
		n++
	}
	if n != 10 || v.Find(0) != nil {
		t.Fatalf("%d blocks", n)
	}
	gone := v.Blocks()[3]
	s.e.Tick(start)
	s.cfg.Limits.MaxMsgs = 20
	s.reopen()
	if next := s.pub.View().Next(gone); next == nil || next.ID != 8 {
		t.Fatalf("after a block that is gone: %+v", next)
	}
	var got []uint64
	tail := v.Blocks()[9].Tail
	records, _ := tail.Table()
	for i := records.Search(66); i < records.Len() && len(got) < 3; i++ {
		got = append(got, records.Sequence(i))
	}
	if !slices.Equal(got, []uint64{66, 67, 68}) {
		t.Fatalf("records %v", got)
	}
}
