package read

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// ScanOptions say what a scan reads.
type ScanOptions struct {
	Set      subject.Set
	From     uint64 // sequence to begin at: 0 for the first message or, with Reverse and without HasFrom, for the last
	HasFrom  bool   // with Reverse, a From of 0 is what it says: there is nothing at or below it
	Since    time.Time
	HasSince bool // begin at the first message whose time is not before Since
	Reverse  bool
	// Follow: Run is called again when the stream has grown.
	Follow bool
	// PassDamage leaves out errors of damage, and goes on behind it in silence.
	PassDamage bool
	// Borrowed: a record that was handed out may be looked at until the next one is.
	Borrowed bool
}

// Scan is one iteration over the messages of a stream, upwards or downwards, with or without a filter.
//
// It goes from block to block. Of each it asks the table which records are selected and live, reads
// those through a window (window.go), and hands them out in order, with the damage where it lies
// between them (damage.go). What it holds of the stream it takes anew at each block, so blocks may go,
// and the stream may grow, while it is on its way.
type Scan struct {
	ScanOptions
	*Source
	ctx   context.Context
	ended <-chan struct{}
	// emit gets each message, or an error with a nil record. It reports whether to go on.
	emit func(*blockio.Record, error) bool

	next   uint64 // sequence to go on at
	last   uint64 // upwards, where to end
	lowest uint64 // downwards, where to end
	early  int64  // messages of earlier times are passed over, until one is not

	// Of the part that is being read: its records low..high-1 are read, all of them or the members.
	low, high int
	all       bool
	members   bitset

	rewinds    uint64 // of the stream that the scan knows of
	unreadable unreadStretch
	told       engine.SequenceRange // the damage that was handed out last
	attempts   int                  // at the same block
	pace       pace

	// Memory that is used again from block to block.
	current part
	window  window
	batch   batch
	record  blockio.Record
}

// outcome says how a part of a scan ended.
type outcome uint8

const (
	goOn  outcome = iota // there may be more to look at
	atEnd                // all was looked at that the scan is about
	quit                 // emit has ended the scan, or has got the error that ends it
)

// NewScan returns a scan up to the message that is the last one now. emit gets each message, or an
// error with a nil record, and reports whether to go on.
func (s *Source) NewScan(ctx context.Context, o ScanOptions, emit func(*blockio.Record, error) bool) *Scan {
	sc := &Scan{ScanOptions: o, Source: s, ctx: ctx, ended: ctx.Done(), emit: emit, early: math.MinInt64}
	sc.rewinds, sc.last = s.lastNow()
	sc.next = max(sc.From, 1)
	if sc.Reverse {
		sc.next = sc.last
		if sc.From > 0 || sc.HasFrom {
			sc.next = min(sc.From, sc.last)
		}
	}
	return sc
}

// Next returns the sequence at which the scan goes on.
func (sc *Scan) Next() uint64 { return sc.next }

// End returns the last sequence that the scan looks at.
func (sc *Scan) End() uint64 { return sc.last }

// Extend moves the end of the scan to the last message there is now, for another Run behind what has
// been looked at. It reports whether there is more to look at.
func (sc *Scan) Extend() bool {
	sc.next = max(sc.next, sc.last+1)
	rewinds, last := sc.lastNow()
	for sc.rewound() {
		rewinds, last = sc.lastNow()
	}
	if rewinds == sc.rewinds {
		sc.last = max(sc.last, last)
	}
	return sc.last >= sc.next
}

// Run goes from block to block. It reports whether it came to the end; if not, emit has got the reason
// or has ended the scan.
func (sc *Scan) Run() bool {
	defer sc.window.close(sc.Borrowed)
	if sc.HasSince && sc.seekTime() == quit {
		return false
	}
	narrowed := sc.Set.All()
	for {
		if err := sc.ctx.Err(); err != nil {
			sc.emit(nil, context.Cause(sc.ctx))
			return false
		}
		if sc.Stopped.Load() {
			sc.emit(nil, ErrStopped)
			return false
		}
		now, floor := sc.instant(), sc.Published.Floor()
		if sc.rewound() {
			continue
		}
		if !sc.Reverse {
			sc.next = max(sc.next, floor)
		}
		if sc.next > sc.last || sc.next < floor || sc.next == 0 || sc.Set.None() {
			return true
		}
		b := now.View.Find(sc.next)
		if b == nil {
			switch sc.beforeBlocks(now.View, floor) {
			case quit:
				return false
			case atEnd:
				return true
			}
			continue
		}
		if !narrowed && sc.farToGo(now.View) {
			narrowed = true
			if sc.narrow() == atEnd {
				return true
			}
			continue
		}
		switch sc.block(now, b) {
		case quit:
			return false
		case atEnd:
			return true
		}
	}
}

// instant returns the stream as it is now. All of it is of one instant: a message is in a block of the
// view, or it is not live. Without a filter the subjects are left out, which spares the engine copies.
func (sc *Scan) instant() engine.Snapshot {
	if sc.Set.All() {
		return sc.Published.Extent()
	}
	return sc.Published.Snapshot()
}

// farToGo reports whether the scan has several blocks to go.
func (sc *Scan) farToGo(view *engine.View) bool {
	here := view.Index(sc.next)
	if sc.Reverse {
		return here > 1
	}
	return view.Index(sc.last)-here > 1
}

