package actors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// damageDir is where the stream of a world is, in every file system.
const damageDir = "data"

// A damageWorld is a small stream, and all that was ever stored in it.
type damageWorld struct {
	name     string
	config   actors.Config // without directory and file system
	stored   map[uint64]record
	live     map[uint64]bool
	cutOff   map[uint64][]record // what a truncation has removed
	evicted  map[uint64]bool     // that a limit has removed: nothing but the limit says so
	last     uint64              // highest sequence that was acknowledged, skipped ones too
	frames   map[uint64]uint64   // of each sequence that has a record, the first sequence of its commit
	history  map[string][][]byte // of each file, what it held before, oldest first
	literal  string              // a subject that several messages have
	wildcard string              // a pattern that some subjects match
	images   []*damageImage
}

// A damageImage is a directory of a world as it may be found.
type damageImage struct {
	world *damageWorld
	name  string
	// openEnd: nothing says where the stream ended, as nobody stopped it. What is missing at the very end
	// was then never there, as far as anybody can tell.
	openEnd bool
	files   []*damageFile // by path
	base    *blocktest.MemFS
}

// A damageFile is a file of an image.
type damageFile struct {
	path    string // below the folder of the stream, with slashes
	data    []byte
	block   uint32 // 0: no block
	placed  []placedRecord
	head    bool // the first block
	tail    bool // the last block with anything in it
	dataEnd int  // behind the last record
	older   [][]byte
	windows []damageWindow // that are zeroed
}

// A placedRecord is where a record is in its block.
type placedRecord struct {
	from, to int
	kind     blockio.Kind
	sequence uint64
	skipped  uint64 // of a skip: its first sequence
	floor    uint64 // of a floor: all below is removed
	frame    int    // where its commit begins
	foreign  bool   // by nats-server: without a mark before it
}

// sequenced reports whether the record has a place in the order of sequences.
func (p *placedRecord) sequenced() bool {
	return p.kind == blockio.KindMessage || p.kind == blockio.KindSkip || p.kind == blockio.KindErased
}

// damageRuntime has a clock of its own, so that all runs find the same bytes.
func damageRuntime(start time.Time) *actors.Runtime {
	var now atomic.Int64
	return actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time {
		return start.Add(time.Duration(now.Add(int64(time.Millisecond))))
	}})
}

func (w *damageWorld) matchWildcard(subject string) bool {
	return strings.HasPrefix(subject, strings.TrimSuffix(w.wildcard, "*")) && !strings.Contains(strings.TrimPrefix(subject, strings.TrimSuffix(w.wildcard, "*")), ".")
}

// limit is how many messages the stream may hold, 0 for any number.
func (w *damageWorld) limit() int { return int(max(w.config.MaxMsgs, 0)) }

// limited reports whether a limit removes messages from the stream.
func (w *damageWorld) limited() bool { return w.config.MaxMsgs > 0 || w.config.MaxMsgsPer > 0 }

// damageWorlds makes all worlds.
func damageWorlds(t *testing.T) []*damageWorld {
	return append(damageWorldsOfStores(t), damageWorldsOfRemovals(t)...)
}

