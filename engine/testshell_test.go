package engine_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// buffers lends slices and spoils what comes back, so that a late user is seen.
type buffers struct {
	free  []([]byte)
	lent  int
	puts  int
	tight bool // too many are lent
	lost  int  // given up, not put back
}

func (b *buffers) Get() []byte {
	b.lent++
	if n := len(b.free); n > 0 {
		s := b.free[n-1]
		b.free = b.free[:n-1]
		return s
	}
	return make([]byte, engine.BufferSize)
}

func (b *buffers) Tight() bool { return b.tight }

func (b *buffers) Put(s []byte, reuse bool) {
	if !reuse {
		b.lent--
		b.lost++
		return
	}
	if len(s) != engine.BufferSize {
		panic("a slice of another length came back")
	}
	b.lent--
	b.puts++
	s[0], s[1], s[len(s)/2] = 0xee, 0xee, 0xee
	b.free = append(b.free, s)
}

const (
	second      = int64(time.Second)
	millisecond = int64(time.Millisecond)
	// start is when every test begins.
	start = int64(1_700_000_000) * second
)

// testConfig is a stream of 1 KiB blocks at SyncAlways without limits.
func testConfig() engine.Config {
	return engine.Config{
		BlockSize: 1 << 10, Codec: codec{}, Buffers: &buffers{},
		SyncEvery: time.Second, MaxUnwritten: 1 << 20,
	}
}

// shell runs the work of one engine, one operation at a time.
type shell struct {
	cfg  engine.Config
	pub  *engine.Published
	e    *engine.Engine
	disk *disk
	now  int64

	commit      *engine.Commit
	ops         int // done of commit
	failing     error
	work        []engine.Work
	replies     []engine.Reply
	trace       func(string)
	removeBelow uint64          // for the next recovery
	planted     string          // a fault of the shell, see planted_test.go
	owed        []engine.Op     // by a shell that claims to have done them
	taker       *taker          // of notices, or nil
	ticks       int             // of run
	mostFetched int             // schedules that it looks for at a time, at least 1
	indexes     bool            // what it compacts
	left        map[uint64]bool // by the opening after a truncation, or nil
	following   bool            // the model follows what is in expired
	found       []entry         // by the last opening
	captured    *engine.Capture // what the next opening goes on from, or nil
	captures    int
	restored    int       // openings that did
	resumes     bool      // there are such openings
	expired     []expired // what the engine has removed for its age or by its TTL

	// Hooks of the model test.
	onReady  func(commit bool)
	onCommit func()
	// onTruncated is called when another engine has taken over after a truncation, which is cutting meanwhile.
	onTruncated func(last uint64)
	cutting     *engine.Truncation
	known       int // blocks that truncations did not have to scan
}

// newShell opens a stream on d, which may hold blocks.
func newShell(cfg engine.Config, d *disk, pub *engine.Published, now int64) *shell {
	s := &shell{cfg: cfg, disk: d, pub: pub, now: now}
	s.recover(0, 0)
	return s
}

// recover scans the disk into a new engine and opens it.
func (s *shell) recover(atLeast uint64, after uint32) {
	s.mount(atLeast, after)
	resumed := s.taker != nil && s.taker.pub == s.pub
	if !resumed {
		s.register()
	}
	for s.found = nil; s.e.Opening() || s.busy(); s.noteFound() {
		s.turn()
		s.noteFound()
		if !s.runAny() && s.e.Opening() {
			at, ok := s.e.NextTick()
			if !ok {
				panic("an engine that is opening waits for nothing")
			}
			s.tick(at)
		}
		if s.e.Failed() != nil {
			return
		}
	}
	s.noteFound()
	if resumed {
		s.register()
	}
	s.settle()
}

// mount scans the disk, cuts what is torn, and makes the rest durable.
func (s *shell) mount(atLeast uint64, after uint32) {
	r := engine.NewRecovery(s.cfg, s.pub)
	r.AtLeast(atLeast)
	r.RemoveBelow(s.removeBelow)
	ids := s.disk.blocks()
	for i, id := range ids {
		data := s.disk.current[id]
		end := walk(id, data, func(int64, record) {})
		s.disk.current[id] = data[:end]
		if s.captured == nil {
			r.Add(s.scanOf(id, data[:end], i == len(ids)-1))
		}
	}
	s.restore(r)
	r.NextBlockAfter(after)
	for _, id := range r.EmptyBlocks() {
		delete(s.disk.current, id)
	}
	s.disk.durable, s.disk.pending = map[uint32][]byte{}, nil
	for id, data := range s.disk.current {
		s.disk.durable[id] = slices.Clone(data)
	}
	s.commit, s.work, s.failing = nil, nil, nil
	s.e = r.Finish(s.now)
	s.traceExpiry()
}

