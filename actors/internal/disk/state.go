package disk

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// What is known of the stream is written beside its blocks, in the files in which a nats-server has it (index.db,
// thw.db, sched.db), from a capture of it. Appending records makes the file older than the blocks: the last record is
// then not the one that it names, and nobody believes it. Anything else that changes or removes a block removes the
// file before.

// stateFiles guards what is beside the blocks: a file that is being written must not be put in its place any more when
// it was outdated meanwhile.
type stateFiles struct {
	epoch atomic.Uint64 // how often it was outdated; changed with mu held
	mu    sync.Mutex
	there bool // a file was put in its place since
}

// outdated notes that a block is about to be changed or removed, and what describes the blocks to be removed before.
func (s *stateFiles) outdated() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch.Add(1)
	s.there = false
}

// StateEpoch returns a number that changes when what was written of the stream is removed.
func (f *Files) StateEpoch() uint64 { return f.state.epoch.Load() }

// removeState removes what was written of the stream.
func (f *Files) removeState() error {
	s := &f.state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch.Add(1)
	if !s.there {
		return nil
	}
	if err := f.Blocks.RemoveDerived(blockio.StateFile, blockio.TTLFile, blockio.SchedulesFile); err != nil {
		return err
	}
	s.there = false
	return nil
}

// StateWork writes down what is known of a stream.
type StateWork struct {
	Capture *engine.Capture // all that it speaks of is durable
	Epoch   uint64          // StateEpoch when it was captured
	Sync    bool            // the files are to be durable, too
	Last    bool            // the stream stops: nothing is appended any more
}

// ErrOutdated: the stream has changed meanwhile in a way that what was to be written would not tell.
var ErrOutdated = errors.New("the stream has changed meanwhile")

// WriteState writes the files of the stream's state. It reports whether the files of the blocks are as after a stop,
// so that the next opening can go on from what was written. The capture is the caller's no more.
func (f *Files) WriteState(w StateWork) (whole bool, err error) {
	e := stateEncoder{files: f, capture: w.Capture, last: w.Last}
	body, err := e.encode()
	if err != nil || body == nil {
		return false, err
	}
	if err := f.putState(blockio.StateFile, body.summed(f.Blocks.Stream()), w); err != nil {
		return false, err
	}
	if !f.encrypted() { // else it would be the only thing in clear
		if err := f.writeDue(w); err != nil {
			return false, err
		}
	}
	if w.Sync {
		err = f.Blocks.SyncStateFiles()
	}
	return e.whole, err
}

func (f *Files) encrypted() bool { return f.Encrypted != nil && f.Encrypted() }

// putState writes a file and puts it in its place, unless it is outdated.
func (f *Files) putState(name string, pieces [][]byte, w StateWork) error {
	if err := f.Blocks.WriteStateFile(name, pieces, w.Sync, f.encrypted()); err != nil {
		return err
	}
	s := &f.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch.Load() != w.Epoch {
		return errors.Join(ErrOutdated, f.Blocks.DropStateFile(name))
	}
	s.there = true
	return f.Blocks.PutStateFile(name)
}

// writeDue writes when messages expire and schedules are due, for a nats-server: they are not read here. It goes by them
// up to their Next, and by the blocks from there on.
func (f *Files) writeDue(w StateWork) error {
	next := w.Capture.LastSequence + 1
	if t := ttlsOf(w.Capture); t != nil {
		t.Next = next
		if err := f.putState(blockio.TTLFile, [][]byte{t.Append(nil)}, w); err != nil {
			return err
		}
	}
	if len(w.Capture.Schedules) > 0 {
		s := streamstate.Schedules{Next: next}
		for _, c := range w.Capture.Schedules {
			s.Entries = append(s.Entries, streamstate.Schedule{Subject: c.Subject, At: c.Due, Sequence: c.Sequence})
		}
		return f.putState(blockio.SchedulesFile, [][]byte{s.Append(nil)}, w)
	}
	return nil
}

// ttlsOf returns when messages expire, nil when that is not known of all, or there is none of them.
func ttlsOf(c *engine.Capture) *streamstate.TTLs {
	if c.TTL != engine.TTLOn {
		return nil
	}
	t := &streamstate.TTLs{}
	for i := range c.Blocks {
		if !c.Blocks[i].LivesKnown {
			return nil
		}
		for l := range c.Blocks[i].Lives() {
			if l.HasDue() {
				t.Entries = append(t.Entries, streamstate.TTL{At: l.Due, Sequence: l.Sequence})
			}
		}
	}
	if len(t.Entries) == 0 {
		return nil
	}
	return t
}

// noteOpened notes how the files of the blocks are.
func (f *Files) noteOpened(list []blockio.BlockInfo) {
	f.opened = make(map[uint32]blockio.BlockInfo, len(list))
	for _, b := range list[:max(0, len(list)-1)] {
		f.opened[b.ID] = b
	}
}

// unchanged returns an error if somebody else has changed the file of a block that takes no more records, as far as that
// can be seen: it is not what it was when the stream was opened, or when its index was written. What is written down
// would else be of the file as it is now, and what was done to it never be noticed.
func (f *Files) unchanged(file blockio.BlockInfo) error {
	f.beside.Lock()
	opened, known := f.opened[file.ID]
	f.beside.Unlock()
	if known {
		if opened != file {
			return f.contradicted(file.ID, "its file has changed since the stream was opened")
		}
		return nil
	}
	block, err := f.lease(file.ID, true)
	if err != nil {
		return err
	}
	defer block.Release()
	want, err := blockindex.IdentityOf(block, file.ID)
	if err != nil {
		return err
	}
	x, err := blockindex.OpenFile(f.FS, block.Path(), want, blockindex.Options{})
	if err != nil {
		return unlessItProvesNothing(err)
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	if x.Suspect() {
		return f.contradicted(file.ID, "its file has changed since its index was written")
	}
	return nil
}

// lastRecord returns the sequence of the last message or skip of a block, 0 when there is none.
func (f *Files) lastRecord(b *engine.BlockCapture) (last uint64, err error) {
	data, unreadable, err := f.readAll(b.ID, nil)
	if err == nil && len(unreadable) > 0 {
		err = fmt.Errorf("%w: block %d has sectors that cannot be read", errTryAgain, b.ID)
	}
	if err != nil {
		return 0, err
	}
	blockio.ScanBlock(f.Blocks.Path(b.ID), b.ID, f.Blocks.Codec(b.ID), data[:min(int64(len(data)), b.Size)], false,
		func(_ int64, r blockio.Record) {
			if r.Kind == blockio.KindMessage || r.Kind == blockio.KindSkip || r.Kind == blockio.KindErased {
				last = max(last, r.Sequence)
			}
		})
	return last, nil
}