// damageWorldsOfStores makes those in which nothing is removed but by a limit, or by a server.
func damageWorldsOfStores(t *testing.T) []*damageWorld {
	return []*damageWorld{
		newDamageWorld(t, "lone", actors.Config{IndexFrom: -1}, func(b *damageBuilder) {
			b.store(9, 150)
			b.skip(3)
			b.store(12, 260)
			b.store(1, 0)
			b.store(6, 300)
		}),
		newDamageWorld(t, "groups", actors.Config{IndexFrom: -1}, func(b *damageBuilder) {
			for i := range 9 {
				b.batch(2+i%4, 180)
				if i == 5 {
					b.skip(2)
				}
			}
		}),
		newDamageWorld(t, "indexed", actors.Config{IndexFrom: 1}, func(b *damageBuilder) {
			b.store(5, 200)
			b.batch(6, 220)
			b.skip(4)
			b.batch(5, 300)
			b.store(6, 250)
			b.batch(3, 100)
		}),
		newDamageWorld(t, "limited", actors.Config{IndexFrom: -1, MaxMsgs: 20}, func(b *damageBuilder) {
			b.store(14, 300)
			b.batch(4, 200)
			b.store(12, 300)
			b.batch(5, 200)
			b.store(4, 200)
		}),
		newDamageWorld(t, "limited-indexed", actors.Config{IndexFrom: 1, MaxMsgs: 16}, func(b *damageBuilder) {
			b.store(9, 300)
			b.batch(5, 250)
			b.store(7, 300)
		}),
		goldenDamageWorld(t, "deletes", "foo.1", false),
		goldenDamageWorld(t, "deletes", "foo.1", true),
		goldenDamageWorld(t, "headers", "foo.h", false),
		goldenDamageWorld(t, "headers", "foo.h", true),
		goldenDamageWorld(t, "multi-block", "foo.1", false),
		goldenDamageWorld(t, "multi-block", "foo.1", true),
	}
}

// A damageBuilder stores the messages of a world.
type damageBuilder struct {
	t       *testing.T
	runtime *actors.Runtime
	world   *damageWorld
	fs      *blocktest.MemFS
	stream  *actors.Store
	n       int
}

// newDamageWorld makes a world by a script, and takes it as a crash leaves it and as a stop does.
func newDamageWorld(t *testing.T, name string, config actors.Config, script func(b *damageBuilder)) *damageWorld {
	config.Name, config.BlockSize, config.Discard = "ORDERS", 4<<10, actors.DiscardOld
	w := &damageWorld{
		name: name, config: config, literal: "a.1", wildcard: "b.*",
		stored: make(map[uint64]record), live: make(map[uint64]bool), evicted: make(map[uint64]bool),
		cutOff: make(map[uint64][]record), frames: make(map[uint64]uint64), history: make(map[string][][]byte),
	}
	b := &damageBuilder{t: t, world: w, fs: blocktest.NewMemFS(), runtime: damageRuntime(fixtureStart)}
	if config.MaxMsgs > 0 { // the meta file has an earlier state, too
		before := config
		before.MaxMsgs = 100
		b.open(before)
		require.NoError(t, b.stream.Stop(t.Context()))
		b.remember()
	}
	b.open(config)
	script(b)
	b.settle()
	w.addImage(t, "crash", b.fs.Clone(), true)
	require.NoError(t, b.stream.Stop(t.Context()))
	b.remember()
	w.addImage(t, "stopped", b.fs.Clone(), false)
	return w
}

func (b *damageBuilder) open(config actors.Config) {
	config.Dir, config.FS, config.Runtime = damageDir, b.fs, b.runtime
	s, err := actors.Open(b.t.Context(), quiet, config)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = s.Stop(context.Background()) })
	b.stream = s
}

func (b *damageBuilder) message(size int) actors.BatchMessage {
	b.n++
	m := actors.BatchMessage{
		Subject: []string{"a.1", "b.1", "a.2", "b.2", "b.2.deep", "a.1"}[b.n%6],
		Payload: bytes.Repeat([]byte{byte(b.n), 0xa5, byte(b.n * 7)}, (size+b.n*37%60)/3),
	}
	if b.n%4 == 0 {
		m.Header = actors.Header{"Number": {fmt.Sprint(b.n)}}
	}
	if size == 0 {
		m.Payload = nil
	}
	return m
}

// store commits messages one by one, with payloads of about size bytes.
func (b *damageBuilder) store(n, size int) {
	for range n {
		m := b.message(size)
		ack, err := b.stream.StoreMsg(b.t.Context(), m.Subject, m.Header, m.Payload)
		require.NoError(b.t, err)
		b.keep(ack.Sequence, ack.Time, m, ack.Sequence)
		b.remember()
	}
}

