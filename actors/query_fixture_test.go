package actors_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// event is one sequence of a fixture, or several that are skipped.
type event struct {
	subject string
	at      int // seconds after fixtureStart; 0: as many as its sequence
	gone    bool
	skipped uint64
}

func msg(subject string) event                { return event{subject: subject} }
func msgAt(subject string, seconds int) event { return event{subject: subject, at: seconds} }
func gone(subject string) event               { return event{subject: subject, gone: true} }
func skipped(count uint64) event              { return event{skipped: count} }

var fixtureStart = time.Unix(1_700_000_000, 0).UTC()

func second(n int) time.Time { return fixtureStart.Add(time.Duration(n) * time.Second) }

// fixture is a stream, given as what happened to it.
type fixture struct {
	events   []event
	maxMsgs  int64
	maxBytes int64
}

// write is one record of a fixture.
type write struct {
	record
	gone    bool
	skipped bool // record.sequence is the last one that is
}

// writes numbers the events. Payloads are of pad bytes or a little more.
func (f *fixture) writes(pad int) (list []write) {
	last := uint64(0)
	for _, e := range f.events {
		if e.skipped > 0 {
			last += e.skipped
			list = append(list, write{record: record{sequence: last}, skipped: true})
			continue
		}
		last++
		at := second(int(last))
		if e.at != 0 {
			at = second(e.at)
		}
		r := record{sequence: last, time: at, subject: e.subject}
		r.payload = fmt.Sprintf("payload-%d;", last) + strings.Repeat(".", pad)
		if last%3 == 0 {
			r.header = fmt.Sprintf("NATS/1.0\r\nN: %d\r\n\r\n", last)
		}
		list = append(list, write{record: r, gone: e.gone})
	}
	return list
}

func (f *fixture) config(dir string) actors.Config {
	return actors.Config{
		Dir: dir, Name: "ORDERS", BlockSize: 4 << 10, Sync: actors.SyncNever,
		MaxMsgs: f.maxMsgs, MaxBytes: f.maxBytes, Discard: actors.DiscardOld,
		IndexFrom: 1, // every full block
	}
}

// written makes the fixture by storing. What is gone was skipped.
func (f *fixture) written(t *testing.T, pad int) (actors.Config, *naive) {
	t.Helper()
	config := f.config(t.TempDir())
	s := open(t, config)
	n := f.store(t, s, pad)
	// A full block has been handed to the indexer when the next one is written to.
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.NoError(t, s.Stop(t.Context()))
	return config, n
}

func (f *fixture) store(t *testing.T, s *actors.Store, pad int) *naive {
	t.Helper()
	n := &naive{maxMsgs: f.maxMsgs, maxBytes: f.maxBytes}
	for _, w := range f.writes(pad) {
		if w.skipped || w.gone {
			last, err := s.Skip(t.Context(), 0, w.sequence-n.last)
			require.NoError(t, err)
			require.Equal(t, w.sequence, last)
			state, err := s.FastState(t.Context())
			require.NoError(t, err)
			n.skip(last, state.LastTime)
			continue
		}
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{
			Sequence: w.sequence, Time: w.time, Subject: w.subject, HeaderBlock: []byte(w.header), Payload: []byte(w.payload),
		})
		require.NoError(t, err)
		n.add(w.record)
	}
	return n
}

