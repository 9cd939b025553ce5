package actors

import (
	"context"
	"math"

	"github.com/seed-d8b58eba/millrace/engine"
)

// LostRange is sequences whose messages were lost through damage, the block that had them, and how many bytes were lost
// with them, as far as that is known.
type LostRange = engine.LostRange

// Lost returns which sequences were lost through damage, as ascending and disjoint ranges: what recovery has found and
// what readers have come by, now and before the stream was opened. Such sequences are deleted, too, or below the first
// one. They are forgotten when limits or a purge have removed the blocks that had them; State.LostMessages is a count
// that is not. It reads no disk, and works on a failed and on a stopped store. The error is that of the context.
//
// A server's LostStreamData has the single sequences, which Sequences gives, and the sum of the bytes.
func (s *Store) Lost(ctx context.Context) ([]LostRange, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return s.published.LostWithin(0, math.MaxUint64), nil
}

type (
	// LostRequest asks which sequences were lost, see Store.Lost. At most Max ranges are given (0: 65,536; no more than
	// 1,048,576), those from From on. It counts for 40 bytes each. Reply: *LostReply.
	LostRequest struct {
		From uint64
		Max  int
		Tag  any
	}
	// LostReply answers LostRequest. Next is where the ranges go on, 0 when there are no more.
	LostReply struct {
		Ranges []LostRange
		Next   uint64
		Err    error
		Tag    any
	}
)

// IgnoreDeadLetterLogging keeps sequences out of the actor library's log.
func (*LostReply) IgnoreDeadLetterLogging() {}

// lostCredit is what each range counts for, in bytes.
const lostCredit = 40

func (m *LostRequest) most() int     { return bounded(m.Max, defaultRow, mostRow) }
func (m *LostRequest) weight() int64 { return int64(opOverhead + m.most()*lostCredit) }

func (m *LostRequest) refuse(_ *stream, err error) any { return &LostReply{Err: err, Tag: m.Tag} }

func (m *LostRequest) carryOut(_ context.Context, s *stream) any {
	reply := &LostReply{Ranges: s.published.LostWithin(m.From, math.MaxUint64), Tag: m.Tag}
	if most := m.most(); len(reply.Ranges) > most {
		reply.Next = reply.Ranges[most].First
		reply.Ranges = reply.Ranges[:most:most]
	}
	return reply
}
