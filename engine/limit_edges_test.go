package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestALimitIsTheLastThatIsAllowed: what fills it exactly is taken, and one more is not.
func TestALimitIsTheLastThatIsAllowed(t *testing.T) {
	batch := func(bytes int) sent {
		half := bytes / 2
		return sent{"batch", &engine.StoreBatch{Messages: []engine.Message{
			{Payload: payload(half - 30)}, {Payload: payload(bytes - half - 30)}, // a record has 30 bytes more
		}}}
	}
	headed := func(header, payloadSize int) sent {
		return sent{"store", &engine.Store{Message: engine.Message{Header: payload(header), Payload: payload(payloadSize)}}}
	}
	for _, row := range []struct {
		name         string
		limits       engine.Limits
		fits, beyond sent
		want         error
	}{
		{"message size", engine.Limits{MaxMsgSize: 100}, store("a", 100), store("a", 101), engine.ErrTooLarge},
		{"message size, with a header", engine.Limits{MaxMsgSize: 100},
			headed(40, 60), headed(41, 60), engine.ErrTooLarge},
		{"bytes of a batch", engine.Limits{}, batch(engine.MaxBatchBytes), batch(engine.MaxBatchBytes + 1), engine.ErrTooLarge},
		{"messages", engine.Limits{MaxMsgs: 1, Discard: engine.DiscardNew}, store("a", 0), store("a", 0), engine.ErrMaxMsgs},
		{"bytes", engine.Limits{MaxBytes: 31, Discard: engine.DiscardNew}, store("a", 0), store("a", 0), engine.ErrMaxBytes},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(limits(row.limits))
			s.must(t, row.fits)
			replies := s.do(row.beyond)
			require.Len(t, replies, 1)
			require.ErrorIs(t, replies[0].Err, row.want)
		})
	}
}

// TestEveryRefusalIsCounted by its reason.
func TestEveryRefusalIsCounted(t *testing.T) {
	type refused struct{ msgs, bytes, size, sequence uint64 }
	for _, row := range []struct {
		name   string
		limits engine.Limits
		refuse sent
		want   refused
	}{
		{"messages", engine.Limits{MaxMsgs: 1, Discard: engine.DiscardNew}, store("a", 0), refused{msgs: 1}},
		{"bytes", engine.Limits{MaxBytes: 40, Discard: engine.DiscardNew}, store("a", 0), refused{bytes: 1}},
		{"message size", engine.Limits{MaxMsgSize: 1}, store("a", 2), refused{size: 1}},
		{"record size", engine.Limits{}, store("a", 32<<20), refused{size: 1}},
		{"batch size", engine.Limits{}, batchOf(2, 17<<20), refused{size: 1}},
		{"sequence", engine.Limits{}, raw(7, start), refused{sequence: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(limits(row.limits))
			s.must(t, store("a", 0))
			replies := s.do(row.refuse)
			require.Len(t, replies, 1)
			require.Error(t, replies[0].Err)
			n := s.pub.Counts()
			require.Equal(t, row.want, refused{n.RefusedMsgs, n.RefusedBytes, n.RefusedSize, n.RefusedSequence})
		})
	}
}

// TestABlockIsFilledToTheByte, and not beyond, by messages, batches and skips.
func TestABlockIsFilledToTheByte(t *testing.T) {
	const mark = 30 // of the group that a batch is
	for _, row := range []struct {
		name string
		last func(bytes int) sent // a command whose records have so many bytes
		size int
	}{
		{"a message", func(bytes int) sent { return store("a", bytes-31) }, 69},
		{"a batch", func(bytes int) sent {
			return sent{"batch", &engine.StoreBatch{Messages: []engine.Message{{}, {Payload: payload(bytes - mark - 60)}}}}
		}, 100},
		{"a skip", func(int) sent { return skip(0, 1) }, 30},
	} {
		for _, free := range []int{row.size, row.size - 1} {
			s := open(func(c *engine.Config) { c.BlockSize = int64(131 + free) })
			s.must(t, store("a", 100))
			s.must(t, row.last(row.size))
			want := []uint32{1}
			if free < row.size {
				want = append(want, 2)
			}
			require.Equal(t, want, s.disk.blocks(), "%s of %d bytes where %d are free", row.name, row.size, free)
		}
	}
}
