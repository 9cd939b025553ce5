package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// linesUnderWay is how many lines of standard input may wait for their acknowledgement.
const linesUnderWay = 1024

// lineIngest stores NDJSON lines, each under a subject that a template makes of it.
type lineIngest struct {
	topic     *Topic
	template  *subjectTemplate
	seed      maphash.Seed
	waiting   []sentLine // oldest first
	first     uint64     // the sequence of the first line
	digests   []uint64   // of each line that is durable, in order of sequence
	bytes     uint64
	latencies histogram
}

type sentLine struct {
	number  int
	digest  uint64
	bytes   int
	sentAt  time.Time
	answers <-chan publishResult
}

// runLines does what the main job does, with lines from input: store them durably, stop, reopen, and
// compare what is read back.
func runLines(ctx context.Context, options runOptions, input io.Reader, out io.Writer, logger *slog.Logger) (err error) {
	text := options.subject
	if text == "" {
		text = options.stream
	}
	subjects, err := parseSubjectTemplate(options.stream, text)
	if err != nil {
		return err
	}
	system := newSystem(logger)
	defer system.Shutdown()
	config := BrokerConfig{Dir: options.dir, MaxBytes: options.maxBytes, Logger: logger}
	stop := func(broker *Broker) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		return broker.Stop(ctx)
	}

	broker, err := StartBroker(ctx, system, config)
	if err != nil {
		return err
	}
	topic, err := broker.Topic(ctx, options.stream, true)
	if err != nil {
		return errors.Join(err, stop(broker))
	}
	lines := &lineIngest{topic: topic, template: subjects, seed: maphash.MakeSeed()}
	started := time.Now()
	err = lines.run(ctx, input)
	elapsed := time.Since(started)
	if err = joinFailures(err, stop(broker)); err != nil {
		return fmt.Errorf("%w (%d lines before it are durable)", err, len(lines.digests))
	}

	if broker, err = StartBroker(ctx, system, config); err != nil {
		return fmt.Errorf("reopening: %w", err)
	}
	defer func() { err = errors.Join(err, stop(broker)) }()
	if topic, err = broker.Topic(ctx, options.stream, false); err != nil {
		return fmt.Errorf("reopening: %w", err)
	}
	if err := lines.compare(ctx, topic); err != nil {
		return err
	}
	state, err := topic.Store.FastState(ctx)
	if err != nil {
		return err
	}
	t := table{title: fmt.Sprintf("Standard input into stream %q", options.stream)}
	t.row("lines", "%s, %s", grouped(len(lines.digests)), size(lines.bytes))
	t.row("rate", "%s lines/s, each acknowledged when durable", grouped(perSecond(uint64(len(lines.digests)), elapsed)))
	t.row("acknowledgement", "p50 %s, p99 %s", brief(lines.latencies.quantile(0.50)), brief(lines.latencies.quantile(0.99)))
	t.row("read back", "all equal, from sequence %s", grouped(lines.first))
	t.row("recovered state", "%s", describeState(state))
	t.print(out)
	return nil
}

// run stores every line. At the first that cannot be stored it waits for those before it and says which
// it was.
func (l *lineIngest) run(ctx context.Context, input io.Reader) error {
	scanner := bufio.NewScanner(input)
	scanner.Buffer(nil, defaultMaxMsgSize)
	number := 0
	var failed error
	for failed == nil && scanner.Scan() {
		number++
		if line := bytes.TrimSpace(scanner.Bytes()); len(line) > 0 {
			failed = l.send(ctx, number, bytes.Clone(line))
		}
	}
	if err := scanner.Err(); failed == nil && err != nil {
		failed = fmt.Errorf("reading line %d: %w", number+1, err)
	}
	for len(l.waiting) > 0 {
		if err := l.settle(ctx); err != nil {
			return joinFailures(failed, err)
		}
	}
	return failed
}

func (l *lineIngest) send(ctx context.Context, number int, line []byte) error {
	subject, err := l.template.subject(line)
	if err != nil {
		return fmt.Errorf("line %d: %w", number, err)
	}
	if len(l.waiting) >= linesUnderWay {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	answers := make(chan publishResult, 1)
	l.waiting = append(l.waiting, sentLine{
		number: number, digest: l.digest(subject, line), bytes: len(line), sentAt: time.Now(), answers: answers,
	})
	l.topic.system.Root.Send(l.topic.pid, &publish{subject: subject, payload: line, done: answers})
	return nil
}

// settle waits for the oldest line's acknowledgement.
func (l *lineIngest) settle(ctx context.Context) error {
	oldest := l.waiting[0]
	l.waiting = l.waiting[1:]
	answer, err := await(ctx, l.topic.gone, oldest.answers)
	if err = errors.Join(err, answer.err); err != nil {
		return fmt.Errorf("line %d: %w", oldest.number, err)
	}
	if l.first == 0 {
		l.first = answer.ack.Sequence
	}
	if want := l.first + uint64(len(l.digests)); answer.ack.Sequence != want {
		return fmt.Errorf("line %d was stored at sequence %d, want %d", oldest.number, answer.ack.Sequence, want)
	}
	l.latencies.add(time.Since(oldest.sentAt))
	l.digests = append(l.digests, oldest.digest)
	l.bytes += uint64(oldest.bytes)
	return nil
}

func (l *lineIngest) digest(subject string, line []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteString(subject)
	h.WriteByte(0)
	h.Write(line)
	return h.Sum64()
}

// compare reads the lines back and compares their digests.
func (l *lineIngest) compare(ctx context.Context, topic *Topic) error {
	if len(l.digests) == 0 {
		return nil
	}
	next := l.first
	for message, err := range topic.Store.Messages(ctx, actors.From(l.first)) {
		if err != nil {
			return fmt.Errorf("reading back: %w", err)
		}
		if message.Sequence < next {
			return fmt.Errorf("sequence %d came where %d was due", message.Sequence, next)
		}
		// More lines than the stream holds push out the first of them.
		position := message.Sequence - l.first
		if position >= uint64(len(l.digests)) || l.digest(message.Subject, message.Payload) != l.digests[position] {
			return fmt.Errorf("sequence %d differs from its line", message.Sequence)
		}
		next = message.Sequence + 1
	}
	if end := l.first + uint64(len(l.digests)); next != end {
		return fmt.Errorf("the stream ends at sequence %d, want %d", next-1, end-1)
	}
	return nil
}
