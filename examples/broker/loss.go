package main

import (
	"errors"
	"log/slog"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// A Batch is what a session hands to its subscriber at a time.
type Batch struct {
	Messages []actors.Message
	Lost     *LostRange // what the disk has lost behind them; nil for nothing
	Through  uint64     // the last sequence of all this, to be acknowledged
}

// LostRange is sequences whose messages the disk has lost. A reader goes on behind them: what is lost does not
// come back by waiting, and all else is there.
type LostRange struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// damageFound is a session's word to its topic: it has come by damage.
type damageFound struct {
	lost *LostRange // nil when the damage has cost no message that is known
	err  *blockio.CorruptionError
}

// lostIn returns what a page says of damage; nil when its error is of another kind.
func lostIn(page *actors.ReadReply) *damageFound {
	found := &damageFound{}
	if !errors.As(page.Err, &found.err) {
		return nil
	}
	if first := found.err.Sequence; first != 0 {
		// The next page begins behind all that is lost, which may be a whole block.
		found.lost = &LostRange{First: first, Last: max(first, found.err.Last, page.Next-1)}
	}
	return found
}

// mostTold bounds what a lossLog remembers.
const mostTold = 10_000

// A lossLog warns of each damaged stretch of a stream once, however many readers come by it. One actor uses it.
type lossLog struct {
	logger *slog.Logger
	told   map[damagedPlace]struct{}
}

// damagedPlace is what a stretch is known by: its last sequence, since a reader may begin inside it, or its offset.
type damagedPlace struct {
	block  uint32
	last   uint64
	offset int64
}

func (l *lossLog) warn(found *damageFound) {
	place := damagedPlace{block: found.err.Block}
	if found.lost != nil {
		place.last = found.lost.Last
	} else {
		place.offset = found.err.Offset
	}
	if _, told := l.told[place]; told || len(l.told) >= mostTold {
		return
	}
	l.told[place] = struct{}{}
	if found.lost == nil {
		l.logger.Warn("a reader came by damage that has cost no message", "error", found.err)
		return
	}
	l.logger.Warn("messages are lost; readers go on behind them", "first", found.lost.First, "last", found.lost.Last, "error", found.err)
}
