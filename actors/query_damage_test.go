package actors_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// damagedStore holds 40 messages of two subjects, about ten a block.
type damagedStore struct {
	config actors.Config
	clock  clock
	*actors.Store
	n *naive
}

func newDamagedStore(t *testing.T, indexFrom int64) *damagedStore {
	t.Helper()
	d := &damagedStore{n: &naive{}}
	d.config = actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: indexFrom,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: d.clock.now}),
	}
	d.Store = open(t, d.config)
	for i := range 40 {
		subject := []string{"d.one", "d.two"}[i%2]
		payload := fmt.Sprintf("secret-%d;%0340d", i+1, 0)
		ack := mustStore(t, d.Store, subject, payload)
		d.n.add(record{sequence: ack.Sequence, time: ack.Time, subject: subject, payload: payload})
	}
	require.NoError(t, d.Flush(t.Context()))
	// A sealed block stays in memory until its index is written.
	eventually(t, func() bool { return d.Stats().Unindexed == 0 })
	return d
}

func (d *damagedStore) reopen(t *testing.T) {
	t.Helper()
	d.Store = open(t, d.config)
	eventually(t, func() bool { return d.Stats().Unindexed == 0 })
}

// place returns where a record is: its block, and its offset in the file.
func (d *damagedStore) place(t *testing.T, sequence uint64) (block int, offset int64) {
	t.Helper()
	for block = 1; ; block++ {
		data, err := os.ReadFile(blockPath(d.config, block))
		require.NoError(t, err)
		offset = -1
		key := blockio.NewRecordCodec(d.config.Name, uint32(block))
		blockio.ScanBlock("", uint32(block), key, data, false, func(at int64, r blockio.Record) {
			if r.Kind == blockio.KindMessage && r.Sequence == sequence {
				offset = at
			}
		})
		if offset >= 0 {
			return block, offset
		}
	}
}

// damage changes one byte of a record.
func (d *damagedStore) damage(t *testing.T, sequence uint64, at int64) (block int, offset int64) {
	t.Helper()
	block, offset = d.place(t, sequence)
	file, err := os.OpenFile(blockPath(d.config, block), os.O_RDWR, 0)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = file.ReadAt(b, offset+at)
	require.NoError(t, err)
	b[0] ^= 0x15
	_, err = file.WriteAt(b, offset+at)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return block, offset
}

// records are the parts of a record that a byte may be changed in, and where.
var recordParts = []struct {
	name string
	at   int64
}{{"length", 0}, {"sequence", 4}, {"time", 14}, {"subject", 23}, {"payload", 60}}

// TestQueryOfADamagedRecord: a record of a sealed block that is damaged while the
// store is open costs itself: it gives a typed error that says where it is, and no
// content; everything else goes on.
func TestQueryOfADamagedRecord(t *testing.T) {
	ways := []struct {
		name    string
		prepare func(t *testing.T, d *damagedStore)
	}{
		{"not read before", func(*testing.T, *damagedStore) {}},
		{"read before", func(t *testing.T, d *damagedStore) { checkEverything(t, d.Store, d.n) }},
		{"reopened", func(t *testing.T, d *damagedStore) {
			stop(t, d.Store)
			d.reopen(t)
		}},
		{"reopened without index files", func(t *testing.T, d *damagedStore) {
			stop(t, d.Store)
			dropIndexFiles(t, d.config)
			d.reopen(t)
		}},
	}
	for _, part := range recordParts {
		for _, way := range ways {
			for i := range 4 {
				first, indexFrom := i%2 == 0, []int64{-1, 1}[i/2]
				t.Run(fmt.Sprintf("%s, %s, first of its block %v, index files %v", part.name, way.name, first, indexFrom > 0), func(t *testing.T) {
					d := newDamagedStore(t, indexFrom)
					way.prepare(t, d)
					damaged := uint64(15)
					if first {
						for damaged = 12; ; damaged++ {
							if _, offset := d.place(t, damaged); offset < 64 {
								break
							}
						}
					}
					block, _ := d.damage(t, damaged, part.at)
					d.check(t, damaged, block)
					mustStore(t, d.Store, "d.one", "more")
					require.False(t, d.Stats().Failed, "reading does not disable writing")
				})
			}
		}
	}
}

