package actors_test

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// served is a stream as a nats-server may have left it: blocks, and an index.db that may say more than they do.
type served struct {
	// blocks has the records of the blocks 1, 2 and so on: m7 is the message of sequence 7, of the subject s, and
	// m7a of the subject a; t7 is a tombstone of it, s7 a skip up to it.
	blocks []string
	// kept is what index.db says of each: the first and the last sequence, and those between that are deleted.
	// It does not name a block for which this is empty.
	kept []string
	last uint64 // that index.db says, 0 for the last one of the blocks
	// behind are records that each block got afterwards, and gone the blocks that went.
	behind []string
	gone   []uint32
	meta   func(*blockio.StreamMeta)
	change func(*streamstate.Index)
	file   func([]byte) // changes index.db

	live []uint64 // what is to be found
	lost []uint64
	// removes tells that what is to be found says more than the blocks, so that index.db goes at once.
	removes bool
}

const (
	servedName = "SRV"
	servedTime = int64(1_700_000_000_000_000_000)
)

// records encodes records of a block.
func (v *served) records(t *testing.T, id uint32, text string) (data []byte) {
	t.Helper()
	codec := blockio.NewRecordCodec(servedName, id)
	for _, word := range strings.Fields(text) {
		var kind, subject string
		var sequence uint64
		_, err := fmt.Sscanf(word[1:]+" ", "%d%s", &sequence, &subject)
		if kind = word[:1]; err != nil {
			subject = "s"
		}
		at := servedTime + int64(sequence)
		switch kind {
		case "m":
			data = codec.AppendMessage(data, sequence, at, subject, nil, []byte("payload"))
		case "t":
			data = codec.AppendTombstone(data, sequence, at)
		case "s":
			data = codec.AppendSkip(data, sequence, at)
		case "c":
			data = append(data, make([]byte, blockio.EmptyRecordSize)...)
			codec.PutFrameMark(data[len(data)-blockio.EmptyRecordSize:], uint32(sequence), 7)
		default:
			t.Fatalf("no record: %s", word)
		}
	}
	return data
}

// index returns what index.db says.
func (v *served) index(t *testing.T) *streamstate.Index {
	t.Helper()
	x := &streamstate.Index{LastBlock: uint32(len(v.blocks))}
	for i, text := range v.kept {
		if text == "" {
			continue
		}
		words := strings.Fields(text)
		b := streamstate.Block{ID: uint32(i + 1)}
		_, err := fmt.Sscanf(words[0], "%d-%d", &b.First, &b.Last)
		require.NoError(t, err)
		var deleted []uint64
		for _, word := range words[1:] {
			var sequence uint64
			_, err := fmt.Sscanf(word, "%d", &sequence)
			require.NoError(t, err)
			deleted = append(deleted, sequence)
		}
		if len(deleted) > 0 {
			b.Deleted = streamstate.NewSet(func(yield func(first, last uint64) bool) {
				for _, s := range deleted {
					if !yield(s, s) {
						return
					}
				}
			})
		}
		if b.Messages() > 0 {
			b.FirstTime, b.LastTime = servedTime+int64(b.First), servedTime+int64(b.Last)
			if x.First == 0 {
				x.First, x.FirstTime = b.First, b.FirstTime
			}
		}
		b.Bytes = b.Messages() * uint64(actors.RecordSize(1, 0, len("payload")))
		x.Messages, x.Bytes, x.Last = x.Messages+b.Messages(), x.Bytes+b.Bytes, max(x.Last, b.Last)
		x.Blocks = append(x.Blocks, b)
	}
	x.First = cmp.Or(x.First, x.Last+1)
	x.LastTime = servedTime + int64(x.Last)
	return x
}

// place writes the stream into a file system.
func (v *served) place(t *testing.T, fsys blockio.FS) {
	t.Helper()
	dir := "data/" + servedName
	require.NoError(t, fsys.MkdirAll(blockio.BlocksDir(dir)))
	meta := blockio.NewStreamMeta(servedName, time.Unix(0, servedTime))
	if v.meta != nil {
		v.meta(meta)
	}
	require.NoError(t, blockio.WriteMeta(fsys, dir, servedName, meta))
	x := v.index(t)
	for i, text := range v.blocks {
		id := uint32(i + 1)
		data := v.records(t, id, text)
		if id == x.LastBlock && len(data) > 0 {
			copy(x.LastSum[:], data[len(data)-8:])
		}
		if i < len(v.behind) {
			data = append(data, v.records(t, id, v.behind[i])...)
		}
		if !slices.Contains(v.gone, id) {
			require.NoError(t, blockio.ReplaceFile(fsys, blockio.BlockPath(dir, id), data))
		}
	}
	for i := len(v.blocks); i < len(v.behind); i++ { // blocks that are younger than index.db
		require.NoError(t, blockio.ReplaceFile(fsys, blockio.BlockPath(dir, uint32(i+1)), v.records(t, uint32(i+1), v.behind[i])))
	}
	if v.change != nil {
		v.change(x)
	}
	file := x.Append(nil, servedName)
	if v.file != nil {
		v.file(file)
	}
	require.NoError(t, blockio.ReplaceFile(fsys, servedIndex, file))
}