// narrow moves the scan to where the matches are, as the subject index knows it. It returns atEnd when
// there is none.
func (sc *Scan) narrow() outcome {
	l := Lookup{Source: sc.Source, ctx: sc.ctx, set: sc.Set, now: sc.Published.Snapshot()}
	low, high := l.reach(0)
	// What is lost may have been selected.
	for _, lost := range sc.Published.LostWithin(sc.Published.Floor(), sc.last) {
		if low > high {
			low, high = lost.First, lost.Last
		}
		low, high = min(low, lost.First), max(high, lost.Last)
	}
	if low > high {
		return atEnd
	}
	if sc.Reverse {
		sc.next = min(sc.next, high) // and not what was stored after the scan began
		return goOn
	}
	sc.next = max(sc.next, low)
	if !sc.Follow {
		sc.last = min(sc.last, high)
	}
	return goOn
}

// seekTime moves the scan to the first message whose time is not before Since.
func (sc *Scan) seekTime() outcome {
	sc.HasSince = false
	var first uint64
	wanted, ok := ClampTime(sc.Since)
	err := sc.Ask(sc.ctx, subject.Everything(), func(l *Lookup) (err error) {
		if first = l.now.LastSequence + 1; ok {
			first, err = l.AtTime(wanted)
		}
		return err
	})
	if err != nil {
		sc.emit(nil, err)
		return quit
	}
	if sc.Reverse {
		sc.lowest = first
		return goOn
	}
	sc.next = max(sc.next, first)
	if sc.Follow && first > sc.last {
		// There is none yet, and what is stored next need not be late enough.
		if sc.early = wanted; !ok {
			sc.early = math.MaxInt64
		}
	}
	return goOn
}

// block hands out the messages of a block, and moves the scan to the next one.
func (sc *Scan) block(now engine.Snapshot, b *engine.BlockView) outcome {
	sc.pace.letRun(sc.Source)
	from, to := max(sc.next, b.First), min(sc.last, now.LastSequence)
	if after := now.View.Next(b); after != nil {
		to = min(to, after.First-1)
	}
	if sc.Reverse {
		from, to = max(b.First, sc.Published.Floor(), sc.lowest), min(to, sc.next)
	}
	if from <= to {
		err := sc.partsOf(&sc.current, now.View, b, from, to, now.Subjects, sc.Reverse, func(p *part) error { return sc.part(p, from, to) })
		if err != errStopVisit {
			err = firstError(sc.tellUnread(), err)
		}
		again, failure := sc.afterCut(sc.ctx, err)
		switch {
		case err == errStopVisit:
			return quit
		case failure != nil:
			sc.emit(nil, failure)
			return quit
		case again:
			return goOn
		case errors.Is(err, fs.ErrNotExist):
			if sc.Reverse {
				to = min(to, sc.next)
			} else {
				from = max(from, sc.next)
			}
			if sc.withoutFile(b, from, to, err) == quit {
				return quit
			}
		case err != nil && worthAnotherTry(err) && sc.attempts < mostAttempts:
			sc.attempts++
			return goOn // at the same block, from where it was
		case err != nil:
			sc.emit(nil, err)
			return quit
		}
	}
	sc.attempts = 0
	if sc.Reverse {
		if sc.next = b.First - 1; sc.next < max(sc.lowest, 1) {
			return atEnd
		}
		return goOn
	}
	if sc.next = max(sc.next, to+1); sc.next > sc.last {
		return atEnd
	}
	return goOn
}

// withoutFile decides what it means that the file of a block is missing, which has from..to.
func (sc *Scan) withoutFile(b *engine.BlockView, from, to uint64, err error) outcome {
	if now := sc.Published.Extent(); !sameBlock(now.View.Find(sc.next), b) || sc.next < now.FirstSequence {
		return goOn // the block went, with its messages
	}
	// Like damage: it costs what the block holds, and the next block is read.
	list := sc.Published.LostWithin(from, to)
	for _, live := range liveWithin(b, max(from, sc.Published.First()), to) {
		sc.lose(b, live.First, live.Last, nil)
		list = append(list, engine.LostRange{SequenceRange: live, Block: b.ID})
	}
	slices.SortFunc(list, func(a, b engine.LostRange) int { return cmp.Compare(a.First, b.First) })
	list = joined(list)
	if sc.Reverse {
		slices.Reverse(list)
	}
	for _, lost := range list {
		if sc.tell(sc.missing(b, lost.SequenceRange, err)) != nil {
			return quit
		}
	}
	return goOn
}

// joined makes one of ranges that follow each other. It changes the list, which is ascending.
func joined(list []engine.LostRange) []engine.LostRange {
	n := 0
	for _, r := range list {
		if n > 0 && list[n-1].Last+1 == r.First {
			list[n-1].Last = r.Last
			continue
		}
		list[n] = r
		n++
	}
	return list[:n]
}

// moveBehind goes on behind a sequence.
func (sc *Scan) moveBehind(sequence uint64) {
	if sc.Reverse {
		sc.next = sequence - 1
	} else {
		sc.next = sequence + 1
	}
}

// tooEarly reports whether the current record comes before the first one that is wanted.
func (sc *Scan) tooEarly() bool {
	if sc.record.Time < sc.early {
		return true
	}
	sc.early = math.MinInt64
	return false
}
