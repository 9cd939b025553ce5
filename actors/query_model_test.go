package actors_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// The subjects of the scripts, those that raw messages alone can have, and the patterns that questions are asked with.
var (
	modelSubjects = []string{
		"a", "a.b", "a.c", "a.b.c", "a.b.d", "a.bb.c", "b", "b.b", "b.c.d", "a-b.c",
	}
	modelRawSubjects = append(modelSubjects[:len(modelSubjects):len(modelSubjects)], "*", "a.*", "a..b", "")
	modelPatterns    = []string{
		"", ">", "*", "*.*", "*.*.*", "*.>", "a", "a.>", "a.*", "a.b", "a.b.>", "a.b.*", "a.*.c", "*.b", "*.b.>", "*.*.c",
		"*.b.*", "b.>", "b.*.d", "a-b.*", "u.*", "u.>", "absent", "absent.>", "a.b.c", "a.b.c.>", "*.*.*.*", "a.*.>", "u.3", ">a",
	}
)

// queryMachine is a store, and the list of messages that should be in it.
type queryMachine struct {
	config actors.Config
	store  *actors.Store
	n      *naive
	now    atomic.Int64 // the store's clock
	unique int
}

func newQueryMachine(t *rapid.T, dir string) *queryMachine {
	m := &queryMachine{n: &naive{}}
	m.now.Store(fixtureStart.UnixNano())
	m.config = actors.Config{
		Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(),
		BlockSize:     rapid.SampledFrom([]int64{4 << 10, 4 << 10, 512, 32}).Draw(t, "block size"),
		Sync:          rapid.SampledFrom(levels).Draw(t, "level"),
		FirstSequence: rapid.SampledFrom([]uint64{0, 0, 0, 500}).Draw(t, "first"),
		// Little memory for indexes, so that they come and go.
		Runtime: actors.NewRuntime(actors.RuntimeConfig{
			Clock:        func() time.Time { return time.Unix(0, m.now.Load()) },
			IndexBytes:   rapid.SampledFrom([]int64{0, 1, 2000}).Draw(t, "memory for indexes"),
			MaxOpenFiles: rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "open files"),
		}),
		IndexFrom: rapid.SampledFrom([]int64{1, 3000, 6000, -1}).Draw(t, "index from"),
	}
	if rapid.IntRange(0, 3).Draw(t, "encrypted") == 0 {
		actors.EncryptSome(&m.config, uint64(2*rapid.IntRange(0, 1).Draw(t, "cipher")+1))
	}
	if rapid.IntRange(0, 9).Draw(t, "on disk") == 0 {
		m.config.Dir, m.config.FS = dir, blockio.OS
	}
	m.drawLimits(t)
	if rapid.IntRange(0, 2).Draw(t, "start") == 0 {
		m.craft(t)
	} else {
		m.n.last = max(m.config.FirstSequence, 1) - 1
	}
	m.open(t)
	return m
}

// tighter is the lower limit. What a limit removed may be there again when the limit
// is lifted while the store is closed: that is no matter of queries.
func tighter(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (m *queryMachine) drawLimits(t *rapid.T) {
	set := func(n int64) int64 { // in the configuration, 0 keeps what is stored
		if n == 0 {
			return actors.Unlimited
		}
		return n
	}
	m.n.maxMsgs = tighter(m.n.maxMsgs, rapid.SampledFrom([]int64{0, 0, 0, 0, 200, 60, 7, 1}).Draw(t, "MaxMsgs"))
	m.n.maxBytes = tighter(m.n.maxBytes, rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 100_000, 30_000, 3000}).Draw(t, "MaxBytes"))
	m.config.MaxMsgs, m.config.MaxBytes = set(m.n.maxMsgs), set(m.n.maxBytes)
}