const servedIndex = "data/" + servedName + "/msgs/" + blockio.StateFile

func exists(t *testing.T, fsys blockio.FS, name string) bool {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return false
	}
	require.NoError(t, file.Close())
	return true
}

// check compares a store with what is to be found.
func (v *served) check(t *testing.T, s *actors.Store, more ...uint64) {
	t.Helper()
	live := append(slices.Clone(v.live), more...)
	var got []uint64
	for m, err := range s.Messages(t.Context(), actors.PassDamage()) {
		require.NoError(t, err)
		got = append(got, m.Sequence)
	}
	require.Equal(t, live, got)
	state := stateOf(t, s)
	last := v.last + uint64(len(more))
	require.Equal(t, last, state.LastSequence)
	require.Equal(t, uint64(len(v.lost)), state.LostMessages)
	require.True(t, len(v.lost) > 0 || state.LostBytes == 0)
	require.Equal(t, uint64(len(live)), state.Messages)
	if len(more) == 0 {
		require.Equal(t, servedTime+int64(last), state.LastTime.UnixNano())
	}
	for sequence := state.FirstSequence; sequence <= last; sequence++ {
		_, err := s.LoadMsg(t.Context(), sequence)
		switch {
		case slices.Contains(live, sequence):
			require.NoError(t, err)
		case slices.Contains(v.lost, sequence):
			require.ErrorIs(t, err, actors.ErrCorrupt, "%d", sequence)
		default:
			require.ErrorIs(t, err, actors.ErrNotFound, "%d", sequence)
		}
	}
}

func limited(n int64) func(*blockio.StreamMeta) {
	return func(m *blockio.StreamMeta) { m.MaxMsgs = n }
}

// ofSubjects has index.db say of some subjects how many messages they have.
func ofSubjects(list ...streamstate.Subject) func(*streamstate.Index) {
	return func(x *streamstate.Index) { x.Subjects = list }
}

func limitedPer(n int64) func(*blockio.StreamMeta) {
	return func(m *blockio.StreamMeta) { m.MaxMsgsPerSubject = n }
}