// requireDamaged checks an error of a damaged record.
func (d *damagedStore) requireDamaged(t *testing.T, err error, sequence uint64, block int) {
	t.Helper()
	require.ErrorIs(t, err, actors.ErrCorrupt)
	var c *blockio.CorruptionError
	require.ErrorAs(t, err, &c)
	require.Equal(t, blockPath(d.config, block), c.Path)
	require.Equal(t, uint32(block), c.Block)
	require.Equal(t, sequence, c.Sequence)
	require.NotEmpty(t, c.Reason)
	require.NotContains(t, err.Error(), "secret")
}

func (d *damagedStore) check(t *testing.T, damaged uint64, block int) {
	t.Helper()
	ctx := t.Context()
	subject := d.n.live[damaged-1].subject
	same, other := actors.Filter(subject), actors.Filter(map[string]string{"d.one": "d.two", "d.two": "d.one"}[subject])

	m, err := d.LoadMsg(ctx, damaged)
	d.requireDamaged(t, err, damaged, block)
	require.Zero(t, m)
	// Whoever finds it tells the store, which takes it out of the stream.
	eventually(t, func() bool { return d.Stats().LostMessages == 1 })
	d.requireDamaged(t, d.LoadMsgInto(ctx, damaged, new(actors.MessageBuffer)), damaged, block)
	for _, filters := range [][]actors.Filters{nil, {same}, {actors.Filter("d.*")}} {
		// A consumer goes on behind it.
		m, skip, err := d.LoadNextMsg(ctx, damaged, filters...)
		d.requireDamaged(t, err, damaged, block)
		require.Equal(t, damaged, skip)
		require.Zero(t, m)
		m, skip, err = d.LoadPrevMsg(ctx, damaged, filters...)
		d.requireDamaged(t, err, damaged, block)
		require.Equal(t, damaged, skip)
		require.Zero(t, m)
	}
	if got, err := d.SubjectForSeq(ctx, damaged); err != nil {
		d.requireDamaged(t, err, damaged, block)
	} else {
		require.Equal(t, subject, got)
	}
	for _, r := range d.n.live {
		if r.sequence == damaged {
			continue
		}
		for _, q := range []question{askLoad(r.sequence), askLoadInto(r.sequence), askNext(r.sequence, none), askPrev(r.sequence, none),
			askNext(r.sequence, exactly(r.subject)), askPrev(r.sequence, exactly(r.subject)), askSubject(r.sequence)} {
			q.check(t, d.Store, d.n)
		}
	}
	// A search that comes upon it stops there, unless it knows the subject.
	_, skip, err := d.LoadNextMsg(ctx, damaged, other)
	if err == nil {
		require.Equal(t, damaged+1, skip)
	} else {
		d.requireDamaged(t, err, damaged, block)
		require.Equal(t, damaged, skip)
	}

	for _, p := range []picks{none, exactly(subject), matching("d.*"), exactly(d.n.live[damaged].subject)} {
		for _, reverse := range []bool{false, true} {
			for _, from := range []uint64{0, damaged - 1, damaged, damaged + 1} {
				d.checkScan(t, damaged, block, from, reverse, p, nil)
			}
			d.checkScan(t, damaged, block, 1, reverse, p, []actors.ReadOption{actors.Borrowed()})
		}
	}

	// What is counted does not need the record, and says so.
	for _, filters := range [][]actors.Filters{nil, {same}, {actors.Filter("d.*")}} {
		total, through, err := d.NumPending(ctx, 1, filters...)
		require.NoError(t, err)
		require.Equal(t, d.n.last, through)
		require.Positive(t, total)
	}
	got, err := d.MultiLastSeqs(ctx, []string{">"}, damaged-1, 0)
	require.NoError(t, err)
	require.Equal(t, []uint64{damaged - 2, damaged - 1}, got)
	var lasts []uint64
	for m, err := range d.MultiLastMsgs(ctx, []string{"d.*"}, damaged, 0) {
		require.NoError(t, err)
		lasts = append(lasts, m.Sequence)
	}
	require.Equal(t, []uint64{damaged - 2, damaged - 1}, lasts, "what is lost is not the last of anything")

	stats := d.Stats()
	require.Equal(t, uint64(1), stats.LostMessages, "however many have come by it")
	require.Equal(t, uint64(len(d.n.live)-1), stats.Messages)
	state, err := d.State(ctx)
	require.NoError(t, err)
	require.Contains(t, state.DeletedRanges, actors.SequenceRange{First: damaged, Last: damaged})
}