// reopen stops nothing: it is what follows a crash of the process.
func (s *shell) reopen() {
	s.capture()
	s.pub = engine.NewPublished()
	s.recover(0, 0)
}

// step gives one command to the engine, and spoils its bytes afterwards.
func (s *shell) step(c sent) {
	own := engine.Clone(c.command)
	s.e.Step(c.tag, own)
	spoil := func(m *engine.Message) {
		clear(m.Payload)
		clear(m.Header)
		*m = engine.Message{Subject: "spoilt"}
	}
	switch own := own.(type) {
	case *engine.Store:
		spoil(&own.Message)
		own.ExpectLast++
	case *engine.StoreRaw:
		spoil(&own.Message)
		own.Sequence, own.Time = own.Sequence+1, own.Time+1
	case *engine.StoreBatch:
		for i := range own.Messages {
			spoil(&own.Messages[i])
		}
		own.ExpectLast++
	case *engine.Skip:
		own.Count++
	case *engine.SyncDeleted:
		clear(own.Ranges)
	}
}

func (s *shell) tick(now int64) {
	s.now = max(s.now, now)
	s.e.Tick(now)
}

// turn takes a Ready.
func (s *shell) turn() {
	ready := s.e.Ready()
	s.hear()
	s.replies = append(s.replies, ready.Replies...)
	if ready.Commit != nil {
		if s.commit != nil {
			panic("a commit while one is in flight")
		}
		s.commit, s.ops = ready.Commit, 0
		for _, op := range ready.Commit.Ops {
			s.note("commit %d: %v #%x", ready.Commit.ID, op, hash(op.Data))
		}
	}
	for _, w := range ready.Maintenance {
		s.note("work %d: %v", w.ID, w)
	}
	s.work = append(s.work, ready.Maintenance...)
	if s.onReady != nil {
		s.onReady(ready.Commit != nil)
	}
	if s.planted == "done too early" && s.commit != nil {
		s.claim()
	}
}

func (s *shell) note(format string, args ...any) {
	if s.trace != nil {
		s.trace(fmt.Sprintf(format, args...))
	}
}

func hash(data [][]byte) uint64 {
	h := fnv.New64a()
	for _, d := range data {
		_, _ = h.Write(d)
	}
	return h.Sum64()
}

func (s *shell) busy() bool { return s.commit != nil || len(s.work) > 0 }

// runCommit carries out the next operation of the commit in flight.
func (s *shell) runCommit() bool {
	if len(s.owed) > 0 {
		op := s.owed[0]
		s.owed = s.owed[1:]
		return s.runOp(op) == nil
	}
	if s.commit == nil {
		return false
	}
	c := s.commit
	if s.failing = s.runOp(c.Ops[s.ops]); s.failing == nil {
		if s.ops++; s.ops < len(c.Ops) {
			return true
		}
	}
	s.commit = nil
	s.e.Done(engine.Done{ID: c.ID, Err: s.failing})
	s.hear()
	if s.failing == nil && s.onCommit != nil {
		s.onCommit()
	}
	return true
}

func (s *shell) runOp(op engine.Op) error {
	d, what := s.disk, op.String()
	op = s.spoil(op)
	switch op.Kind {
	case engine.OpRemoveDerived:
		return d.run(what, false, 0)
	case engine.OpCreate:
		return d.run(what, true, op.Block, change{kind: 'c', block: op.Block})
	case engine.OpWrite:
		if int64(len(d.current[op.Block])) != op.Offset {
			panic(fmt.Sprintf("%v into a file of %d bytes", op, len(d.current[op.Block])))
		}
		return d.run(what, op.Sync && s.planted != "no sync of a write", op.Block,
			change{kind: 'w', block: op.Block, offset: op.Offset, data: slices.Concat(op.Data...)})
	case engine.OpSync:
		return d.run(what, true, op.Block)
	case engine.OpSeal:
		return s.seal(what, op.Block, op.Offset)
	}
	panic("unknown operation")
}

func (s *shell) seal(what string, block uint32, size int64) error {
	if int64(len(s.disk.current[block])) != size {
		panic(fmt.Sprintf("%s: the file has %d bytes, not %d", what, len(s.disk.current[block]), size))
	}
	return s.disk.run(what, s.planted != "no sync of a seal", block)
}

