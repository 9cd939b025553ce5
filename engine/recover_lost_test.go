package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestSettleNamesWhatNobodyNames: what a damaged block may have had, as far as the blocks around it, the
// beginning of the stream and what shows its end leave room for that.
func TestSettleNamesWhatNobodyNames(t *testing.T) {
	const block = 2
	type sequences = engine.SequenceRange
	messages := func(s *engine.Scan, first, last uint64) {
		for sequence := first; sequence <= last; sequence++ {
			s.Message(sequence, start, 0, 100, []byte("a"))
		}
	}
	damaged := func(head, end bool, lost []uint64, fill func(*engine.Scan)) *engine.Scan {
		s := engine.NewScan(block)
		fill(s)
		s.Around(head, end)
		s.Finish(5000, false, lost, 500)
		return s
	}
	whole := func(id uint32, first, last uint64) *engine.Scan {
		s := engine.NewScan(id)
		messages(s, first, last)
		s.Finish(5000, false, nil, 0)
		return s
	}
	floored := func(id uint32, first, last, floor uint64) *engine.Scan {
		s := engine.NewScan(id)
		messages(s, first, last)
		s.Floor(floor)
		s.Finish(5000, false, nil, 0)
		return s
	}
	nothing := func(*engine.Scan) {}
	for _, row := range []struct {
		name  string
		began uint64
		scans []*engine.Scan
		want  []sequences
	}{
		{"all of the first block, and nobody knows where it began", 0,
			[]*engine.Scan{damaged(true, true, nil, nothing), whole(3, 16, 20)}, nil},
		{"all of the first block", 4, []*engine.Scan{damaged(true, true, nil, nothing), whole(3, 16, 20)}, []sequences{{First: 4, Last: 15}}},
		{"all of the first block, of which some was removed", 4, []*engine.Scan{
			damaged(true, true, []uint64{5}, nothing), floored(3, 16, 20, 9)}, []sequences{{First: 9, Last: 15}}},
		{"all of it, and its records say that they are others", 4,
			[]*engine.Scan{damaged(true, true, []uint64{1, 2, 30}, nothing), whole(3, 16, 20)}, []sequences{{First: 4, Last: 15}}},
		{"the beginning of the first block", 4, []*engine.Scan{
			damaged(true, false, []uint64{7}, func(s *engine.Scan) { messages(s, 8, 15) }), whole(3, 16, 20)}, []sequences{{First: 4, Last: 7}}},
		{"all but tombstones of others", 0, []*engine.Scan{
			whole(1, 1, 5), damaged(true, true, nil, func(s *engine.Scan) { s.Tombstone(2, start) }), whole(3, 16, 20)},
			[]sequences{{First: 6, Last: 15}}},
		{"all messages but none of the marks, and each says which it was", 0, []*engine.Scan{
			whole(1, 1, 5), damaged(false, false, []uint64{8, 9}, func(s *engine.Scan) { s.Mark(77) }), whole(3, 16, 20)},
			[]sequences{{First: 8, Last: 9}}},
		{"the end, where a tombstone shows how far it went", 0, []*engine.Scan{
			whole(1, 1, 5), damaged(false, true, nil, func(s *engine.Scan) {
				messages(s, 6, 8)
				s.Tombstone(12, start)
			})}, []sequences{{First: 9, Last: 11}}},
		{"the end, and nothing shows how far it went", 0, []*engine.Scan{
			whole(1, 1, 5), damaged(false, true, nil, func(s *engine.Scan) { messages(s, 6, 8) })}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			pub := engine.NewPublished()
			r := engine.NewRecovery(testConfig(), pub)
			for _, s := range row.scans {
				r.Add(s)
			}
			r.Began(row.began)
			r.Settle()
			var got []sequences
			bytes := uint64(0)
			for _, l := range r.Lost() {
				require.EqualValues(t, block, l.Block)
				got, bytes = append(got, l.SequenceRange), bytes+l.Bytes
			}
			require.Equal(t, row.want, got)
			if len(got) > 0 {
				require.EqualValues(t, 500, bytes)
			}
			require.NotContains(t, r.EmptyBlocks(), uint32(block), "what is damaged is not removed")
		})
	}
}