// craft makes files with tombstones, as nats-server leaves them.
func (m *queryMachine) craft(t *rapid.T) {
	m.config.FirstSequence = 0
	dir := filepath.Join(m.config.Dir, m.config.Name, "msgs")
	require.NoError(t, m.config.FS.MkdirAll(dir))
	meta := blockio.NewStreamMeta(m.config.Name, m.time())
	require.NoError(t, blockio.WriteMeta(m.config.FS, filepath.Dir(dir), m.config.Name, meta))
	each := rapid.SampledFrom([]int{1, 2, 5, 30}).Draw(t, "records a block")
	id, count := uint32(1), 0
	key := blockio.NewRecordCodec(m.config.Name, id)
	var block []byte
	put := func(more []byte) {
		block = more
		if count++; count%each == 0 {
			m.writeFile(t, filepath.Join(dir, fmt.Sprint(id, ".blk")), block)
			id++
			key, block = blockio.NewRecordCodec(m.config.Name, id), nil
		}
	}
	var gone []record
	for range rapid.IntRange(1, 60).Draw(t, "records") {
		m.pass(t)
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			last := m.n.last + uint64(rapid.IntRange(1, 4).Draw(t, "skipped"))
			m.n.skip(last, m.time())
			put(key.AppendSkip(block, last, m.n.lastTime.UnixNano()))
		case 1, 2, 3:
			r := m.draw(t, m.n.last+1, m.time(), modelRawSubjects)
			put(key.AppendMessage(block, r.sequence, r.time.UnixNano(), r.subject, []byte(r.header), []byte(r.payload)))
			m.n.last, m.n.lastTime = r.sequence, r.time
			gone = append(gone, r)
		default:
			r := m.draw(t, m.n.last+1, m.time(), modelRawSubjects)
			put(key.AppendMessage(block, r.sequence, r.time.UnixNano(), r.subject, []byte(r.header), []byte(r.payload)))
			m.n.live = append(m.n.live, r)
			m.n.last, m.n.lastTime = r.sequence, r.time
		}
	}
	for _, r := range gone {
		put(key.AppendTombstone(block, r.sequence, r.time.UnixNano()))
	}
	if len(block) > 0 {
		m.writeFile(t, filepath.Join(dir, fmt.Sprint(id, ".blk")), block)
	}
}

