package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// tripConfig is the configuration of a stream that makes the round trip.
type tripConfig struct {
	compress                bool
	maxMsgs, maxBytes       int64
	maxPer                  int64
	discardNew, newPer      bool
	ttl, rollup             bool
	age                     time.Duration
	blockSize               int64
	duplicates              time.Duration
	subjects                int
	operations, operations2 int
}

// tripMessage is a message without the part of its subject that tells the streams apart.
type tripMessage struct {
	subject    string
	header     map[string][]string
	payload    []byte
	expectLast *uint64
}

// tripStore is a stream that a script runs on: a client's, or a store of ours.
type tripStore interface {
	publish(m tripMessage) (answer string, err error)
	publishMany(messages []tripMessage) error
	remove(sequence uint64, erase bool) (answer string, err error)
	purge(subject string, below, keep uint64) (answer string, err error)
	limit(maxPer int64) error
	last() (uint64, error)
	observe() (tripState, error)
}

// tripOp is one operation. answer is in a form that is the same for both.
type tripOp struct {
	text   string
	run    func(tripStore) (answer string, err error)
	maxPer int64 // of a change of the limits, 0 for none
}

// tripMaker makes the operations of a script. They depend on the seed alone.
type tripMaker struct {
	random *rand.Rand
	config tripConfig
	last   uint64 // about
	count  int
}

func newTripMaker(seed uint64) *tripMaker {
	random := rand.New(rand.NewPCG(seed, 13))
	m := &tripMaker{random: random, config: tripConfig{
		compress: random.IntN(3) == 0, maxMsgs: -1, maxBytes: -1, maxPer: -1, blockSize: 4 << 10 << random.IntN(4),
		duplicates: 2 * time.Minute, subjects: 1 + random.IntN(12), operations: 20 + random.IntN(60), operations2: random.IntN(25),
		ttl: random.IntN(3) == 0, rollup: random.IntN(3) == 0,
	}}
	switch random.IntN(8) {
	case 0:
		m.config.maxMsgs = int64(10 + random.IntN(100))
	case 1:
		m.config.maxBytes = int64(20<<10 + random.IntN(60<<10))
	case 2, 3:
		m.config.maxPer = int64(1 + random.IntN(4))
	case 4:
		m.config.age = time.Hour
	case 5:
		m.config.maxMsgs, m.config.discardNew = int64(50+random.IntN(100)), true
		m.config.maxPer, m.config.newPer = int64(4+random.IntN(10)), random.IntN(2) == 0
	}
	if m.config.maxMsgs > 0 || m.config.maxBytes > 0 {
		// In a full stream a server removes the oldest message for one that takes the place of others, too.
		m.config.rollup = false
	}
	return m
}

func (m *tripMaker) subject() string {
	return fmt.Sprintf("%c.%d", 'a'+m.random.IntN(3), m.random.IntN(m.config.subjects))
}

func (m *tripMaker) filter() string {
	switch m.random.IntN(5) {
	case 0:
		return fmt.Sprintf("%c.*", 'a'+m.random.IntN(3))
	case 1:
		return fmt.Sprintf("*.%d", m.random.IntN(m.config.subjects))
	}
	return m.subject()
}

func (m *tripMaker) sequence() uint64 {
	if m.random.IntN(12) == 0 {
		return m.last + uint64(m.random.IntN(3))
	}
	return uint64(m.random.Int64N(int64(m.last) + 1))
}

// message is one with any headers and any size: most are small, some are empty, a few are larger than a block.
func (m *tripMaker) message() tripMessage {
	m.count++
	size := m.random.IntN(200)
	switch m.random.IntN(20) {
	case 0:
		size = 0
	case 1:
		size = m.random.IntN(20 << 10)
	}
	message := tripMessage{subject: m.subject(), payload: make([]byte, size)}
	for i := range message.payload { // half of it is well compressed
		message.payload[i] = byte(m.count)
		if i%2 == 0 && m.random.IntN(2) == 0 {
			message.payload[i] = byte(m.random.Uint32())
		}
	}
	header := map[string][]string{}
	if m.random.IntN(3) == 0 {
		header["N"] = []string{fmt.Sprint(m.count)}
	}
	if m.random.IntN(6) == 0 {
		header["Many"] = []string{"one", "", "three; 3=ü"}
	}
	if m.random.IntN(12) == 0 {
		header["lower-case"] = []string{""}
	}
	if len(header) > 0 {
		message.header = header
	}
	return message
}

