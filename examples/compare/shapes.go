package main

import (
	"context"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// shape is what a store is filled with. Positions count from 0; the message at a position has the
// sequence that follows it.
type shape struct {
	name     string // of its folder
	messages int
	subject  func(position int) string
	payload  func(position int) []byte
}

// fill stores the messages through the store's pipeline and has them written.
func (s shape) fill(ctx context.Context, store peers.ScanStore) error {
	ctx = context.WithoutCancel(ctx)
	pipeline := store.Pipeline()
	for i := range s.messages {
		if err := pipeline.Submit(ctx, peers.Message{Subject: s.subject(i), Payload: s.payload(i)}); err != nil {
			return err
		}
	}
	if err := pipeline.Drain(ctx); err != nil {
		return err
	}
	return store.Flush(ctx)
}

// count returns how many messages from a sequence on have a subject that is wanted.
func (s shape) count(from uint64, wanted func(subject string) bool) (messages uint64) {
	for i := int(from) - 1; i < s.messages; i++ {
		if wanted(s.subject(i)) {
			messages++
		}
	}
	return messages
}

// samePayload is the same bytes for every message.
func samePayload() func(int) []byte {
	payload := newSource(0).payload
	return func(int) []byte { return payload }
}

// ordersShape cycles through "orders.0" to "orders.<subjects - 1>".
func ordersShape(messages, subjects int) shape {
	return shape{
		name: "orders-" + strconv.Itoa(messages) + "-" + strconv.Itoa(subjects), messages: messages,
		subject: func(position int) string { return orderSubject(position % subjects) },
		payload: samePayload(),
	}
}

func orderSubject(number int) string {
	if number < len(subjects) {
		return subjects[number]
	}
	return "orders." + strconv.Itoa(number)
}

// kvShape has as many messages on each of its subjects, "kv.<two digits>.<six digits>", in shuffled
// order. The two digits are the last of the six, so that a pattern that names them selects 1 % of the
// subjects, spread over the whole stream. Subjects are made as they are needed.
func kvShape(messages, subjects int) shape {
	order := newPermutation(messages)
	return shape{
		name: "kv-" + strconv.Itoa(messages) + "-" + strconv.Itoa(subjects), messages: messages,
		subject: func(position int) string { return kvSubject(order.at(position) % subjects) },
		payload: samePayload(),
	}
}

const (
	kvHundredth = "kv.07.>" // selects 1 % of a kvShape
	kvAll       = "kv.>"    // selects all of it, but does not say so
	kvSubject0  = "kv.00.000000"
)

// isKVHundredth says whether kvHundredth selects a subject.
func isKVHundredth(subject string) bool { return subject[:6] == kvHundredth[:6] }

func everySubject(string) bool { return true }

// kvSubject returns the subject with a number below a million.
func kvSubject(number int) string {
	subject := []byte(kvSubject0)
	putDigits(subject[3:5], number%100)
	putDigits(subject[6:], number)
	return unsafe.String(&subject[0], len(subject)) // nothing else holds the bytes
}

// putDigits writes a number with leading zeros.
func putDigits(into []byte, number int) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = byte('0' + number%10)
		number /= 10
	}
}

// permutation shuffles the numbers below n without holding them: a Feistel network over the next
// power of four, walked until the result is below n.
type permutation struct {
	n    uint64
	half int // bits of each half
}

func newPermutation(n int) permutation {
	return permutation{n: uint64(n), half: (bits.Len64(uint64(max(n, 2)-1)) + 1) / 2}
}

func (p permutation) at(position int) int {
	value := uint64(position)
	for {
		if value = p.mix(value); value < p.n {
			return int(value)
		}
	}
}

func (p permutation) mix(value uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := value>>p.half, value&mask
	for round := uint64(1); round <= 4; round++ {
		hash := (right + round) * 0x9e3779b97f4a7c15
		left, right = right, left^(hash>>32)&mask
	}
	return left<<p.half | right
}
