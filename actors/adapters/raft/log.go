package raftstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/seed-d8b58eba/millrace/actors"
)

// IsMonotonic is true: there are no gaps in the log, but where all entries are deleted it can go on at any index.
func (s *Store) IsMonotonic() bool { return true }

// FirstIndex returns the index of the first entry, 0 when there is none.
func (s *Store) FirstIndex() (uint64, error) {
	first, _, err := s.bounds()
	return first, err
}

// LastIndex returns the index of the last entry, 0 when there is none.
func (s *Store) LastIndex() (uint64, error) {
	_, last, err := s.bounds()
	return last, err
}

// bounds returns the first and the last index, zeros when there is no entry.
func (s *Store) bounds() (first, last uint64, err error) {
	if err := s.log.Err(); errors.Is(err, actors.ErrStopped) {
		return 0, 0, err
	}
	state, err := s.log.FastState(context.Background())
	if err != nil || state.Messages == 0 {
		return 0, 0, err
	}
	first, last = state.FirstSequence, state.LastSequence
	if unsure := s.unsure.Load(); unsure > 0 {
		last = min(last, unsure-1)
	}
	if last < first {
		return 0, 0, nil
	}
	return first, last, nil
}

// GetLog reads an entry, or returns raft.ErrLogNotFound. An entry that is damaged is actors.ErrCorrupt.
func (s *Store) GetLog(index uint64, entry *raft.Log) error {
	_, err := s.load(index, entry)
	return err
}

// load is GetLog, and returns the commit index that the entry has with it.
func (s *Store) load(index uint64, entry *raft.Log) (committed uint64, err error) {
	if unsure := s.unsure.Load(); index == 0 || unsure > 0 && index >= unsure {
		return 0, raft.ErrLogNotFound
	}
	message, err := s.log.LoadMsg(context.Background(), index)
	if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
		return 0, raft.ErrLogNotFound
	}
	if err != nil {
		return 0, err
	}
	return decodeEntry(message.Payload, index, entry)
}

// StageCommitIndex has the entries that are stored next keep the commit index: each of them, as far as it is not above
// its own index.
func (s *Store) StageCommitIndex(index uint64) error {
	s.staged.Store(index)
	return nil
}

// GetCommitIndex returns the commit index that the last entry has with it, 0 when there is none.
func (s *Store) GetCommitIndex() (uint64, error) {
	_, last, err := s.bounds()
	if err != nil || last == 0 {
		return 0, err
	}
	return s.load(last, new(raft.Log))
}

// StoreLog stores an entry.
func (s *Store) StoreLog(entry *raft.Log) error {
	return s.StoreLogs([]*raft.Log{entry})
}

// StoreLogs stores entries at the end of the log: all of them or none, also across a crash, unless they are more than
// 16 MiB, which goes in pieces. They have to follow each other and the last entry (ErrGap); when there is none, the first
// of them may have any index above 0. An entry of more than about 32 MiB is actors.ErrTooLarge.
func (s *Store) StoreLogs(entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	for i, entry := range entries {
		if entry.Index == 0 || entry.Index != entries[0].Index+uint64(i) {
			return fmt.Errorf("%w: index %d at place %d behind %d", ErrGap, entry.Index, i, entries[0].Index)
		}
	}
	s.tail.Lock()
	defer s.tail.Unlock()
	return s.patiently(s.log, func(ctx context.Context) error { return s.appendOrCut(ctx, entries) })
}

// appendOrCut appends entries; when that fails, the log ends for readers where it did. What may be behind that is cut
// off, now or before anything else is stored.
func (s *Store) appendOrCut(ctx context.Context, entries []*raft.Log) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.place(ctx, entries[0].Index); err != nil {
		return err
	}
	some, err := s.append(ctx, entries)
	if err == nil {
		return nil
	}
	if some || failed(err) {
		s.unsure.Store(entries[0].Index) // all before it is certain
		if !failed(err) {
			return errors.Join(err, s.settle(ctx))
		}
	}
	return err
}

// settle cuts off what a store that has failed may have left.
func (s *Store) settle(ctx context.Context) error {
	unsure := s.unsure.Load()
	if unsure == 0 {
		return nil
	}
	if err := s.log.Err(); err != nil { // who called waits for the recovery, as long as it has patience
		return err
	}
	state, err := s.log.FastState(ctx)
	if err != nil {
		return err
	}
	if state.LastSequence >= unsure {
		if _, err := s.log.Truncate(ctx, unsure-1); err != nil {
			return err
		}
	}
	s.unsure.Store(0)
	return nil
}