func (m *queryMachine) writeFile(t *rapid.T, name string, data []byte) {
	f, err := m.config.FS.OpenFile(name, blockio.ModeCreate)
	require.NoError(t, err)
	_, err = f.WriteAt(data, 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

func (m *queryMachine) open(t *rapid.T) {
	s, err := actors.Open(context.Background(), quiet, m.config)
	require.NoError(t, err)
	m.store = s
	m.n.trim()
}

func (m *queryMachine) stop() error { return m.store.Stop(context.Background()) }

func (m *queryMachine) time() time.Time { return time.Unix(0, m.now.Load()).UTC() }

// pass lets some time pass, mostly.
func (m *queryMachine) pass(t *rapid.T) {
	m.now.Add(rapid.SampledFrom([]int64{0, 1, 1000, int64(time.Second), int64(time.Hour)}).Draw(t, "time"))
}

// draw makes a message with one of some subjects, or another.
func (m *queryMachine) draw(t *rapid.T, sequence uint64, at time.Time, subjects []string) record {
	r := record{sequence: sequence, time: at, subject: rapid.SampledFrom(subjects).Draw(t, "subject")}
	if rapid.IntRange(0, 9).Draw(t, "another subject") == 0 {
		m.unique++
		r.subject = fmt.Sprint("u.", m.unique)
	}
	if rapid.IntRange(0, 3).Draw(t, "header") == 0 {
		r.header = fmt.Sprintf("NATS/1.0\r\nN: %d\r\n\r\n", sequence)
	}
	size := rapid.SampledFrom([]int{500, 900, 200, 1500, 0, 10, 5000}).Draw(t, "size")
	if size == 5000 && rapid.IntRange(0, 9).Draw(t, "big") == 0 {
		size = 300_000
	}
	if m.n.maxBytes > 0 { // one that no limit could hold is refused
		size = min(size, int(m.n.maxBytes)-200)
	}
	r.payload = fmt.Sprint(sequence, ";", strings.Repeat(".", size))
	return r
}

func (r *record) headers() actors.Header {
	if r.header == "" {
		return nil
	}
	return actors.Header{"N": {fmt.Sprint(r.sequence)}}
}

// Put stores messages one by one.
func (m *queryMachine) Put(t *rapid.T) {
	for range rapid.IntRange(1, 8).Draw(t, "count") {
		m.pass(t)
		r := m.draw(t, m.n.last+1, time.Time{}, modelSubjects)
		ack, err := m.store.StoreMsg(context.Background(), r.subject, r.headers(), []byte(r.payload))
		require.NoError(t, err)
		require.Equal(t, r.sequence, ack.Sequence)
		r.time = ack.Time
		m.n.add(r)
	}
}

// Raw stores messages with times of their own, between the last one and now.
func (m *queryMachine) Raw(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "count") {
		m.pass(t)
		from := m.now.Load()
		if !m.n.lastTime.IsZero() {
			from = m.n.lastTime.UnixNano()
		}
		at := from
		if now := m.now.Load(); now > from {
			at = rapid.Int64Range(from, now).Draw(t, "at")
		}
		r := m.draw(t, m.n.last+1, time.Unix(0, at).UTC(), modelRawSubjects)
		_, err := m.store.StoreRaw(context.Background(), actors.RawMessage{
			Sequence: r.sequence, Time: r.time, Subject: r.subject, HeaderBlock: []byte(r.header), Payload: []byte(r.payload),
		})
		require.NoError(t, err)
		m.n.add(r)
	}
}

// Batch stores messages together, sometimes several blocks of them.
func (m *queryMachine) Batch(t *rapid.T) {
	m.pass(t)
	count := rapid.IntRange(1, 6).Draw(t, "count")
	if rapid.Bool().Draw(t, "burst") {
		count = 30
	}
	batch := make([]actors.BatchMessage, count)
	records := make([]record, count)
	for i := range batch {
		r := m.draw(t, m.n.last+1+uint64(i), time.Time{}, modelSubjects)
		records[i] = r
		batch[i] = actors.BatchMessage{Subject: r.subject, Header: r.headers(), Payload: []byte(r.payload)}
	}
	ack, err := m.store.StoreBatch(context.Background(), batch)
	require.NoError(t, err)
	for i := range records {
		records[i].time = ack.Time
	}
	m.n.add(records...)
}

// Skip uses up sequences.
func (m *queryMachine) Skip(t *rapid.T) {
	m.pass(t)
	count := rapid.SampledFrom([]uint64{1, 1, 2, 5, 1000, 1 << 33}).Draw(t, "skipped")
	last, err := m.store.Skip(context.Background(), 0, count)
	require.NoError(t, err)
	require.Equal(t, m.n.last+count, last)
	m.n.skip(last, m.time())
}

// Idle lets the store drop the memory of its last block.
func (m *queryMachine) Idle(t *rapid.T) {
	require.NoError(t, m.store.Flush(context.Background()))
	m.now.Add(int64(11 * time.Second))
	require.NoError(t, m.store.Flush(context.Background()))
}

// Reopen stops the store, removes index files, and opens it with other limits.
func (m *queryMachine) Reopen(t *rapid.T) {
	require.NoError(t, m.stop())
	if rapid.IntRange(0, 9).Draw(t, "change limits") == 9 {
		m.drawLimits(t)
	}
	dir := filepath.Join(m.config.Dir, m.config.Name, "msgs")
	keep := rapid.IntRange(0, 3).Draw(t, "keep index files")
	list, err := m.config.FS.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range list {
		if strings.HasSuffix(entry.Name, ".bix") && (keep == 0 || keep == 1 && rapid.Bool().Draw(t, "remove")) {
			require.NoError(t, m.config.FS.Remove(filepath.Join(dir, entry.Name)))
		}
	}
	m.open(t)
}

// Check asks.
func (m *queryMachine) Check(t *rapid.T) {
	state := askFastState()
	state.check(t, m.store, m.n)
	for range 8 {
		q := m.question(t)
		q.check(t, m.store, m.n)
	}
}

// question draws one.
func (m *queryMachine) question(t *rapid.T) question {
	p := m.drawPicks(t)
	switch rapid.IntRange(0, 17).Draw(t, "query") {
	case 0:
		return askLoad(m.position(t))
	case 1:
		return askLoadInto(m.position(t))
	case 2, 3:
		return askNext(m.position(t), p)
	case 4, 5:
		return askPrev(m.position(t), p)
	case 6:
		return askLast(p)
	case 7:
		return askSubject(m.position(t))
	case 8:
		return askFirst(rapid.SampledFrom(append(modelPatterns[6:], modelRawSubjects[:len(modelRawSubjects)-1]...)).Draw(t, "subject"))
	case 9:
		return askTime(m.drawTime(t))
	case 10:
		return askFiltered(m.position(t), p)
	case 11:
		return askSubjects(p)
	case 12:
		return askTotals(p)
	case 13:
		return m.multi(t)
	case 14:
		return askPending(m.position(t), p)
	case 15:
		return askPendingLast(m.position(t), p)
	}
	from := max(m.position(t), 1)
	if rapid.Bool().Draw(t, "without From") {
		from = 0
	}
	reverse := rapid.Bool().Draw(t, "reverse")
	if rapid.IntRange(0, 3).Draw(t, "from a time") == 0 {
		return askSince(m.drawTime(t), from, reverse, p)
	}
	return askScan(from, reverse, p)
}

func (m *queryMachine) multi(t *rapid.T) question {
	patterns := rapid.SliceOfN(rapid.SampledFrom(modelPatterns), 0, 4).Draw(t, "patterns")
	bound, allowed := m.position(t), rapid.SampledFrom([]int{0, 0, 0, -1, 1, 3, 8}).Draw(t, "allowed")
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0:
		return askAllLast()
	case 1, 2:
		return askMultiMsgs(patterns, bound, allowed)
	}
	return askMulti(patterns, bound, allowed)
}

