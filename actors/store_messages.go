package actors

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// ReadOption changes what Messages gives.
type ReadOption interface{ apply(*readOptions) }

type readOption func(*readOptions)

func (f readOption) apply(o *readOptions) { f(o) }

type readOptions struct {
	read.ScanOptions // the set is that of the filters
	filters          []Filters
}

// From begins at the first message at or above a sequence; with Reverse, at the last
// one at or below it, so that From(0) then gives nothing: whoever pages downwards goes on below the last
// sequence it was given. Default: at the first message, with Reverse at the last.
func From(sequence uint64) ReadOption {
	return readOption(func(o *readOptions) { o.From, o.HasFrom = sequence, true })
}

// Borrowed makes the messages share their bytes, those of the subject too, with the iterator: they are valid
// until its next step, and must not be changed. It saves an allocation and a copy
// a message.
func Borrowed() ReadOption { return readOption(func(o *readOptions) { o.Borrowed = true }) }

// PassDamage leaves out errors of damage: the iteration goes on behind it in silence.
func PassDamage() ReadOption { return readOption(func(o *readOptions) { o.PassDamage = true }) }

// Reverse gives the messages in descending order.
func Reverse() ReadOption { return readOption(func(o *readOptions) { o.Reverse = true }) }

// Follow goes on with new messages as they are acknowledged, until the context ends or
// the store stops; that is then the error at the end. It cannot be had with Reverse.
func Follow() ReadOption { return readOption(func(o *readOptions) { o.Follow = true }) }

// FromTime begins at the first message whose time is not before t. Where times are out of order,
// messages behind it may be earlier than t. With From, at the later of the two.
func FromTime(t time.Time) ReadOption {
	return readOption(func(o *readOptions) { o.Since, o.HasSince = t, true })
}

// Messages gives the live messages that the filters select in order, up to the one
// that was the last when the iteration began: see From, FromTime, Filter, Literal,
// Reverse, Follow and Borrowed. Messages that are removed meanwhile may be missing; no
// message comes twice or out of order, and none is missing that was there before the
// iteration began and is there when it ends.
//
// It reads the files on the caller's goroutine in stretches of 256 KiB, holds no more
// than one of them, and does not slow down the writer. With filters it asks the index
// of each block, and reads what matches only; a block that has no match costs a few
// reads of a page, and none once those are in memory.
//
// Each damaged stretch gives one error that is a *blockio.CorruptionError, with a zero
// Message, and the iteration goes on behind it: a loop that returns at the first error
// never gets past it. errors.As tells it, with the file, the place and the sequences:
//
//	for message, err := range store.Messages(ctx) {
//		var lost *blockio.CorruptionError
//		switch {
//		case errors.As(err, &lost): // the disk has lost messages
//			log.Print(err) // which, and where
//			continue
//		case err != nil: // the iteration is over
//			return err
//		}
//		// use the message
//	}
//
// With filters a stretch is told of if it may have held a match, which is so when the
// subject of what was lost is not known. PassDamage leaves these errors out. Any other
// error, the end of the context and ErrStopped among them, is the last thing the iteration
// gives.
func (s *Store) Messages(ctx context.Context, opts ...ReadOption) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		var o readOptions
		for _, opt := range opts {
			opt.apply(&o)
		}
		var err error
		if o.Set, err = setOf(o.filters); err != nil {
			yield(Message{}, err)
			return
		}
		if o.Follow {
			s.follow(ctx, o, yield)
			return
		}
		s.scan(ctx, o, yield).Run()
	}
}

// scan returns a scan that hands out messages. The options have their set.
func (s *stream) scan(ctx context.Context, o readOptions, yield func(Message, error) bool) *read.Scan {
	return s.source.NewScan(ctx, o.ScanOptions, func(r *blockio.Record, err error) bool {
		switch {
		case err != nil:
			return yield(Message{}, err)
		case o.Borrowed:
			return yield(borrowMessage(r), nil)
		}
		return yield(copyMessage(r), nil)
	})
}

// follow goes on with a scan whenever the last sequence has advanced.
func (s *Store) follow(ctx context.Context, o readOptions, yield func(Message, error) bool) {
	if o.Reverse {
		yield(Message{}, fmt.Errorf("%w: Follow and Reverse exclude each other", ErrConfig))
		return
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	// The watch begins before the scan does, so it tells of all that is stored meanwhile.
	advanced, err := s.Watch(watching)
	if err != nil {
		yield(Message{}, err)
		return
	}
	s.meters.followers.Add(1)
	defer s.meters.followers.Add(-1)
	sc := s.scan(ctx, o, yield)
	for sc.Run() {
		for !sc.Extend() {
			if _, ok := <-advanced; ok {
				continue
			}
			err := ErrStopped
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			yield(Message{}, err)
			return
		}
	}
}
