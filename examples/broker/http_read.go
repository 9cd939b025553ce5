package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
)

// streamInfo is a stream as GET /streams/{stream} tells it.
type streamInfo struct {
	Name          string     `json:"name"`
	Messages      uint64     `json:"messages"`
	Bytes         uint64     `json:"bytes"`
	MaxBytes      int64      `json:"maxBytes"`
	MaxMsgsPer    int64      `json:"maxMsgsPer,omitempty"` // messages of each subject
	Subjects      uint64     `json:"subjects"`
	FirstSequence uint64     `json:"firstSequence"`
	FirstTime     *time.Time `json:"firstTime,omitempty"`
	LastSequence  uint64     `json:"lastSequence"`
	LastTime      *time.Time `json:"lastTime,omitempty"`
	LostMessages  uint64     `json:"lostMessages,omitempty"` // that the disk has spoilt
	Failed        bool       `json:"failed,omitempty"`       // its disk has failed: it refuses messages until it has recovered
}

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

func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	info, err := h.describe(r, topic)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, info)
}

func (h *handler) streams(w http.ResponseWriter, r *http.Request) {
	topics, err := h.broker.Topics(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	infos := make([]streamInfo, 0, len(topics))
	for _, topic := range topics {
		info, err := h.describe(r, topic)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		infos = append(infos, info)
	}
	writeJSON(w, http.StatusOK, map[string]any{"streams": infos})
}

func (h *handler) describe(r *http.Request, topic *Topic) (streamInfo, error) {
	state, err := topic.Store.State(r.Context())
	if err != nil {
		return streamInfo{}, fmt.Errorf("stream %q: %w", topic.Name, err)
	}
	info := streamInfo{
		Name: topic.Name, Messages: state.Messages, Bytes: state.Bytes, MaxBytes: h.broker.config.MaxBytes,
		MaxMsgsPer: max(topic.Store.Limits().MaxMsgsPer, 0), Subjects: state.Subjects,
		FirstSequence: state.FirstSequence, LastSequence: state.LastSequence,
		LostMessages: state.LostMessages, Failed: topic.Store.Stats().Failed,
	}
	if state.Messages > 0 {
		first, last := state.FirstTime.UTC(), state.LastTime.UTC()
		info.FirstTime, info.LastTime = &first, &last
	}
	return info, nil
}

// A readQuery is the query of GET /streams/{stream}/messages.
type readQuery struct {
	from   uint64
	limit  uint64 // 0: none
	follow bool
}

const (
	defaultLimit = 100
	maxLimit     = 100_000
)

// parseReadQuery refuses what it does not know: a misspelt parameter would otherwise be an unlimited one.
func parseReadQuery(raw string) (readQuery, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return readQuery{}, fmt.Errorf("the query does not parse: %w", err)
	}
	query := readQuery{from: 1}
	for name, given := range values {
		if len(given) != 1 {
			return readQuery{}, fmt.Errorf("parameter %q is there %d times", name, len(given))
		}
		switch name {
		case "from":
			if query.from, err = strconv.ParseUint(given[0], 10, 64); err != nil || query.from == 0 {
				return readQuery{}, fmt.Errorf("from=%q is no sequence: it must be a whole number from 1 on", given[0])
			}
		case "limit":
			if query.limit, err = strconv.ParseUint(given[0], 10, 64); err != nil || query.limit == 0 || query.limit > maxLimit {
				return readQuery{}, fmt.Errorf("limit=%q must be a whole number from 1 to %d", given[0], maxLimit)
			}
		case "follow":
			if query.follow, err = strconv.ParseBool(given[0]); err != nil {
				return readQuery{}, fmt.Errorf("follow=%q must be true or false", given[0])
			}
		default:
			return readQuery{}, fmt.Errorf("there is no parameter %q; from, limit and follow are known", name)
		}
	}
	if query.limit == 0 && !query.follow {
		query.limit = defaultLimit
	}
	return query, nil
}

// messages writes messages as NDJSON: up to the end of the stream, or on and on with follow.
func (h *handler) messages(w http.ResponseWriter, r *http.Request) {
	query, err := parseReadQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	// What is there now is what a reader that does not follow gets.
	state, err := topic.Store.State(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	subscription, err := topic.Subscribe(r.Context(), query.from)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer subscription.Close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := &lineWriter{response: w, control: http.NewResponseController(w), left: query.limit, limited: query.limit > 0}
	// The server's read deadline would end the request although nothing more is to be read.
	if err := errors.Join(out.control.SetReadDeadline(time.Time{}), out.flush()); err != nil {
		return
	}
	if !query.follow && (state.Messages == 0 || state.LastSequence < query.from) {
		return
	}
	if err := h.copyMessages(r, out, subscription, query, state.LastSequence); err != nil {
		// The status has been sent: cutting the connection is the one way left to say that this is not all.
		h.logger.Info("reading a stream ended early", "stream", topic.Name, "error", err)
		panic(http.ErrAbortHandler)
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
				return errors.Join(subscription.Err(), errClosing)
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
	encoded, err := json.Marshal(content)
	if err != nil {
		return err
	}
	l.left--
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
