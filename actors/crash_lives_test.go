package actors

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// livesCommands is the length of a script with TTLs, in the short form.
const livesCommands = 40

// newLivesPlan draws a script as newCrashPlan does, whose messages have TTLs, and whose time passes, so that some end.
// Every second one has delete markers, too. MaxAge is the only limit: what else limits evict would depend on when
// a message went.
func newLivesPlan(seed int64, commands int) *crashPlan {
	p := newCrashPlan(seed, commands)
	rng := randomOf(seed, 1)
	p.config.MaxMsgs, p.config.MaxBytes, p.config.Discard = 0, 0, DiscardOld
	p.config.MaxAge = pick(rng, 0, 0, 4*time.Second)
	p.config.AllowMsgTTL = On
	if seed/4%2 == 0 {
		p.config.SubjectDeleteMarkerTTL = pick(rng, 2*time.Second, time.Minute)
	}
	for i := range p.steps {
		s := &p.steps[i]
		if s.kind != stepCommand {
			continue
		}
		if p.config.SubjectDeleteMarkerTTL > 0 {
			s.relate = unnamed // nobody knows what a marker has taken that is staged
		}
		inner, drawn := s.command, rng.Int63()
		s.command = func(wanted uint64) engine.Command { return withLives(inner(wanted), drawn) }
	}
	return p
}

// withLives gives a share of the messages of a command a TTL.
func withLives(c engine.Command, drawn int64) engine.Command {
	rng := randomOf(drawn)
	give := func(m *engine.Message) {
		ttl := pick(rng, "", "", "1", "1s", "2s", "10s", "never")
		if ttl == "" {
			return
		}
		if len(m.Header) == 0 {
			m.Header = []byte("NATS/1.0\r\n\r\n")
		}
		m.Header = fmt.Appendf(m.Header[:len(m.Header)-2], "%s: %s\r\n\r\n", msgheader.TTL, ttl)
	}
	switch c := c.(type) {
	case *engine.Store:
		give(&c.Message)
	case *engine.StoreRaw:
		give(&c.Message)
	case *engine.StoreBatch:
		for i := range c.Messages {
			give(&c.Messages[i])
		}
	}
	return c
}

// due reports whether a message may be gone at a time, by its TTL or for its age.
func (m *crashModel) due(message *crashMessage, now int64) bool {
	var life msgheader.Life
	if m.lives {
		life = msgheader.LifeOf(message.Header)
	}
	return msgheader.Due(message.time, life.TTL) <= now ||
		m.limits.MaxAge > 0 && life.TTL != msgheader.Never && message.time <= now-int64(m.limits.MaxAge)
}

// dropDue leaves out the messages up to a sequence that are due and were not found.
func (m *crashModel) dropDue(live []*crashMessage, there map[uint64]bool, below uint64, now int64) []*crashMessage {
	return slices.DeleteFunc(live, func(message *crashMessage) bool {
		return message.sequence < below && !there[message.sequence] && m.due(message, now)
	})
}

// staged takes in the markers that a commit is about to write: the engine stores them by itself. What was predicted of
// commands behind them was one sequence too low for each.
func (m *crashModel) staged(c *engine.Commit) error {
	for _, op := range c.Ops {
		if op.Kind != engine.OpWrite {
			continue
		}
		var run []crashMessage // markers in a row are in one frame
		data := bytes.Clone(slices.Concat(op.Data...))
		for at := 0; at < len(data); {
			var r blockio.Record
			if err := blockio.Parse(data[at:], &r); err != nil {
				return fmt.Errorf("a commit of %v: %w", op, err)
			}
			at += r.Size
			marker := r.Kind == blockio.KindMessage && msgheader.LifeOf(r.Header).Marker
			if len(run) > 0 && (!marker || run[len(run)-1].sequence+1 != r.Sequence) {
				if err := m.insert(run); err != nil {
					return err
				}
				run = nil
			}
			if marker {
				run = append(run, crashMessage{
					sequence: r.Sequence, time: r.Time, exact: true,
					Message: engine.Message{Subject: string(r.Subject), Header: r.Header, Payload: r.Payload},
				})
			}
		}
		if err := m.insert(run); err != nil {
			return err
		}
	}
	return nil
}

