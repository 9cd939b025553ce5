package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
)

// maxFindings is how many differences a checker spells out; it counts them all.
const maxFindings = 5

// A checker compares what one subscriber is given with the source, byte for byte, and keeps which event
// stood at which sequence of this run for a comparison with the acknowledgements.
type checker struct {
	week     *week
	base     uint64 // this run's events have higher sequences
	next     uint64 // the sequence that must come; 0 before the first
	last     uint64 // the sequence that came last
	seen     []uint64
	messages uint64
	bytes    uint64
	foreign  uint64 // messages that no run of this command wrote
	wrong    uint64
	findings []error
}

func newChecker(w *week, base uint64) *checker {
	return &checker{week: w, base: base}
}

// check takes the next message of the subscription.
func (c *checker) check(message *actors.Message) {
	c.messages++
	c.bytes += uint64(len(message.Payload))
	if c.next != 0 && message.Sequence != c.next {
		c.report(fmt.Errorf("sequence %d came where %d was due", message.Sequence, c.next))
	}
	c.next, c.last = message.Sequence+1, message.Sequence
	if err := c.compare(message); err != nil {
		c.report(fmt.Errorf("sequence %d: %w", message.Sequence, err))
	}
}

// miss takes note of messages that are lost: the comparison goes on behind them, and fails.
func (c *checker) miss(lost LostRange) {
	c.report(fmt.Errorf("the disk has lost sequences %d to %d", lost.First, lost.Last))
	c.next, c.last = lost.Last+1, lost.Last
}

// compare finds the source of a message by its id.
func (c *checker) compare(message *actors.Message) error {
	header, err := message.Header()
	if err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	id := header.Get(headerEventID)
	if id == "" && message.Sequence <= c.base {
		c.foreign++ // published over HTTP, say
		return nil
	}
	index, base, number, err := c.week.parseID(id)
	if err != nil {
		return err
	}
	source := &c.week.quakes[index]
	if message.Subject != source.subject {
		return fmt.Errorf("the subject is %q, the source has %q", message.Subject, source.subject)
	}
	if !bytes.Equal(message.Payload, source.line) {
		return fmt.Errorf("the payload of event %s differs from its source", source.id)
	}
	if message.Sequence <= c.base {
		return nil
	}
	if base != c.base {
		return fmt.Errorf("event %q is of another run", id)
	}
	for uint64(len(c.seen)) < message.Sequence-c.base {
		c.seen = append(c.seen, 0)
	}
	c.seen[message.Sequence-c.base-1] = number + 1
	return nil
}

// matches compares what came with what was acknowledged: every event at the sequence that its
// acknowledgement named, and no event besides. from is the first sequence that the subscriber asked for.
func (c *checker) matches(acks []acknowledgement, from uint64) {
	due := uint64(0)
	for _, ack := range acks {
		if ack.sequence < from {
			continue
		}
		due++
		position := ack.sequence - c.base - 1
		if ack.sequence <= c.base || position >= uint64(len(c.seen)) || c.seen[position] != ack.number+1 {
			c.report(fmt.Errorf("sequence %d was acknowledged for another event, or did not come", ack.sequence))
		}
	}
	came := uint64(0)
	for _, number := range c.seen {
		if number != 0 {
			came++
		}
	}
	if came != due {
		c.report(fmt.Errorf("%d events came, %d were acknowledged", came, due))
	}
}

func (c *checker) report(finding error) {
	c.wrong++
	if len(c.findings) < maxFindings {
		c.findings = append(c.findings, finding)
	}
}

// err joins the findings, or is nil when all is equal.
func (c *checker) err() error {
	if c.wrong == 0 {
		return nil
	}
	return fmt.Errorf("%d differences, the first of them: %w", c.wrong, errors.Join(c.findings...))
}
