package actors

import (
	"bytes"
	"fmt"
	"math/rand"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// crashStart is when every script begins, in nanoseconds since the epoch.
const crashStart = int64(1_700_000_000) * int64(time.Second)

// crashPlan is what a seed stands for: a configuration and a script.
type crashPlan struct {
	seed   int64
	config Config
	steps  []crashStep
}

// stepKind is what a step of a script does.
type stepKind uint8

const (
	stepCommand stepKind = iota // hand a command to the engine
	stepReady                   // take what the engine has ready
	stepCommit                  // run one operation of the commit
	stepWork                    // run one piece of maintenance
	stepSettle                  // run everything
	stepTick                    // let time pass
	stepRestart                 // stop, and open again
	stepKill                    // open again without a stop
)

// crashStep is one step. It does not depend on the store's state, so that a
// script can go on after any crash.
type crashStep struct {
	kind stepKind
	// command makes a command of its own that asks for a sequence, unless that is 0.
	command func(wanted uint64) engine.Command
	relate  relation // of the sequence that the command asks for to the next one
	pass    time.Duration
}

// relation is how a sequence that a command names relates to what is right.
type relation uint8

const (
	unnamed relation = iota
	right
	wrong
)

// splitMix is a source of randomness that costs nothing to make.
type splitMix uint64

func (s *splitMix) Seed(seed int64) { *s = splitMix(seed) }
func (s *splitMix) Int63() int64    { return int64(s.Uint64() >> 1) }
func (s *splitMix) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// randomOf gives randomness that depends on all of the numbers.
func randomOf(numbers ...int64) *rand.Rand {
	s := new(splitMix)
	for _, n := range numbers {
		*s = splitMix(s.Uint64() ^ uint64(n))
	}
	return rand.New(s)
}

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.Intn(len(choices))] }

// newCrashPlan draws a script with so many commands. Neighbouring seeds take turns
// at the sync levels.
func newCrashPlan(seed int64, commands int) *crashPlan {
	rng := randomOf(seed)
	p := &crashPlan{seed: seed, config: Config{
		Dir: "data", Name: "ORDERS",
		Sync:            []SyncLevel{SyncAlways, SyncAlways, SyncInterval, SyncNever}[uint64(seed)%4],
		SyncEvery:       pick(rng, time.Millisecond, 50*time.Millisecond),
		BlockSize:       pick(rng, int64(300), 800, 1500, 4096, 10_000),
		IndexFrom:       pick(rng, int64(1), 1, -1),
		MaxUnwritten:    pick(rng, int64(500), 1<<20),
		NoPreallocation: rng.Intn(4) == 0,
		FirstSequence:   pick(rng, uint64(0), 0, 0, 1000),
	}}
	switch rng.Intn(6) {
	case 0: // no limits
	case 1:
		p.config.Discard, p.config.MaxMsgs = DiscardNew, 60
	case 2:
		p.config.MaxAge = 2 * time.Second
	case 3:
		p.config.MaxBytes = 4000
	default:
		p.config.MaxMsgs = pick(rng, int64(1), 5, 20)
	}
	EncryptSome(&p.config, uint64(seed)+uint64(seed)/4) // at each level
	for n := 0; n < commands; {
		step := drawStep(rng, n)
		if step.kind == stepCommand {
			n++
		}
		p.steps = append(p.steps, step)
	}
	return p
}

func drawStep(rng *rand.Rand, n int) crashStep {
	switch k := rng.Intn(1000); {
	case k < 400:
		return drawCommand(rng, n)
	case k < 600:
		return crashStep{kind: stepReady}
	case k < 780:
		return crashStep{kind: stepCommit}
	case k < 860:
		return crashStep{kind: stepWork}
	case k < 910:
		return crashStep{kind: stepSettle}
	case k < 985:
		return crashStep{kind: stepTick, pass: pick(rng, time.Millisecond, 300*time.Millisecond, time.Second, 11*time.Second)}
	case k < 993:
		return crashStep{kind: stepRestart}
	default:
		return crashStep{kind: stepKill}
	}
}

func drawCommand(rng *rand.Rand, n int) crashStep {
	switch k := rng.Intn(100); {
	case k < 55:
		m, relate := drawMessage(rng, n), pick(rng, unnamed, unnamed, unnamed, right, wrong)
		return crashStep{kind: stepCommand, relate: relate, command: func(wanted uint64) engine.Command {
			c := &engine.Store{Message: cloneMessage(m)}
			if wanted != 0 {
				c.HasExpectLast, c.ExpectLast = true, wanted-1
			}
			return c
		}}
	case k < 67:
		m, relate := drawMessage(rng, n), pick(rng, unnamed, right, wrong)
		return crashStep{kind: stepCommand, relate: relate, command: func(wanted uint64) engine.Command {
			return &engine.StoreRaw{Message: cloneMessage(m), Sequence: wanted, Time: crashStart + int64(n)*int64(time.Millisecond)}
		}}
	case k < 82:
		var messages []engine.Message
		for i := range 1 + rng.Intn(6) {
			messages = append(messages, drawMessage(rng, 1000*n+i))
		}
		return crashStep{kind: stepCommand, command: func(uint64) engine.Command {
			c := &engine.StoreBatch{}
			for _, m := range messages {
				c.Messages = append(c.Messages, cloneMessage(m))
			}
			return c
		}}
	case k < 92:
		count, relate := pick(rng, uint64(1), 2, 1000), pick(rng, unnamed, right)
		return crashStep{kind: stepCommand, relate: relate, command: func(wanted uint64) engine.Command {
			return &engine.Skip{Sequence: wanted, Count: count}
		}}
	default:
		return crashStep{kind: stepCommand, command: func(uint64) engine.Command { return &engine.Flush{} }}
	}
}

func cloneMessage(m engine.Message) engine.Message {
	m.Header, m.Payload = bytes.Clone(m.Header), bytes.Clone(m.Payload)
	return m
}

// drawMessage makes a message that no other one of the script equals.
func drawMessage(rng *rand.Rand, n int) engine.Message {
	m := engine.Message{Subject: pick(rng, "orders.new", "orders.eu.paid", "a", "")}
	if rng.Intn(4) == 0 {
		m.Header = fmt.Appendf(nil, "NATS/1.0\r\nId: %d\r\n\r\n", n)
	}
	size := pick(rng, 0, 8, 30, 30, 100, 300, 700, 1800)
	m.Payload = fmt.Appendf(nil, "%d:", n)
	m.Payload = append(m.Payload, bytes.Repeat([]byte{pick(rng, byte(0), 0xff, 'x')}, size)...)
	return m
}
