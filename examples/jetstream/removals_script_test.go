package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// removing is a store that scripts run on: the server's or ours.
type removing interface {
	store(subject string, header, payload []byte) error
	batch(messages []scriptMessage) error
	skip(count uint64) error
	remove(sequence uint64) (bool, error)
	purge() (uint64, error)
	purgeEx(filter string, below, keep uint64) (uint64, error)
	compact(below uint64) (uint64, error)
	erase(sequence uint64) (bool, error)
	truncate(above uint64) error
	limit(maxPer int64) error
	observe() (scriptState, error)
}

type scriptMessage struct {
	subject string
	payload []byte
}

// scriptOp is one operation. done says what it answered, in a form that is the same for both stores.
type scriptOp struct {
	text    string
	removes bool
	below   uint64 // of a compaction
	above   uint64 // of a truncation
	maxPer  int64  // of a change of the limits, 0 for none
	run     func(removing) (done string, err error)
}

// scriptMaker makes operations. It follows the last sequence, so that they mean something.
type scriptMaker struct {
	random *rand.Rand
	last   uint64
	count  int // of messages, so that each has a payload of its own
}

var scriptHeader = []byte("NATS/1.0\r\nA: b\r\n\r\n")

func (m *scriptMaker) subject() string {
	return fmt.Sprintf("s.%d.%d", m.random.IntN(3), m.random.IntN(4))
}

func (m *scriptMaker) message() scriptMessage {
	m.count++
	return scriptMessage{m.subject(), bytes.Repeat([]byte{byte(m.count)}, m.random.IntN(200))}
}

// sequence is one that mostly has a message, and sometimes is beyond either end.
func (m *scriptMaker) sequence() uint64 {
	if m.random.IntN(12) == 0 {
		return m.last + uint64(m.random.IntN(3))
	}
	return uint64(m.random.Int64N(int64(m.last) + 1))
}

// filter is a subject or a pattern; about a third has a wildcard.
func (m *scriptMaker) filter() string {
	switch m.random.IntN(6) {
	case 0:
		return fmt.Sprintf("s.%d.*", m.random.IntN(3))
	case 1:
		return fmt.Sprintf("s.*.%d", m.random.IntN(4))
	}
	return m.subject()
}

// operations makes n of them.
func (m *scriptMaker) operations(n int) []scriptOp {
	var ops []scriptOp
	for range n {
		ops = append(ops, m.operation())
	}
	return ops
}

func (m *scriptMaker) operation() scriptOp {
	switch p := m.random.IntN(100); {
	case p < 35:
		return m.storing()
	case p < 50:
		return m.batching()
	case p < 54:
		count := uint64(1 + m.random.IntN(5))
		m.last += count
		return scriptOp{text: fmt.Sprintf("skip %d", count), run: func(s removing) (string, error) { return "", s.skip(count) }}
	case p < 58:
		above := max(1, m.last) - min(max(1, m.last)-1, uint64(m.random.IntN(12)))
		m.last = above
		return scriptOp{text: fmt.Sprintf("truncate %d", above), removes: true, above: above, run: func(s removing) (string, error) {
			return "", s.truncate(above)
		}}
	case p < 60:
		maxPer := []int64{-1, 1, 2, 3, 5}[m.random.IntN(5)]
		return scriptOp{text: fmt.Sprintf("at most %d of a subject", maxPer), removes: true, maxPer: maxPer, run: func(s removing) (string, error) {
			return "", s.limit(maxPer)
		}}
	case p < 66:
		sequence := m.sequence()
		return scriptOp{text: fmt.Sprintf("erase %d", sequence), removes: true, run: func(s removing) (string, error) {
			removed, err := s.erase(sequence)
			return fmt.Sprint(removed), err
		}}
	case p < 84:
		sequence := m.sequence()
		return scriptOp{text: fmt.Sprintf("remove %d", sequence), removes: true, run: func(s removing) (string, error) {
			removed, err := s.remove(sequence)
			return fmt.Sprint(removed), err
		}}
	case p < 94:
		return m.purgingEx()
	case p < 98:
		return m.compacting()
	}
	return scriptOp{text: "purge", removes: true, run: func(s removing) (string, error) { return counted(s.purge()) }}
}

func (m *scriptMaker) storing() scriptOp {
	message := m.message()
	var header []byte
	if m.random.IntN(3) == 0 {
		header = scriptHeader
	}
	m.last++
	return scriptOp{text: "store " + message.subject, run: func(s removing) (string, error) {
		return "", s.store(message.subject, header, message.payload)
	}}
}

func (m *scriptMaker) batching() scriptOp {
	var messages []scriptMessage
	for range 2 + m.random.IntN(20) {
		messages = append(messages, m.message())
	}
	m.last += uint64(len(messages))
	return scriptOp{text: fmt.Sprintf("batch of %d", len(messages)), run: func(s removing) (string, error) {
		return "", s.batch(messages)
	}}
}

func (m *scriptMaker) purgingEx() scriptOp {
	filter, below, keep := m.filter(), uint64(0), uint64(0)
	if m.random.IntN(2) == 0 {
		below = m.sequence()
	}
	if m.random.IntN(2) == 0 {
		keep = uint64(m.random.IntN(4))
	}
	return scriptOp{text: fmt.Sprintf("purge %s below %d keep %d", filter, below, keep), removes: true, run: func(s removing) (string, error) {
		return counted(s.purgeEx(filter, below, keep))
	}}
}

func (m *scriptMaker) compacting() scriptOp {
	below := 1 + uint64(m.random.Int64N(int64(m.last)+1))
	if m.random.IntN(5) == 0 {
		below = m.last + 1 + uint64(m.random.IntN(20))
	}
	m.last = max(m.last, below-1)
	return scriptOp{text: fmt.Sprintf("compact to %d", below), removes: true, below: below,
		run: func(s removing) (string, error) { return counted(s.compact(below)) }}
}

func counted(n uint64, err error) (string, error) { return fmt.Sprint(n), err }