func (m *tripMaker) with(message tripMessage, name, value string) tripMessage {
	if message.header == nil {
		message.header = map[string][]string{}
	}
	message.header[name] = []string{value}
	return message
}

func publishing(text string, message tripMessage) tripOp {
	return tripOp{text: fmt.Sprintf("publish %s of %d bytes%s", message.subject, len(message.payload), text),
		run: func(s tripStore) (string, error) { return s.publish(message) }}
}

func (m *tripMaker) operation() tripOp {
	p := m.random.IntN(100)
	if p < 70 {
		m.last++
	}
	switch {
	case p < 30:
		return publishing("", m.message())
	case p < 40:
		var messages []tripMessage
		for range 2 + m.random.IntN(15) {
			messages = append(messages, m.message())
		}
		m.last += uint64(len(messages)) - 1
		return tripOp{text: fmt.Sprintf("publish %d", len(messages)), run: func(s tripStore) (string, error) { return "", s.publishMany(messages) }}
	case p < 46:
		id := fmt.Sprint("id-", m.random.IntN(10))
		return publishing(" with "+id, m.with(m.message(), "Nats-Msg-Id", id))
	case p < 52:
		ttl := []string{"1h", "never", "86400", "1h30m1s", "nonsense", "0"}[m.random.IntN(6)]
		if !m.config.ttl {
			return publishing("", m.message())
		}
		return publishing(" to live "+ttl, m.with(m.message(), "Nats-TTL", ttl))
	case p < 58:
		kind := []string{"sub", "sub", "sub", "all"}[m.random.IntN(4)]
		if !m.config.rollup {
			return publishing("", m.message())
		}
		return publishing(" in place of "+kind, m.with(m.message(), "Nats-Rollup", kind))
	case p < 64:
		off := uint64(m.random.IntN(2))
		message := m.message()
		return tripOp{text: fmt.Sprintf("publish %s behind the last but %d", message.subject, off), run: func(s tripStore) (string, error) {
			last, err := s.last()
			if err != nil {
				return "", err
			}
			last -= min(last, off)
			message.expectLast = &last
			return s.publish(m.with(message, "Nats-Expected-Last-Sequence", fmt.Sprint(last)))
		}}
	case p < 70:
		return publishing("", m.message())
	case p < 88:
		sequence, erase := m.sequence(), m.random.IntN(3) == 0
		return tripOp{text: fmt.Sprintf("remove %d, erase %v", sequence, erase), run: func(s tripStore) (string, error) { return s.remove(sequence, erase) }}
	case p < 95:
		filter, below, keep := m.filter(), uint64(0), uint64(0)
		if m.random.IntN(2) == 0 {
			below = m.sequence()
		} else {
			keep = uint64(m.random.IntN(4))
		}
		return tripOp{text: fmt.Sprintf("purge %s below %d keep %d", filter, below, keep), run: func(s tripStore) (string, error) { return s.purge(filter, below, keep) }}
	case p < 97:
		below := max(1, m.sequence())
		return tripOp{text: fmt.Sprintf("purge below %d", below), run: func(s tripStore) (string, error) {
			if state, err := s.observe(); err != nil || state.endsBelow(below) {
				return "left out", err
			}
			return s.purge("", below, 0)
		}}
	case p < 99 && !m.config.newPer:
		maxPer := []int64{-1, 1, 2, 5}[m.random.IntN(4)]
		return tripOp{text: fmt.Sprintf("at most %d of a subject", maxPer), maxPer: maxPer,
			run: func(s tripStore) (string, error) { return "", s.limit(maxPer) }}
	}
	return tripOp{text: "purge", run: func(s tripStore) (string, error) { return s.purge("", 0, 0) }}
}

func (m *tripMaker) operationsOf(n int) []tripOp {
	var list []tripOp
	for range n {
		list = append(list, m.operation())
	}
	return list
}