// servedStreams are streams whose index.db says more than their blocks, or seems to.
var servedStreams = map[string]served{
	"nothing more": {blocks: []string{"m1 m2 m3", "m4 t2 m5"}, kept: []string{"1-3 2", "4-5"}, live: []uint64{1, 3, 4, 5}, last: 5},
	"deleted without tombstones, at the head of a block, within, and at its end": {
		blocks: []string{"m1 m2 m3 m4", "m5 m6 m7 m8", "m9"}, kept: []string{"2-4 3", "5-8 7 8", "9-9"},
		live: []uint64{2, 4, 5, 6, 9}, last: 9, removes: true},
	"very many deleted": {blocks: []string{messages(1, 60), "m61"}, kept: []string{"1-60" + deleted(2, 59), "61-61"},
		live: []uint64{1, 60, 61}, last: 61, removes: true},
	"all of a block deleted": {blocks: []string{"m1 m2", "m3 m4", "m5"}, kept: []string{"1-2", "5-4", "5-5"},
		live: []uint64{1, 2, 5}, last: 5, removes: true},
	"all of a block deleted that it does not name": {blocks: []string{"m1 m2", "m3 m4", "m5"}, kept: []string{"1-2", "", "5-5"},
		live: []uint64{1, 2, 5}, last: 5, removes: true},
	"all deleted": {blocks: []string{"m1 m2", "m3 m4"}, kept: []string{"", "5-4"}, live: nil, last: 4, removes: true},
	"the last sequence, which no record shows": {blocks: []string{"t1 t2 t3"}, kept: []string{"10-9"}, live: nil, last: 9, removes: true},
	"removed behind it": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-3", "4-5"}, behind: []string{"", "t3 s5"},
		live: []uint64{2, 4, 5}, last: 5, removes: true},
	"removed in a block behind it": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-3", "4-5"}, behind: []string{"", "", "t3"},
		live: []uint64{2, 4, 5}, last: 5, removes: true},
	"stored behind it": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-3", "4-5"}, behind: []string{"", "t3 m6"},
		live: []uint64{1, 2, 4, 5, 6}, last: 6},
	"stored in a block behind it": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-3", "4-5"}, behind: []string{"", "", "m6"},
		live: []uint64{1, 2, 3, 4, 5, 6}, last: 6},
	"a skip behind it": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-3", "4-5"}, behind: []string{"", "s7"},
		live: []uint64{1, 2, 3, 4, 5}, last: 7},
	"a block that has more than it knows of": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"2-2", "4-5"},
		live: []uint64{1, 2, 3, 4, 5}, last: 5},
	"a block is gone": {blocks: []string{"m1 m2", "m3 m4 m5", "m6"}, kept: []string{"2-2", "3-5 4", "6-6"}, gone: []uint32{2},
		live: []uint64{1, 2, 6}, lost: []uint64{3, 5}, last: 6},
	"a block is gone that had one message": {blocks: []string{"m1 m2", "m3 m4 m5", "m6"}, kept: []string{"1-2", "3-5 4", "6-6"},
		behind: []string{"", "", "t3"}, gone: []uint32{2}, live: []uint64{1, 2, 6}, last: 6},
	"a message is gone": {blocks: []string{"m1 m3 m4", "m5"}, kept: []string{"1-4 3", "5-5"},
		live: []uint64{1, 4, 5}, lost: []uint64{2}, last: 5, removes: true},
	"a block is gone with what was consumed": {blocks: []string{"m1 m2", "m3"}, kept: []string{"1-2", "3-3"}, gone: []uint32{1},
		meta: func(m *blockio.StreamMeta) { m.Retention = "workqueue" }, live: []uint64{3}, last: 3},
	"a limit of each subject was lowered, and a block is gone": {blocks: []string{"m1a m2a m3a", "m4a m5b"}, kept: []string{"1-3", "4-5"},
		gone: []uint32{1}, meta: limitedPer(1), change: ofSubjects(streamstate.Subject{Name: "a", Messages: 4, First: 1, Last: 2}),
		live: []uint64{4, 5}, last: 5},
	"a block is gone in which a limit of each subject has nothing to remove": {blocks: []string{"m1a m2b m3c", "m4d m5e"},
		kept: []string{"1-3", "4-5"}, gone: []uint32{1}, meta: limitedPer(1),
		change: ofSubjects(streamstate.Subject{Name: "a", Messages: 1, First: 1, Last: 1}),
		live:   []uint64{4, 5}, lost: []uint64{1, 2, 3}, last: 5},
	"a limit was lowered, and a block is gone": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"1-3", "4-5"}, gone: []uint32{1},
		meta: limited(2), live: []uint64{4, 5}, last: 5},
	"a limit has removed the head": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"3-3", "4-5"}, meta: limited(3),
		live: []uint64{3, 4, 5}, last: 5, removes: true},
	"a limit would remove too much": {blocks: []string{"m1 m2 m3", "m4 m5"}, kept: []string{"1-3", "5-5"}, meta: limited(4),
		live: []uint64{1, 2, 3, 5}, last: 5, removes: true},
	"a limit of each subject has removed them": {blocks: []string{"m1a m2b m3a", "m4b m5c"}, kept: []string{"3-3", "4-5"}, meta: limitedPer(1),
		live: []uint64{3, 4, 5}, last: 5},
	"a limit of each subject would not": {blocks: []string{"m1a m2b m3a", "m4b m5c"}, kept: []string{"1-1", "4-5"}, meta: limitedPer(1),
		live: []uint64{1, 4, 5}, last: 5, removes: true,
		change: func(x *streamstate.Index) { x.Blocks[0].Last = 3; x.Blocks[0].Deleted = streamstate.NewSet(pair(2, 3)) }},
	"a commit was cut": {blocks: []string{"m1 m2", "m3 c700 m4 m5"}, kept: []string{"1-2", "3-5 4"}, live: []uint64{1, 2, 3, 5}, last: 5,
		removes: true},
	"a commit was cut, and stored behind it": {blocks: []string{"m1", "m2 c700 m3 m4"}, kept: []string{"1-1", "2-4"},
		behind: []string{"", "s6 m7 t3 m8"}, live: []uint64{1, 2, 4, 7, 8}, last: 8},
	"one bit of it is wrong": {blocks: []string{"m1 m2 m3"}, kept: []string{"2-3"}, file: func(b []byte) { b[3] ^= 1 },
		live: []uint64{1, 2, 3}, last: 3},
	"it contradicts itself": {blocks: []string{"m1 m2 m3"}, kept: []string{"2-3"}, change: func(x *streamstate.Index) { x.Messages++ },
		live: []uint64{1, 2, 3}, last: 3},
	"it contradicts itself, and knows of a later end": {blocks: []string{"m1 m2 m3"}, kept: []string{"2-3"},
		change: func(x *streamstate.Index) { x.Last, x.LastTime = 5, servedTime+5 }, live: []uint64{1, 2, 3}, lost: []uint64{4, 5}, last: 5},
}