// checkScan: a scan gives what it should, with the damage where the record would be.
// With a filter that does not select the record it may be named or not.
func (d *damagedStore) checkScan(t *testing.T, damaged uint64, block int, from uint64, reverse bool, p picks, more []actors.ReadOption) {
	t.Helper()
	opts := slices.Clone(more)
	if from > 0 {
		opts = append(opts, actors.From(from))
	}
	if reverse {
		opts = append(opts, actors.Reverse())
	}
	for _, f := range p.filters() {
		opts = append(opts, f)
	}
	var got []uint64
	for m, err := range d.Messages(t.Context(), opts...) {
		if err == nil {
			require.NotEqual(t, damaged, m.Sequence)
			require.Equal(t, d.n.live[m.Sequence-1], recordOf(m))
			got = append(got, m.Sequence)
			continue
		}
		d.requireDamaged(t, err, damaged, block)
		require.Zero(t, m)
		if p.match(d.n.live[damaged-1].subject) {
			got = append(got, damaged)
		}
	}
	require.Equal(t, sequencesOf(d.n.scan(from, reverse, p)), got, "from %d, reverse %v%v", from, reverse, p)
}

// TestQueryAfterLoss: a record that was damaged while the store was stopped is lost
// when there is no index file to remember it. It is not counted any more, and everything
// else is as before.
func TestQueryAfterLoss(t *testing.T) {
	for _, part := range recordParts {
		for _, lost := range []uint64{1, 15, 16, 22} {
			t.Run(fmt.Sprintf("%s of %d", part.name, lost), func(t *testing.T) {
				d := newDamagedStore(t, 1)
				stop(t, d.Store)
				dropIndexFiles(t, d.config)
				block, _ := d.damage(t, lost, part.at)
				for _, way := range []string{"found", "opened again", "without index files"} {
					if way == "without index files" {
						dropIndexFiles(t, d.config)
					}
					d.reopen(t)
					state := stateOf(t, d.Store)
					require.Equal(t, uint64(1), state.LostMessages, way)
					n := &naive{live: slices.Clone(d.n.live), last: d.n.last, lastTime: d.n.lastTime}
					n.remove(lost)
					n.lost = []uint64{lost}
					d.checkLost(t, n, lost, block)
					stop(t, d.Store)
				}
			})
		}
	}
}

func (d *damagedStore) checkLost(t *testing.T, n *naive, lost uint64, block int) {
	t.Helper()
	_, err := d.LoadMsg(t.Context(), lost)
	d.requireDamaged(t, err, lost, block)
	full, err := d.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, n.deleted(), full.DeletedRanges)
	require.Equal(t, n.state().Messages, full.Messages)
	require.Equal(t, n.state().Bytes, full.Bytes)
	require.Equal(t, n.first(), full.FirstSequence)
	for _, r := range n.live {
		for _, q := range []question{askLoad(r.sequence), askLoadInto(r.sequence), askSubject(r.sequence)} {
			q.check(t, d.Store, n)
		}
	}
	for _, p := range []picks{none, matching("d.one"), matching("d.two"), matching("d.*"), exactly("absent")} {
		for _, from := range []uint64{0, lost - 1, lost, lost + 1, n.last} {
			for _, q := range []question{askNext(from, p), askPrev(from, p), askFiltered(from, p), askPending(from, p), askPendingLast(from, p)} {
				q.check(t, d.Store, n)
			}
		}
		for _, q := range []question{askLast(p), askSubjects(p), askTotals(p)} {
			q.check(t, d.Store, n)
		}
	}
	for _, most := range []uint64{0, lost - 1, lost, lost + 1} {
		for _, q := range []question{askMulti([]string{">"}, most, 0), askMultiMsgs([]string{"d.*"}, most, 0)} {
			q.check(t, d.Store, n)
		}
	}
	// A scan tells of it once, with its sequence, where it comes by.
	for _, opts := range [][]actors.ReadOption{nil, {actors.Reverse()}, {actors.Filter("d.*")}, {actors.Filter("d.two"), actors.Reverse()}, {actors.From(lost)}} {
		var got, told []uint64
		for m, err := range d.Messages(t.Context(), opts...) {
			if err != nil {
				d.requireDamaged(t, err, lost, block)
				told = append(told, lost)
				continue
			}
			got = append(got, m.Sequence)
		}
		require.Equal(t, []uint64{lost}, told)
		require.NotContains(t, got, lost)
		for _, err := range d.Messages(t.Context(), append(opts, actors.PassDamage())...) {
			require.NoError(t, err)
		}
	}
	var all []uint64
	for m, err := range d.Messages(t.Context(), actors.PassDamage()) {
		require.NoError(t, err)
		all = append(all, m.Sequence)
	}
	require.Equal(t, sequencesOf(n.live), all)
}
