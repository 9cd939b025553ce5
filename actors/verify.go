package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// VerifyOptions say what a Verify tells of while it runs. Zero is usable.
	VerifyOptions struct {
		// Damage, if set, is called for everything that is damaged, on the goroutine of Verify.
		Damage func(*blockio.CorruptionError)
		// Progress, if set, is called after each block, on the goroutine of Verify.
		Progress func(VerifyProgress)
	}
	// VerifyProgress says how far a Verify is.
	VerifyProgress struct {
		Blocks, OfBlocks int
		Bytes            int64 // of blocks that were read, as they are when they are not compressed
	}
	// VerifyReport says what a Verify has found.
	VerifyReport struct {
		Blocks   int
		Bytes    int64  // of blocks that were read, as they are when they are not compressed
		Messages uint64 // live ones that were verified
		Lost     uint64 // messages that are lost; other damage has cost none
		Damage   int    // how much is damaged: calls of VerifyOptions.Damage
	}
)

// Verify reads all of the stream and verifies every checksum there is: of each record in each block, live or not, of
// block indexes, and of the small files beside. It tells of each damaged stretch of a block, with the place and the
// sequences that are lost with it, of lost messages that left no trace in their blocks, and of files. It changes
// nothing, and repairs nothing: it does not even make the store count what is lost, as reading that does.
//
// It runs on the caller's goroutine, beside everything else, block by block. What stores add meanwhile is not looked
// at. The error says why not all could be verified: ErrStopped, ErrChanged, that of the context or of the disk. Damage
// is none; VerifyReport.Damage counts it.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	v := &verification{store: s, options: o, ctx: ctx}
	if err := v.run(); err != nil {
		return v.report, fmt.Errorf("verify %s: %w", s.config.Name, err)
	}
	return v.report, nil
}

// verification is a Verify that is under way.
type verification struct {
	store   *Store
	options VerifyOptions
	ctx     context.Context
	report  VerifyReport
	told    []engine.SequenceRange // what was told of damaged
	next    uint32                 // blocks below are verified
	buffer  []byte
	// each, if set, is told of each block that is verified. An error of it ends all.
	each func(c *blockVerification, full bool) error
}

// mostRounds bounds how often a stream is looked at anew, as the block that is to be verified is not what it was.
const mostRounds = 100

func (v *verification) run() error {
	err := v.files()
	if err == nil {
		err = v.blocks()
	}
	if err == nil {
		v.lost()
	}
	return err
}

// blocks verifies the blocks.
func (v *verification) blocks() error {
	for round := 1; ; round++ {
		if err := v.round(round == mostRounds); !errors.Is(err, ErrSnapshotStale) || round == mostRounds {
			return err
		}
	}
}

// round verifies the blocks that are left, as the stream is now. The error wraps ErrSnapshotStale when a block is not
// what it was: in the last round, what it shows is taken for what there is.
func (v *verification) round(last bool) error {
	if err := v.store.Flush(v.ctx); err != nil {
		return err
	}
	f, err := v.store.freeze(v.ctx)
	if err != nil {
		return err
	}
	defer f.pin.Release()
	if err := v.store.Flush(v.ctx); err != nil {
		return err
	}
	if v.next == 0 {
		v.report.Lost = f.stream.LostMessages
	}
	for i := range f.stream.Blocks {
		b := &f.stream.Blocks[i]
		if b.View.ID < v.next {
			continue
		}
		if v.ctx.Err() != nil {
			return context.Cause(v.ctx)
		}
		if err := v.block(f, b, last, i+1 < len(f.stream.Blocks)); err != nil {
			return err
		}
		f.pin.Pass(b.View.ID + 1)
		v.next = b.View.ID + 1
		v.report.Blocks++
		if v.options.Progress != nil {
			v.options.Progress(VerifyProgress{Blocks: i + 1, OfBlocks: len(f.stream.Blocks), Bytes: v.report.Bytes})
		}
	}
	return nil
}

// tell hands out damage.
func (v *verification) tell(d *blockio.CorruptionError) {
	v.report.Damage++
	if d.Sequence > 0 {
		v.told = append(v.told, engine.SequenceRange{First: d.Sequence, Last: max(d.Sequence, d.Last)})
	}
	if v.options.Damage != nil {
		v.options.Damage(d)
	}
}

// lost tells of messages that are known to be lost and whose blocks do not show it.
func (v *verification) lost() {
	for _, l := range v.store.published.LostWithin(1, blockio.MaxSequence) {
		next := l.First
		for _, t := range v.told {
			if t.First <= next && t.Last >= next {
				next = t.Last + 1
			}
		}
		if next <= l.Last {
			v.tell(&blockio.CorruptionError{
				Path: v.store.source.Path(l.Block), Block: l.Block, Sequence: next, Last: l.Last,
				Reason: "messages are lost without a trace", Err: blockio.ErrCorrupt,
			})
		}
	}
}

// mostLooks is how often damage to small files has to be seen, of a stream whose files may just be replaced.
const mostLooks = 3

// files verifies what is beside the blocks.
func (v *verification) files() error {
	s := v.store
	var damage []*blockio.CorruptionError
	below, err := s.decryptedBelow()
	if err != nil {
		return err
	}
	for range mostLooks {
		if damage, err = blockio.CheckFiles(below, s.dir, s.config.Name); len(damage) == 0 {
			break
		}
	}
	if err != nil {
		return err
	}
	blocks := blockio.NewBlocks(below, s.dir, s.config.Name, blockio.BlocksOptions{})
	if d := disk.CheckServerState(blocks); d != nil {
		damage = append(damage, d)
	}
	for _, d := range damage {
		v.tell(d)
	}
	return nil
}

// block verifies a block.
func (v *verification) block(f *frozen, b *engine.FrozenBlock, last, full bool) error {
	source := v.store.source.Blocks()
	ref := blockio.BlockRef{ID: b.View.ID, Generation: b.View.Generation}
	block, err := source.Lease(ref, blockio.LeaseOptions{})
	if errors.Is(err, fs.ErrNotExist) && !v.store.config.ReadOnly || errors.Is(err, blockio.ErrSuperseded) {
		if block, err = f.pin.Kept(ref); err != nil && !last {
			return fmt.Errorf("%w: %w", ErrSnapshotStale, err)
		}
	}
	if err != nil {
		return err
	}
	defer block.Release()
	c := &blockVerification{frozen: b, block: block}
	// A few at a time, of all streams together: each takes the memory of a block.
	v.store.runtime.readers.Build(func() { err = c.run(v) })
	select {
	case <-v.store.gone:
		return ErrStopped // a store that has stopped leaves its files to others
	default:
	}
	if errors.Is(err, blockio.ErrSuperseded) && !last {
		return fmt.Errorf("%w: %w", ErrSnapshotStale, err)
	}
	if err != nil {
		return err
	}
	if len(c.damage) > 0 && !last && (source.Current(ref) != ref || f.retired != source.Retired()) {
		return fmt.Errorf("%w: block %d", ErrSnapshotStale, ref.ID)
	}
	for _, d := range c.damage {
		v.tell(d)
	}
	v.report.Messages += c.messages
	v.report.Lost += b.Messages - c.messages
	v.report.Bytes += c.bytes
	if v.each != nil {
		return v.each(c, full)
	}
	return nil
}

// unreadableOr returns which sectors an error says cannot be read, and the error if it is another one.
func unreadableOr(err error) ([]blockio.SectorRange, error) {
	if sectors := blockio.Unreadable(err); sectors != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return sectors, nil
	}
	return nil, err
}