// runWork carries out the next piece of maintenance.
func (s *shell) runWork() bool {
	if len(s.work) == 0 {
		return false
	}
	w := s.work[0]
	s.work = s.work[1:]
	done := engine.Done{ID: w.ID}
	switch w.Kind {
	case engine.WorkCompact:
		done.Scan, done.Err = s.compact(w)
		done.Indexed = s.indexes && done.Scan != nil && w.Compaction.IndexFrom >= 0
	case engine.WorkErase:
		done.Err = s.erase(w)
	case engine.WorkTruncate:
		s.truncate(w)
		return true
	case engine.WorkLoad:
		done.Err = s.disk.run(w.String(), false, 0)
		if done.Err == nil {
			done.Table = scan(w.Block, s.upTo(w), false).Table()
		}
	case engine.WorkFind, engine.WorkSubjects, engine.WorkTombstones, engine.WorkIDs, engine.WorkLives:
		if done.Err = s.disk.run(w.String(), false, 0); done.Err == nil {
			s.lookInto(w, &done)
		}
	case engine.WorkFetch, engine.WorkSchedules, engine.WorkZone:
		if done.Err = s.disk.run(w.String(), false, 0); done.Err == nil {
			s.serveSchedules(w, &done)
		}
	case engine.WorkSync:
		done.Err = s.disk.run(w.String(), true, w.Block)
	case engine.WorkSeal:
		done.Err = s.seal(w.String(), w.Block, w.Size)
	case engine.WorkRemove:
		if s.planted == "no removal" {
			break
		}
		done.Err = s.disk.run(w.String(), true, w.Block, change{kind: 'r', block: w.Block})
	case engine.WorkIndex:
		if _, ok := s.disk.current[w.Block]; !ok {
			panic(fmt.Sprintf("block %d is to be indexed, and is not there", w.Block))
		}
		if w.Data != nil && !bytes.Equal(slices.Concat(w.Data...), s.disk.current[w.Block]) {
			panic(fmt.Sprintf("block %d is to be indexed with other bytes than it has", w.Block))
		}
		done.Err = s.disk.run(w.String(), false, 0)
	}
	s.e.Done(done)
	s.hear()
	return true
}

func (s *shell) runAny() bool { return s.runCommit() || s.runWork() }

// settle runs everything until nothing is left to do at this time, or within the
// millisecond that SyncNever may wait for more to write.
func (s *shell) settle() {
	for s.turn(); s.runAny() || s.linger(s.tick); s.turn() {
	}
}

// linger ticks when SyncNever is about to write, or a purge to go on.
func (s *shell) linger(tick func(int64)) bool {
	at, ok := s.e.NextTick()
	if s.cfg.Level != engine.SyncNever && !s.e.PurgeWaits() || !ok || at > s.now+2*millisecond {
		return false
	}
	tick(max(at, s.now))
	return true
}

// do gives commands to the engine, settles, and returns the replies.
func (s *shell) do(commands ...sent) []engine.Reply {
	s.replies = nil
	for _, c := range commands {
		s.step(c)
	}
	s.settle()
	return s.replies
}

// must is do for commands that have to succeed.
func (s *shell) must(t testing.TB, commands ...sent) []engine.Reply {
	t.Helper()
	replies := s.do(commands...)
	for _, r := range replies {
		if r.Err != nil {
			t.Fatalf("%v: %v", r.Tag, r.Err)
		}
	}
	if err := s.e.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	return replies
}

// live returns the sequences that a reader finds.
func (s *shell) live() []uint64 {
	var found []uint64
	for sequence := s.pub.First(); sequence <= s.pub.Last(); sequence++ {
		if _, ok := s.read(sequence); ok {
			found = append(found, sequence)
		}
	}
	return found
}

// read returns the message with a sequence the way a reader gets at it.
func (s *shell) read(sequence uint64) (record, bool) {
	if sequence == 0 || sequence < s.pub.First() || sequence > s.pub.Last() {
		return record{}, false
	}
	b := s.pub.View().Find(sequence)
	if b == nil || b.Deleted(sequence) {
		return record{}, false
	}
	if b.Tail != nil {
		offset, size, found, known := b.Tail.Locate(sequence)
		if known && !found {
			return record{}, false
		}
		if data := b.Tail.Bytes(offset, size); known && data != nil {
			r, ok := decode(b.ID, data)
			return r, ok && r.size == size && r.sequence == sequence
		}
	}
	return s.disk.find(b.ID, sequence)
}