// batch commits messages together.
func (b *damageBuilder) batch(n, size int) {
	messages := make([]actors.BatchMessage, n)
	for i := range messages {
		messages[i] = b.message(size)
	}
	ack, err := b.stream.StoreBatch(b.t.Context(), messages)
	require.NoError(b.t, err)
	for i, m := range messages {
		b.keep(ack.First+uint64(i), ack.Time, m, ack.First)
	}
	b.remember()
}

func (b *damageBuilder) skip(n uint64) {
	last, err := b.stream.Skip(b.t.Context(), 0, n)
	require.NoError(b.t, err)
	b.world.last, b.world.frames[last] = last, last
}

func (b *damageBuilder) keep(sequence uint64, at time.Time, m actors.BatchMessage, frame uint64) {
	header, err := m.Header.AppendBlock(nil)
	require.NoError(b.t, err)
	b.world.stored[sequence] = record{sequence, at, m.Subject, string(header), string(m.Payload)}
	b.world.last, b.world.frames[sequence] = sequence, frame
	b.world.live[sequence] = true
	b.evict(m.Subject)
}

// remember notes what the files hold now.
func (b *damageBuilder) remember() {
	for name, data := range readAllFiles(b.t, b.fs, path.Join(damageDir, b.world.config.Name)) {
		if known := b.world.history[name]; len(known) == 0 || !bytes.Equal(known[len(known)-1], data) {
			b.world.history[name] = append(known, data)
		}
	}
}

// readAllFiles returns what the files below a folder hold, the lock file left out.
func readAllFiles(t *testing.T, fsys blockio.FS, dir string) map[string][]byte {
	files, err := damageFiles(fsys, dir)
	require.NoError(t, err)
	return files
}

func damageFiles(fsys blockio.FS, dir string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, folder := range []string{"", "msgs", "lost+found"} {
		entries, err := fsys.ReadDir(path.Join(dir, folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir || e.Name == "millrace.lock" {
				continue
			}
			name := path.Join(folder, e.Name)
			data, err := readFileOf(fsys, path.Join(dir, name), e.Size)
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since
			}
			if err != nil {
				return nil, err
			}
			files[name] = data
		}
	}
	return files, nil
}

func readFileOf(fsys blockio.FS, name string, size int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, _ := f.ReadAt(data, 0) // shorter when it is being cut
	return data[:n], f.Close()
}

// goldenDamageWorld is a directory that nats-server wrote: as it left it, or adopted, which is after a store
// of ours has written to it and was stopped.
func goldenDamageWorld(t *testing.T, name, literal string, adopted bool) *damageWorld {
	from := filepath.Join("testdata", "golden", name)
	data, err := os.ReadFile(filepath.Join(from, "expected.json"))
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(data, &g))
	w := &damageWorld{
		name: name, config: actors.Config{Name: g.Stream, BlockSize: 4 << 10, IndexFrom: -1},
		stored: make(map[uint64]record), live: make(map[uint64]bool), last: g.State.LastSequence,
		evicted: make(map[uint64]bool), literal: literal, wildcard: "foo.*",
	}
	for i := range g.Messages {
		m := &g.Messages[i]
		w.stored[m.Sequence] = record{m.Sequence, goldenTime(t, m.Time), m.Subject, string(m.Header), string(m.Payload)}
		w.live[m.Sequence] = true
	}
	memory := blocktest.NewMemFS()
	root := filepath.Join(from, "streams")
	require.NoError(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		to := path.Join(damageDir, filepath.ToSlash(below))
		if entry.IsDir() {
			return memory.MkdirAll(to)
		}
		data, err := os.ReadFile(name)
		return errors.Join(err, writeFileTo(memory, to, data))
	}))
	if !adopted {
		w.addImage(t, "server", memory, true)
		return w
	}
	w.name += "-adopted"
	b := &damageBuilder{t: t, world: w, fs: memory, runtime: damageRuntime(fixtureStart.Add(time.Hour))}
	b.open(w.config)
	for _, text := range []string{"adopted", "again"} {
		ack, err := b.stream.StoreMsg(t.Context(), literal, nil, []byte(text))
		require.NoError(t, err)
		w.stored[ack.Sequence] = record{ack.Sequence, ack.Time, literal, "", text}
		w.live[ack.Sequence], w.last = true, ack.Sequence
	}
	require.NoError(t, b.stream.Stop(t.Context()))
	w.addImage(t, "stopped", memory, false)
	return w
}

