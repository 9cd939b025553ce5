package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
)

// messageLine is a line of GET /streams/{stream}/messages. A payload that is UTF-8 is given as text,
// any other in base64.
type messageLine struct {
	Sequence      uint64              `json:"sequence"`
	Time          time.Time           `json:"time"`
	Subject       string              `json:"subject"`
	Header        map[string][]string `json:"header,omitempty"`
	Payload       *string             `json:"payload,omitempty"`
	PayloadBase64 []byte              `json:"payloadBase64,omitempty"`
}

// lostLine stands in place of messages that the disk has lost.
type lostLine struct {
	Lost LostRange `json:"lost"`
}

// endLine tells a reader that began above the end where the stream is; deletedLine ends a stream that was deleted.
type (
	endLine struct {
		End streamEnd `json:"end"`
	}
	streamEnd struct {
		First uint64 `json:"first"`
		Last  uint64 `json:"last"`
	}
	deletedLine struct {
		Deleted string `json:"deleted"`
	}
)

// Headers of every answer with messages: where the stream was when it began.
const (
	headerFirst = "Millrace-First-Sequence"
	headerLast  = "Millrace-Last-Sequence"
)

// messages writes messages as NDJSON: up to the end of the stream, or on and on with follow.
func (h *handler) messages(w http.ResponseWriter, r *http.Request) {
	query, err := parseReadQuery(r.PathValue("stream"), r.URL.RawQuery, time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	from, err := query.begin(r.Context(), topic.Store)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	// What is there now is what a reader that does not follow gets.
	state, err := topic.Store.FastState(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	subscription, err := topic.Subscribe(r.Context(), reading{from: from, filters: query.filters(), follow: query.follow})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer subscription.Close()
	if query.follow {
		h.meters.followers.Inc()
		defer h.meters.followers.Dec()
		markEndless(w)
	}
	w.Header().Set("Content-Type", batchType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(headerFirst, strconv.FormatUint(state.FirstSequence, 10))
	w.Header().Set(headerLast, strconv.FormatUint(state.LastSequence, 10))
	w.WriteHeader(http.StatusOK)
	out := &lineWriter{response: w, control: http.NewResponseController(w), left: query.limit, limited: query.limit > 0}
	if query.from > state.LastSequence+1 {
		err = out.note(endLine{streamEnd{state.FirstSequence, state.LastSequence}})
	}
	// The server's read deadline would end the request although nothing more is to be read.
	if err := errors.Join(err, out.control.SetReadDeadline(time.Time{}), out.flush()); err != nil {
		return
	}
	if r.Method == http.MethodHead || !query.follow && (state.Messages == 0 || state.LastSequence < from) {
		return
	}
	err = h.copyMessages(r, out, subscription, query, state.LastSequence)
	if errors.Is(err, errDeleted) {
		err = errors.Join(out.note(deletedLine{topic.Name}), out.flush())
	}
	if err != nil {
		// The status has been sent: cutting the connection is the one way left to say that this is not all.
		if more, due := h.quiet.due("reading", time.Now()); due {
			h.logger.Info("reading a stream ended early", "stream", topic.Name, "unlogged", more, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// markEndless has the request's time not counted: it says how long somebody looked.
func markEndless(w http.ResponseWriter) {
	if response, ok := w.(*recorder); ok {
		response.endless = true
	}
}

// copyMessages writes batches until the limit, the end, the client's leaving or the server's draining.
func (h *handler) copyMessages(r *http.Request, out *lineWriter, subscription *Subscription, query readQuery, end uint64) error {
	var draining <-chan struct{} // a reader with an end in sight may get there
	if query.follow {
		draining, end = h.draining, math.MaxUint64
	}
	for {
		select {
		case batch, open := <-subscription.Batches:
			if !open {
				if err := subscription.Err(); err != nil {
					return err
				}
				return errClosing
			}
			if err := errors.Join(out.writeBatch(batch, end), out.flush()); err != nil || out.done() || batch.Through >= end {
				return err
			}
			subscription.Ack(batch.Through)
		case <-r.Context().Done():
			return nil
		case <-draining:
			return nil
		}
	}
}

// A lineWriter writes messages, and what is lost, as lines, each batch within a deadline of its own.
type lineWriter struct {
	response http.ResponseWriter
	control  *http.ResponseController
	left     uint64
	limited  bool
}

func (l *lineWriter) done() bool { return l.limited && l.left == 0 }

// writeBatch writes what a batch has of the sequences up to end, as far as the limit allows.
func (l *lineWriter) writeBatch(batch Batch, end uint64) error {
	for i := range batch.Messages {
		if batch.Messages[i].Sequence > end || l.done() {
			return nil
		}
		if err := l.write(&batch.Messages[i]); err != nil {
			return err
		}
	}
	if batch.Lost == nil || batch.Lost.First > end || l.done() {
		return nil
	}
	return l.line(lostLine{*batch.Lost})
}

func (l *lineWriter) write(message *actors.Message) error {
	line, err := lineOf(message)
	if err != nil {
		return err
	}
	return l.line(line)
}

func lineOf(message *actors.Message) (messageLine, error) {
	line := messageLine{Sequence: message.Sequence, Time: message.Time.UTC(), Subject: message.Subject}
	if len(message.HeaderBlock) > 0 {
		header, err := message.Header()
		if err != nil {
			return line, fmt.Errorf("sequence %d: reading the header: %w", message.Sequence, err)
		}
		line.Header = header
	}
	if utf8.Valid(message.Payload) {
		text := string(message.Payload)
		line.Payload = &text
	} else {
		line.PayloadBase64 = message.Payload
	}
	return line, nil
}

func (l *lineWriter) line(content any) error {
	l.left--
	return l.note(content)
}

// note writes a line that is no message, and does not count as one.
func (l *lineWriter) note(content any) error {
	encoded, err := json.Marshal(content)
	if err != nil {
		return err
	}
	_, err = l.response.Write(append(encoded, '\n'))
	return err
}

// flush sends what was written and gives the next batch its time.
func (l *lineWriter) flush() error {
	if err := l.control.Flush(); err != nil {
		return err
	}
	return l.control.SetWriteDeadline(time.Now().Add(writeTimeout))
}