func (m *queryMachine) drawPicks(t *rapid.T) picks {
	pattern := rapid.SampledFrom(modelPatterns)
	subject := rapid.SampledFrom(modelRawSubjects)
	if rapid.IntRange(0, 4).Draw(t, "with a predicate") == 0 {
		one := accepted(rapid.SampledFrom(predicates).Draw(t, "predicate"), matching(rapid.SliceOfN(pattern, 1, 3).Draw(t, "patterns")...))
		if rapid.Bool().Draw(t, "alone") {
			return one
		}
		return append(one, matching(pattern.Draw(t, "pattern"))...)
	}
	switch rapid.IntRange(0, 9).Draw(t, "filters") {
	case 0, 1:
		return none
	case 2, 3, 4:
		return matching(pattern.Draw(t, "pattern"))
	case 5:
		return exactly(subject.Draw(t, "subject"))
	case 6:
		return matching(rapid.SliceOfN(pattern, 0, 5).Draw(t, "patterns")...)
	case 7:
		return exactly(rapid.SliceOfN(subject, 0, 4).Draw(t, "subjects")...)
	}
	p := matching(rapid.SliceOfN(pattern, 0, 3).Draw(t, "patterns")...)
	return append(p, exactly(rapid.SliceOfN(subject, 0, 2).Draw(t, "subjects")...)...)
}

// position draws a sequence: about the ends, about a message, or anywhere.
func (m *queryMachine) position(t *rapid.T) uint64 {
	near := func(sequence uint64) uint64 {
		return sequence + uint64(rapid.IntRange(0, 2).Draw(t, "near")) - min(1, sequence)
	}
	switch rapid.IntRange(0, 9).Draw(t, "position") {
	case 0:
		return 0
	case 1:
		return near(m.n.first())
	case 2, 3:
		return near(m.n.last)
	case 4:
		return rapid.SampledFrom([]uint64{math.MaxUint64, 1 << 63, m.n.last + 1000}).Draw(t, "far")
	case 5:
		return rapid.Uint64Range(0, m.n.last+2).Draw(t, "sequence")
	}
	if len(m.n.live) == 0 {
		return near(m.n.last)
	}
	return near(m.n.live[rapid.IntRange(0, len(m.n.live)-1).Draw(t, "message")].sequence)
}

func (m *queryMachine) drawTime(t *rapid.T) time.Time {
	if len(m.n.live) == 0 || rapid.IntRange(0, 9).Draw(t, "any time") == 0 {
		return rapid.SampledFrom([]time.Time{{}, time.Unix(0, 0), m.time(), m.time().AddDate(300, 0, 0)}).Draw(t, "time")
	}
	r := m.n.live[rapid.IntRange(0, len(m.n.live)-1).Draw(t, "message")]
	return r.time.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "nanoseconds")))
}

// TestQueryModel: random scripts over stores of tiny blocks, with and without index
// files, beside a list of messages; after each step random questions.
func TestQueryModel(t *testing.T) {
	on, count := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		count++
		m := newQueryMachine(t, filepath.Join(on, fmt.Sprint(count)))
		defer func() { _ = m.stop() }()
		t.Repeat(map[string]func(*rapid.T){
			"": m.Check, "put": m.Put, "raw": m.Raw, "batch": m.Batch, "skip": m.Skip, "idle": m.Idle, "reopen": m.Reopen,
		})
		checkEverything(t, m.store, m.n)
		require.NoError(t, m.stop())
		m.open(t)
		checkEverything(t, m.store, m.n)
	})
}