func writeFileTo(fsys blockio.FS, name string, data []byte) error {
	f, err := fsys.OpenFile(name, blockio.ModeReplace)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Sync(), f.Close(), fsys.SyncDir(path.Dir(name)))
}

func (w *damageWorld) addImage(t *testing.T, name string, base *blocktest.MemFS, openEnd bool) {
	image := &damageImage{world: w, name: name, openEnd: openEnd, base: base}
	w.images = append(w.images, image)
	for name, data := range readAllFiles(t, base, path.Join(damageDir, w.config.Name)) {
		f := w.newFile(t, name, data)
		f.windows, f.older = windowsOf(f), w.olderCopies(name, data)
		image.files = append(image.files, f)
	}
	image.sort()
}

// newFile makes a file of what it holds.
func (w *damageWorld) newFile(t *testing.T, name string, data []byte) *damageFile {
	f := &damageFile{path: name, data: data}
	if number, isBlock := strings.CutSuffix(path.Base(name), ".blk"); isBlock {
		_, err := fmt.Sscan(number, &f.block)
		require.NoError(t, err)
		w.place(t, f)
	}
	return f
}

// sort brings the files in order, and finds the first block and the last.
func (i *damageImage) sort() {
	slices.SortFunc(i.files, func(a, b *damageFile) int {
		if a.block != b.block {
			return int(a.block) - int(b.block)
		}
		return strings.Compare(a.path, b.path)
	})
	for at, f := range i.files {
		if f.block == 0 {
			continue
		}
		f.head = at == 0 || i.files[at-1].block == 0
		f.tail = f.dataEnd > 0 && !slices.ContainsFunc(i.files[at+1:], func(f *damageFile) bool { return f.dataEnd > 0 })
	}
}

// olderCopies picks up to three earlier states of a file.
func (w *damageWorld) olderCopies(name string, data []byte) (older [][]byte) {
	var list [][]byte
	for _, copied := range w.history[name] {
		if !bytes.Equal(copied, data) {
			list = append(list, copied)
		}
	}
	for i, at := range []int{0, len(list) / 2, len(list) - 1} {
		if len(list) > i {
			older = append(older, list[at])
		}
	}
	return older
}

// place finds the records of a block that is not damaged.
func (w *damageWorld) place(t *testing.T, f *damageFile) {
	key := blockio.NewRecordCodec(w.config.Name, f.block)
	at, frame, before := 0, 0, uint64(0)
	marked := false // the record before is a group mark
	for at < len(f.data) && len(bytes.Trim(f.data[at:], "\x00")) > 0 {
		r, err := key.Decode(f.data[at:])
		require.NoError(t, err, "%s %s at %d", w.name, f.path, at)
		p := placedRecord{from: at, to: at + r.Size, kind: r.Kind, sequence: r.Sequence, foreign: w.frames == nil && !marked}
		// A server commits each record by itself, ours begin with a mark.
		if r.Kind == blockio.KindGroupMark || w.frames == nil && !marked {
			frame = at
		}
		marked = r.Kind == blockio.KindGroupMark
		if r.Kind == blockio.KindMessage {
			if _, known := w.stored[r.Sequence]; !known { // of a server: deleted since
				w.stored[r.Sequence] = record{r.Sequence, time.Unix(0, r.Time).UTC(), string(r.Subject), string(r.Header), string(r.Payload)}
			}
		}
		p.frame = frame
		p.floor, _ = r.Floor()
		if p.sequenced() {
			if r.Kind == blockio.KindSkip {
				p.skipped = before + 1
			}
			before = r.Sequence
		}
		f.placed = append(f.placed, p)
		at += r.Size
	}
	f.dataEnd = at
}
