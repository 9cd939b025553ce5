package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
)

// What a batch may be, and how many are taken in at a time: their bodies are in memory.
const (
	mostBatchLines = 10_000
	mostBatchBytes = 8 << 20
	mostBatches    = 16
	batchType      = "application/x-ndjson"
)

// batchLine is a line of a batch. It has a payload as text or in base64, or none.
type batchLine struct {
	Subject       string              `json:"subject"`
	Header        map[string][]string `json:"header"`
	Payload       *string             `json:"payload"`
	PayloadBase64 []byte              `json:"payloadBase64"`
}

// publishedBatch is the answer to a batch: its messages have the sequences from First to Last.
type publishedBatch struct {
	Stream string    `json:"stream"`
	Count  int       `json:"count"`
	First  uint64    `json:"first"`
	Last   uint64    `json:"last"`
	Time   time.Time `json:"time"`
}

// postBatch stores the lines of the body as messages: all of them or none.
func (h *handler) postBatch(w http.ResponseWriter, r *http.Request) {
	stream := r.PathValue("stream")
	if !withoutParameters(w, r) {
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != batchType {
		refuse(w, http.StatusBadRequest, "a message needs a subject: POST /streams/%s/%s.something; a batch of them is of Content-Type %s", stream, stream, batchType)
		return
	}
	err := validateStream(stream)
	if err == nil {
		err = onlyOfMessages(r.Header)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !h.batches.enter() {
		h.fail(w, r, fmt.Errorf("%w: %d batches are under way already", errBusy, mostBatches))
		return
	}
	defer h.batches.leave()
	// A batch that is half of a stream would have its own first messages make room for its last.
	limit := min(mostBatchBytes, h.broker.config.MaxBytes/2)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		bodyFailed(w, err)
		return
	}
	messages, lines, err := parseBatch(stream, body, h.broker.config.MaxMsgSize)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishPatience)
	defer cancel()
	topic, err := h.forPublishing(ctx, stream)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	ack, err := topic.PublishBatch(ctx, messages)
	if err != nil {
		h.fail(w, r, inTime(lineOfRefusal(err, lines)))
		return
	}
	writeJSON(w, http.StatusCreated, publishedBatch{Stream: stream, Count: len(messages), First: ack.First, Last: ack.Last, Time: ack.Time})
}

// onlyOfMessages refuses headers of a request that belong to a message: each line of a batch has its own.
func onlyOfMessages(given http.Header) error {
	for name := range given {
		if strings.HasPrefix(name, natsPrefix) {
			return fmt.Errorf("%w: %s belongs into the header of a line of the batch", errBadExpectation, name)
		}
	}
	return nil
}

// A lineError is what is wrong with a line of a batch, for which all of it is refused.
type lineError struct {
	line int // from 1
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

var errBadLine = errors.New("it is no message")

// lineOfRefusal names the line that the store has refused a batch for, which knows it by its place.
func lineOfRefusal(err error, lines []int) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		var i int
		if n, _ := fmt.Sscanf(inner.Error(), "message %d of the batch", &i); n == 1 && i < len(lines) {
			return &lineError{lines[i], errors.Unwrap(inner)}
		}
	}
	return err
}

// parseBatch reads the lines, and returns the number of each message's; empty ones count, and say nothing.
func parseBatch(stream string, body []byte, mostBytes int) (messages []actors.BatchMessage, numbers []int, err error) {
	lines := bufio.NewReader(bytes.NewReader(body))
	for number := 1; ; number++ {
		text, readErr := lines.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if len(messages) == mostBatchLines {
				return nil, nil, &lineError{number, fmt.Errorf("%w: a batch has at most %d messages", actors.ErrTooLarge, mostBatchLines)}
			}
			message, err := parseLine(stream, text, mostBytes)
			if err != nil {
				return nil, nil, &lineError{number, err}
			}
			messages, numbers = append(messages, message), append(numbers, number)
		}
		if readErr != nil {
			break
		}
	}
	if len(messages) == 0 {
		return nil, nil, actors.ErrEmptyBatch
	}
	return messages, numbers, nil
}

// halfCharacter reports whether a line has an escape such as \ud800 alone, in place of which encoding/json has put U+FFFD:
// what would be stored is not what was sent.
func halfCharacter(text []byte, line *batchLine) bool {
	has := func(s string) bool { return strings.ContainsRune(s, utf8.RuneError) }
	put := has(line.Subject) || line.Payload != nil && has(*line.Payload)
	for name, values := range line.Header {
		put = put || has(name) || slices.ContainsFunc(values, has)
	}
	return put && !has(string(text)) && !bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`))
}

// parseLine reads a line, and checks what can be said of it before its turn comes.
func parseLine(stream string, text []byte, mostBytes int) (message actors.BatchMessage, err error) {
	if !utf8.Valid(text) {
		return message, fmt.Errorf("%w: it is not UTF-8; payloadBase64 takes any bytes", errBadLine)
	}
	var line batchLine
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&line); err != nil {
		return message, fmt.Errorf("%w: %s", errBadLine, jsonWords(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return message, fmt.Errorf("%w: there is more behind the object", errBadLine)
	}
	if halfCharacter(text, &line) {
		return message, fmt.Errorf("%w: an escape in it is half of a character; payloadBase64 takes any bytes", errBadLine)
	}
	if line.Payload != nil && line.PayloadBase64 != nil {
		return message, fmt.Errorf("%w: it has both payload and payloadBase64", errBadLine)
	}
	message.Subject, message.Payload = line.Subject, line.PayloadBase64
	if line.Payload != nil {
		message.Payload = []byte(*line.Payload)
	}
	if err := validateSubject(stream, line.Subject); err != nil {
		return message, err
	}
	wanted, err := wishesOf(stream, line.Subject, line.Header)
	if err != nil {
		return message, err
	}
	message.Options, message.Header = wanted.options, wanted.header
	for name, values := range line.Header {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), natsPrefix) {
			continue // wishesOf has taken it
		}
		if message.Header == nil {
			message.Header = actors.Header{}
		}
		message.Header[name] = values
	}
	block, err := message.Header.AppendBlock(nil)
	if err != nil {
		return message, err
	}
	if n := len(block) + len(message.Payload); n > mostBytes {
		return message, fmt.Errorf("%w: %d bytes of header and payload, at most %d", actors.ErrTooLarge, n, mostBytes)
	}
	return message, nil
}