// crafted makes the fixture's files as nats-server would have: what is gone was
// stored, and then removed by tombstones at the end. Blocks hold as many records
// as each says.
func (f *fixture) crafted(t *testing.T, each int) (actors.Config, *naive) {
	t.Helper()
	config := f.config(t.TempDir())
	n := &naive{maxMsgs: f.maxMsgs, maxBytes: f.maxBytes}
	dir := filepath.Join(config.Dir, config.Name, "msgs")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	meta := blockio.NewStreamMeta(config.Name, fixtureStart)
	meta.FirstSeq = config.FirstSequence
	require.NoError(t, blockio.WriteMeta(blockio.OS, filepath.Dir(dir), config.Name, meta))
	id, count := uint32(1), 0
	key := blockio.NewRecordCodec(config.Name, id)
	var block []byte
	flush := func() {
		if len(block) > 0 {
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(id, ".blk")), block, 0o600))
			id, count, block = id+1, 0, nil
			key = blockio.NewRecordCodec(config.Name, id)
		}
	}
	add := func(put func()) {
		put()
		if count++; count == each {
			flush()
		}
	}
	writes := f.writes(0)
	for _, w := range writes {
		if w.skipped {
			at := n.lastTime
			if at.IsZero() {
				at = fixtureStart
			}
			add(func() { block = key.AppendSkip(block, w.sequence, at.UnixNano()) })
			n.skip(w.sequence, at)
			continue
		}
		add(func() {
			block = key.AppendMessage(block, w.sequence, nanoseconds(w.time), w.subject, []byte(w.header), []byte(w.payload))
		})
		n.live = append(n.live, w.record)
		n.last, n.lastTime = w.sequence, w.time
	}
	for _, w := range writes {
		if w.gone {
			add(func() { block = key.AppendTombstone(block, w.sequence, nanoseconds(w.time)) })
			n.remove(w.sequence)
		}
	}
	flush()
	n.trim()
	return config, n
}

// nanoseconds writes the zero time as no time, as nats-server does.
func nanoseconds(t time.Time) int64 { return t.UnixNano() }

// shapes are the ways in which a fixture comes to be a store.
var shapes = []struct {
	name string
	open func(t *testing.T, f *fixture) (*actors.Store, *naive)
}{
	{"in memory", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		s := open(t, f.config(t.TempDir()))
		return s, f.store(t, s, 0)
	}},
	{"memory dropped", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		var c clock
		config := f.config(t.TempDir())
		config.Runtime = actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})
		s := open(t, config)
		n := f.store(t, s, 0)
		dropMemory(t, s, &c)
		return s, n
	}},
	{"two in a block", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		s := open(t, f.config(t.TempDir()))
		return s, f.store(t, s, 1600)
	}},
	{"two in a block, reopened", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.written(t, 1600)
		return open(t, config), n
	}},
	{"two in a block, never with index files", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config := f.config(t.TempDir())
		config.IndexFrom = -1
		s := open(t, config)
		n := f.store(t, s, 1600)
		stop(t, s)
		require.Empty(t, indexFiles(t, config))
		return open(t, config), n
	}},
	{"two in a block, reopened without index files", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.written(t, 1600)
		dropIndexFiles(t, config)
		return open(t, config), n
	}},
	{"reopened", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.written(t, 0)
		return open(t, config), n
	}},
	{"two in a block, reopened without index.db", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.written(t, 1600)
		if n.last > 0 { // else there is none
			forgetState(t, config)
		}
		return open(t, config), n
	}},
	{"reopened from the blocks alone", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.written(t, 0)
		if n.last > 0 { // else there is none
			forgetState(t, config)
		}
		dropIndexFiles(t, config)
		return open(t, config), n
	}},
	{"nats-server's, one block", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.crafted(t, 1<<20)
		return open(t, config), n
	}},
	{"nats-server's, each record a block", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.crafted(t, 1)
		return open(t, config), n
	}},
	{"nats-server's, three records a block, opened twice", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.crafted(t, 3)
		require.NoError(t, open(t, config).Stop(t.Context()))
		return open(t, config), n
	}},
	{"nats-server's, each record a block, then without index files", func(t *testing.T, f *fixture) (*actors.Store, *naive) {
		config, n := f.crafted(t, 1)
		require.NoError(t, open(t, config).Stop(t.Context()))
		dropIndexFiles(t, config)
		return open(t, config), n
	}},
}

// indexFiles are the files that the store can make again from its blocks.
func indexFiles(t *testing.T, config actors.Config) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config.Dir, config.Name, "msgs", "*.bix"))
	require.NoError(t, err)
	return files
}

// dropIndexFiles removes them.
func dropIndexFiles(t *testing.T, config actors.Config) {
	t.Helper()
	for _, file := range indexFiles(t, config) {
		require.NoError(t, os.Remove(file))
	}
}

// stopped stops a store within a test.
func stop(t *testing.T, s *actors.Store) {
	t.Helper()
	require.NoError(t, s.Stop(context.Background()))
}