// messages are records of messages.
func messages(first, last int) (text string) {
	for ; first <= last; first++ {
		text += fmt.Sprintf(" m%d", first)
	}
	return text
}

func deleted(first, last int) (text string) {
	for ; first <= last; first++ {
		text += fmt.Sprintf(" %d", first)
	}
	return text
}

func pair(first, last uint64) func(yield func(first, last uint64) bool) {
	return func(yield func(first, last uint64) bool) { yield(first, last) }
}

// TestServerStateIsBelievedOverNothing else: what index.db alone knows is taken where the blocks are those that it
// knows of, is written down before the file goes, and stays as it is when the file is gone.
func TestServerStateIsBelievedOverNothing(t *testing.T) {
	for name, v := range servedStreams {
		t.Run(name, func(t *testing.T) {
			mem := blocktest.NewMemFS()
			v.place(t, mem)
			config := actors.Config{Dir: "data", Name: servedName, FS: mem}
			s := openToFail(t, config)
			v.check(t, s)
			if len(v.lost) == 0 {
				require.Equal(t, v.removes, !exists(t, mem, servedIndex))
			}
			require.NoError(t, s.Stop(t.Context()))
			s = openToFail(t, config)
			v.check(t, s)
			require.Equal(t, v.last+1, mustStore(t, s, "new", "more").Sequence)
			require.False(t, exists(t, mem, servedIndex))
			require.NoError(t, s.Stop(t.Context()))
			s = openToFail(t, config)
			v.live = append(slices.Clone(v.live), v.last+1)
			v.last++
			var got []uint64
			for m, err := range s.Messages(t.Context(), actors.PassDamage()) {
				require.NoError(t, err)
				got = append(got, m.Sequence)
			}
			if v.meta == nil {
				require.Equal(t, v.live, got)
			}
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// TestWhatALimitRemovedForAServerStaysAway: it has no tombstone, and somebody removes what the limit has left.
func TestWhatALimitRemovedForAServerStaysAway(t *testing.T) {
	v := served{blocks: []string{"m1c m2a m3a m4d", "m5b"}, kept: []string{"1-4 2", "5-5"}, meta: limitedPer(1)}
	mem := blocktest.NewMemFS()
	v.place(t, mem)
	config := actors.Config{Dir: "data", Name: servedName, FS: mem}
	s := openToFail(t, config)
	removed, err := s.RemoveMsg(t.Context(), 3)
	require.NoError(t, err)
	require.True(t, removed)
	for range 2 {
		require.Equal(t, []uint64{1, 4, 5}, liveOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
		s = openToFail(t, config)
	}
}

// TestNoCrashForgetsTheServerState: a crash before any file operation of the opening, and of the one after that,
// leaves what index.db has told, at every level.
func TestNoCrashForgetsTheServerState(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		crashes := 0
		for name, v := range servedStreams {
			if !v.removes {
				continue // nothing is written down
			}
			rng := rand.New(rand.NewSource(1))
			mem := blocktest.NewMemFS()
			v.place(t, mem)
			mem = mem.CrashImage(blocktest.KeepAll, rng)
			config := actors.Config{Dir: "data", Name: servedName, Sync: level, BlockSize: 4 << 10}
			list := []crashImage{{mem: mem}}
			for round := range 2 {
				var found []crashImage
				for i, image := range list {
					if round > 0 && i%23 > 0 {
						continue
					}
					fault := blocktest.NewFaultFS(image.mem)
					config.FS = fault
					images, stop := takeImages(fault, image.mem, rng, crashImage{})
					s := openToFail(t, config)
					stop()
					require.NoError(t, s.Stop(context.Background()))
					found = append(found, *images...)
				}
				for _, image := range found {
					config.FS = image.mem.CrashImage(blocktest.KeepAll, rng)
					s := openToFail(t, config)
					require.NotPanics(t, func() { v.check(t, s) }, "%s: %v, %v", name, image.op, image.mode)
					require.NoError(t, s.Stop(context.Background()))
				}
				crashes += len(found)
				list = found
			}
		}
		t.Logf("%d crashes", crashes)
		require.Greater(t, crashes, 300)
	})
}