// place sees to it that the next entry can have an index: the one behind the last, or any one when there is no entry.
func (s *Store) place(ctx context.Context, index uint64) error {
	state, err := s.log.FastState(ctx)
	switch {
	case err != nil:
		return err
	case index == state.LastSequence+1:
		return nil
	case state.Messages > 0:
		return fmt.Errorf("%w: index %d behind %d", ErrGap, index, state.LastSequence)
	case index > state.LastSequence:
		_, err = s.log.Compact(ctx, index)
	default:
		_, err = s.log.Truncate(ctx, index-1)
	}
	return err
}

// pieceBytes bounds what goes into the stream as one batch.
const pieceBytes = 16 << 20

// append appends entries, in pieces. some tells that a piece was stored before the error.
func (s *Store) append(ctx context.Context, entries []*raft.Log) (some bool, err error) {
	p := pieces.Get().(*piece)
	defer pieces.Put(p)
	for committed := s.staged.Load(); len(entries) > 0; some = true {
		n := p.fill(entries, committed)
		if err := p.store(ctx, s.log, entries[0].Index); err != nil {
			return some, err
		}
		entries = entries[n:]
	}
	return true, nil
}

// piece is a batch of encoded entries, and the memory for it.
type piece struct {
	bytes    []byte
	messages []actors.BatchMessage
}

var pieces = sync.Pool{New: func() any { return new(piece) }}

// keptPiece is the largest memory that is kept for the next batch.
const keptPiece = 1 << 20

// fill encodes as many entries as make a piece, at least one, and returns how many.
func (p *piece) fill(entries []*raft.Log, committed uint64) int {
	size, n := 0, 0
	for _, entry := range entries {
		size += entryOverhead + len(entry.Extensions) + len(entry.Data)
		if n > 0 && size > pieceBytes {
			break
		}
		n++
	}
	if cap(p.bytes) < size {
		p.bytes = make([]byte, 0, size)
	}
	p.bytes, p.messages = p.bytes[:0], p.messages[:0]
	for _, entry := range entries[:n] {
		from := len(p.bytes)
		p.bytes = appendEntry(p.bytes, entry, committed)
		p.messages = append(p.messages, actors.BatchMessage{Subject: entrySubject(entry.Type), Payload: p.bytes[from:]})
	}
	return n
}

// store stores the piece so that its first entry gets an index.
func (p *piece) store(ctx context.Context, log *actors.Store, index uint64) (err error) {
	defer func() {
		clear(p.messages)
		if cap(p.bytes) > keptPiece {
			p.bytes = nil
		}
	}()
	if len(p.messages) == 1 {
		m := &p.messages[0]
		_, err = log.StoreRaw(ctx, actors.RawMessage{Sequence: index, Subject: m.Subject, Payload: m.Payload, StampNow: true})
	} else {
		_, err = log.StoreBatch(ctx, p.messages, actors.ExpectLast(index-1))
	}
	if errors.Is(err, actors.ErrSequenceMismatch) {
		return fmt.Errorf("%w: index %d: %w", ErrGap, index, err)
	}
	return err
}

// DeleteRange deletes the entries from low to high: those at the beginning of the log, at its end, or all of it. Where
// none of them is there it does nothing, and a range in the middle is ErrMiddle. It is durable and all or nothing.
// Entries can be stored while the beginning is deleted.
func (s *Store) DeleteRange(low, high uint64) error {
	if low > high {
		return nil
	}
	return s.patiently(s.log, func(ctx context.Context) error {
		head, err := s.deleteTail(ctx, low, high)
		if err == nil && head > 0 {
			_, err = s.log.Compact(ctx, head)
		}
		return err
	})
}

// deleteTail deletes a range at the end of the log. For a range at its beginning, or all of it, it returns the index that
// the log is to begin with.
func (s *Store) deleteTail(ctx context.Context, low, high uint64) (head uint64, err error) {
	s.tail.Lock()
	defer s.tail.Unlock()
	if err := s.settle(ctx); err != nil {
		return 0, err
	}
	first, last, err := s.bounds()
	switch {
	case err != nil || high < first || low > last:
		return 0, err
	case low <= first:
		return min(high, last) + 1, nil
	case high >= last:
		_, err := s.log.Truncate(ctx, low-1)
		return 0, err
	}
	return 0, fmt.Errorf("%w: %d to %d of %d to %d", ErrMiddle, low, high, first, last)
}