// TestWhatWasFoundIsFoundAgain, and no more: when a block has come behind since that shows the last sequence, and when
// what was beside the damage has gone since.
func TestWhatWasFoundIsFoundAgain(t *testing.T) {
	damaged := func(id uint32, end bool, lost ...uint64) *engine.Scan {
		s := engine.NewScan(id)
		s.Around(false, end)
		s.Finish(1024, false, lost, 1024)
		return s
	}
	block := func(id uint32, fill func(s *engine.Scan)) *engine.Scan {
		s := engine.NewScan(id)
		fill(s)
		s.Finish(500, false, nil, 0)
		return s
	}
	message := func(sequence uint64) func(s *engine.Scan) {
		return func(s *engine.Scan) { s.Message(sequence, start, 0, 100, []byte("a")) }
	}
	skipTo := func(sequence uint64) func(s *engine.Scan) { return func(s *engine.Scan) { s.Skip(sequence, start) } }
	settled := func(told []engine.LostRange, scans ...*engine.Scan) []engine.LostRange {
		r := engine.NewRecovery(testConfig(), engine.NewPublished())
		for _, s := range scans {
			r.Add(s)
		}
		for _, l := range told {
			r.Lose(l)
		}
		r.Settle()
		return r.Lost()
	}
	before := settled(nil, block(1, message(5)), damaged(2, true), damaged(3, false, 20))
	require.Len(t, before, 2)
	require.Equal(t, engine.SequenceRange{First: 6, Last: 19}, before[0].SequenceRange)
	require.Equal(t, before, settled(before, block(1, message(5)), damaged(2, true), damaged(3, false, 20), block(4, skipTo(20))))

	beside := block(2, func(s *engine.Scan) { s.Skip(7, start); s.Message(8, start, 0, 100, []byte("a")) })
	before = settled(nil, block(1, message(5)), beside, damaged(3, true), block(4, message(12)))
	require.Equal(t, []engine.LostRange{{SequenceRange: engine.SequenceRange{First: 9, Last: 11}, Block: 3, Bytes: 1024}}, before)
	require.Equal(t, before, settled(before, block(1, message(5)), damaged(3, true), block(4, message(12))), "block 2 has gone")
	// Nobody knows which of the blocks had which of them; each is told of, with its bytes.
	row := []*engine.Scan{damaged(3, true), damaged(4, true), damaged(5, true)}
	shared := settled(nil, append([]*engine.Scan{block(1, message(5)), beside}, append(row, block(6, message(15)))...)...)
	require.Equal(t, []engine.LostRange{
		{SequenceRange: engine.SequenceRange{First: 9, Last: 12}, Block: 3, Bytes: 1024},
		{SequenceRange: engine.SequenceRange{First: 13, Last: 13}, Block: 4, Bytes: 1024},
		{SequenceRange: engine.SequenceRange{First: 14, Last: 14}, Block: 5, Bytes: 1024},
	}, shared)
	require.Equal(t, shared, settled(shared, append([]*engine.Scan{block(1, message(5))}, append(row, block(6, message(15)))...)...))
	few := settled(nil, append([]*engine.Scan{block(1, message(5))}, append(row, block(6, message(8)))...)...)
	require.Len(t, few, 1)
	require.Equal(t, engine.SequenceRange{First: 6, Last: 7}, few[0].SequenceRange, "there are fewer than blocks")
	more := settled(before, block(1, message(5)), func() *engine.Scan {
		s := engine.NewScan(3)
		s.Around(false, true)
		s.Finish(2048, false, nil, 2048) // more of it is damaged than was told of
		return s
	}(), block(4, message(12)))
	require.Equal(t, engine.SequenceRange{First: 6, Last: 11}, more[0].SequenceRange)
}

// TestBytesOfALossAreCountedOnce: what was told of a block stands for its damaged stretches, unless these have
// cost more.
func TestBytesOfALossAreCountedOnce(t *testing.T) {
	for _, row := range []struct {
		name string
		told uint64 // bytes of 6
		lost []uint64
		want uint64
	}{
		{"nothing was told", 0, []uint64{6}, 500},
		{"all was told", 320, []uint64{6}, 320},
		{"some was told", 320, []uint64{6, 7}, 500},
		{"more was told", 700, []uint64{6, 7}, 700},
		{"no message is lost", 0, nil, 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			pub := engine.NewPublished()
			r := engine.NewRecovery(testConfig(), pub)
			s := engine.NewScan(1)
			for sequence := uint64(1); sequence <= 5; sequence++ {
				s.Message(sequence, start, 0, 100, []byte("a"))
			}
			s.Finish(5000, false, row.lost, 500)
			r.Add(s)
			if row.told > 0 {
				r.Lose(engine.LostRange{SequenceRange: engine.SequenceRange{First: 6, Last: 6}, Block: 1, Bytes: row.told})
			}
			r.Settle()
			e := r.Finish(start)
			for e.Opening() {
				ready := e.Ready()
				if ready.Commit != nil {
					e.Done(engine.Done{ID: ready.Commit.ID})
				}
			}
			require.Equal(t, row.want, pub.State().LostBytes)
			bytes := uint64(0)
			for _, l := range pub.LostWithin(1, 100) {
				bytes += l.Bytes
			}
			if len(row.lost) > 0 {
				require.Equal(t, row.want, bytes, "in the list as well")
			}
		})
	}
}