// insert puts markers where their sequences are, and moves what comes behind them.
func (m *crashModel) insert(markers []crashMessage) error {
	if len(markers) == 0 {
		return nil
	}
	first, count := markers[0].sequence, uint64(len(markers))
	at := m.upTo(first - 1)
	if m.lastAfter(at)+1 != first || at < m.acked {
		return fmt.Errorf("a marker has sequence %d, behind %d and %d acknowledged events", first, m.lastAfter(at), m.acked)
	}
	moved := []crashEvent{{messages: markers, last: first + count - 1}}
	for _, e := range m.events[at:] {
		e.last += count
		e.messages = slices.Clone(e.messages)
		for i := range e.messages {
			e.messages[i].sequence += count
		}
		moved = append(moved, e)
	}
	m.events = append(m.events[:at:at], moved...)
	for _, tag := range m.waiting {
		if tag.event >= at || tag.event < 0 && tag.until > at {
			tag.last += count
		}
		if tag.event >= at {
			tag.event++
		}
		if tag.until > at {
			tag.until++
		}
	}
	return nil
}

// markersOf checks that a subject of which all has gone has a marker behind it, and that what a marker stands for has
// gone.
func (m *crashModel) markersOf(events int, there map[uint64]bool) error {
	last, left := make(map[string]*crashMessage), make(map[string]bool)
	for i := range events {
		for j := range m.events[i].messages {
			message := &m.events[i].messages[j]
			if isMade(message) && (last[message.Subject] == nil || left[message.Subject]) {
				return fmt.Errorf("message %d marks that %s has gone, and it has not", message.sequence, message.Subject)
			}
			last[message.Subject] = message
			left[message.Subject] = left[message.Subject] || there[message.sequence]
		}
	}
	for subject, message := range last {
		if subject != "" && !left[subject] && !message.gone && !isMade(message) {
			return fmt.Errorf("message %d of %s went without a marker", message.sequence, subject)
		}
	}
	return nil
}

func isMade(m *crashMessage) bool { return msgheader.LifeOf(m.Header).Marker }

// sequencesOf returns the sequences of messages.
func sequencesOf(found []Message) map[uint64]bool {
	there := make(map[uint64]bool, len(found))
	for _, m := range found {
		there[m.Sequence] = true
	}
	return there
}

// awake lets an open store do what is due: afterwards nothing is there whose TTL has come, and all else is.
func (l *crashLife) awake() error {
	if l.errors.first != "" {
		return nil // a block that is damaged keeps what cannot be found in it
	}
	for ticks := 0; ; ticks++ {
		l.store.engine.Tick(l.now)
		if err := l.settle(); err != nil {
			return err
		}
		due, err := l.overdue()
		if err != nil {
			return err
		}
		if due == 0 {
			break
		}
		// What is in more blocks than are loaded at a time goes with the ticks behind it.
		at, more := l.store.engine.NextTick()
		if ticks == mostTicks || !more || at > l.now+int64(time.Second) {
			return fmt.Errorf("message %d has not gone, and its TTL has come", due)
		}
		l.now = max(l.now+1, at)
	}
	if l.plan.config.Sync != SyncAlways {
		return nil
	}
	return l.check(killed)
}

// mostTicks is how many ticks messages that are due may take to go.
const mostTicks = 50

// overdue returns the sequence of a message whose TTL has come, 0 when there is none.
func (l *crashLife) overdue() (sequence uint64, err error) {
	found, err := l.read()
	for _, m := range found {
		if msgheader.Due(m.Time.UnixNano(), msgheader.LifeOf(m.HeaderBlock).TTL) <= l.now {
			return m.Sequence, err
		}
	}
	return 0, err
}

// TestCrashSweepOfLives is TestCrashSweep with messages that have TTLs, and with delete markers: at each operation a
// crash leaves what is not due, and either a message or its marker. The store that is opened again removes the rest.
func TestCrashSweepOfLives(t *testing.T) {
	start := time.Now()
	commands := livesCommands
	if *crashPoints > 0 {
		commands = crashCommands
	} else if testing.Short() {
		commands /= 4
	}
	points, err := sweep(func(seed int64, _ int) *crashPlan { return newLivesPlan(seed, commands) },
		nothing, *crashSeed, 2*seedsInShort(), *crashPoints/4, 2)
	report(t, points, start)
	if err != nil {
		t.Fatal(err)
	}
}

// everything is above all sequences.
const everything = uint64(math.MaxUint64)
