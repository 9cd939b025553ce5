package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer"
)

// consumerWishes is the body of PUT /consumers/{stream}/{consumer}: what is not there stays as it is, or gets its default.
type consumerWishes struct {
	Start           string     `json:"start"`
	StartSequence   uint64     `json:"startSequence"`
	StartTime       time.Time  `json:"startTime"`
	Filters         []string   `json:"filters"`
	OrderPerSubject *bool      `json:"orderPerSubject"`
	AckWait         duration   `json:"ackWait"`
	BackOff         []duration `json:"backOff"`
	MaxDeliver      int        `json:"maxDeliver"`
	MaxAckPending   int        `json:"maxAckPending"`
}

// duration is one in JSON, such as "30s".
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

var starts = map[string]consumer.Start{
	"": consumer.StartAll, "all": consumer.StartAll, "new": consumer.StartNew, "last": consumer.StartLast,
	"lastPerSubject": consumer.StartLastPerSubject, "sequence": consumer.StartSequence, "time": consumer.StartTime,
}

func (w *consumerWishes) config(name string) (consumer.Config, error) {
	start, known := starts[w.Start]
	if !known {
		return consumer.Config{}, fmt.Errorf("%w: start %q is none of all, new, last, lastPerSubject, sequence, time", consumer.ErrConfig, w.Start)
	}
	if w.StartSequence != 0 != (start == consumer.StartSequence) || w.StartTime.IsZero() == (start == consumer.StartTime) {
		return consumer.Config{}, fmt.Errorf("%w: startSequence goes with start \"sequence\", and startTime with \"time\"", consumer.ErrConfig)
	}
	for _, filter := range w.Filters {
		if len(filter) > maxSubject {
			return consumer.Config{}, fmt.Errorf("%w: a filter has at most %d bytes, and one of these has %d", consumer.ErrConfig, maxSubject, len(filter))
		}
	}
	c := consumer.Config{
		Name: name, Start: start, StartSequence: w.StartSequence, StartTime: w.StartTime, Filters: w.Filters,
		AckWait: time.Duration(w.AckWait), MaxDeliver: w.MaxDeliver, MaxAckPending: w.MaxAckPending,
	}
	if w.OrderPerSubject != nil {
		c.OrderPerSubject = actors.Off
		if *w.OrderPerSubject {
			c.OrderPerSubject = actors.On
		}
	}
	if w.BackOff != nil {
		c.BackOff = make([]time.Duration, len(w.BackOff))
		for i, wait := range w.BackOff {
			c.BackOff[i] = time.Duration(wait)
		}
	}
	return c, c.Validate()
}

// consumerInfo is a consumer as GET /consumers/{stream}/{consumer} tells it.
type consumerInfo struct {
	Stream          string     `json:"stream"`
	Name            string     `json:"name"`
	Filters         []string   `json:"filters,omitempty"`
	OrderPerSubject bool       `json:"orderPerSubject,omitempty"`
	AckWait         duration   `json:"ackWait"`
	BackOff         []duration `json:"backOff,omitempty"`
	MaxDeliver      int        `json:"maxDeliver"`
	MaxAckPending   int        `json:"maxAckPending"`
	PausedUntil     *time.Time `json:"pausedUntil,omitempty"`
	Position        uint64     `json:"position"`
	Floor           uint64     `json:"floor"`
	Lag             uint64     `json:"lag"`
	Pending         int        `json:"pending"`
	Redelivering    int        `json:"redelivering"`
	Held            int        `json:"held"`
	Waiting         int        `json:"waiting"`
	Delivered       uint64     `json:"delivered"`
	Redelivered     uint64     `json:"redelivered"`
	Acked           uint64     `json:"acked"`
	Naked           uint64     `json:"naked"`
	Terminated      uint64     `json:"terminated"`
	Exhausted       uint64     `json:"exhausted"`
	Removed         uint64     `json:"removed"`
	Failed          bool       `json:"failed,omitempty"` // nothing is delivered, as nothing can be written down
}

func describeConsumer(s consumer.Stats) consumerInfo {
	info := consumerInfo{
		Stream: s.Stream, Name: s.Consumer, Filters: s.Config.Filters, OrderPerSubject: s.Config.OrderPerSubject == actors.On,
		AckWait: duration(s.Config.AckWait), MaxDeliver: s.Config.MaxDeliver, MaxAckPending: s.Config.MaxAckPending,
		Position: s.Position, Floor: s.Floor, Lag: s.Lag, Pending: s.Pending, Redelivering: s.Redelivering, Held: s.Held,
		Waiting: s.Waiting, Delivered: s.Delivered, Redelivered: s.Redelivered, Acked: s.Acked, Naked: s.Naked,
		Terminated: s.Terminated, Exhausted: s.Exhausted, Removed: s.Removed, Failed: s.Failed != nil,
	}
	for _, wait := range s.Config.BackOff {
		info.BackOff = append(info.BackOff, duration(wait))
	}
	if !s.PausedUntil.IsZero() {
		info.PausedUntil = &s.PausedUntil
	}
	return info
}

// What bodies of requests about consumers may be: those of verdicts have tokens by the thousand. What a consumer is made
// with stays in memory as long as it is there.
const (
	mostConsumerBody = 1 << 20
	mostConsumerSize = 64 << 10
)

// readJSON reads a body that is an object of at most so many bytes, or nothing. It reports false when it has answered.
func readJSON(w http.ResponseWriter, r *http.Request, most int64, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		bodyFailed(w, err)
		return false
	}
	if len(body) == 0 {
		return true
	}
	if err := strictJSON(body, into); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not what it should be: %v", err)
		return false
	}
	return true
}

// putConsumer makes a consumer, or changes one that is there.
func (h *handler) putConsumer(w http.ResponseWriter, r *http.Request) {
	var wishes consumerWishes
	if !withoutParameters(w, r) || !readJSON(w, r, mostConsumerSize, &wishes) {
		return
	}
	config, err := wishes.config(r.PathValue("consumer"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	topic, err := h.broker.ForWrite(r.Context(), r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	opened, made, err := h.broker.consumers.put(r.Context(), topic, config)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	h.showConsumer(w, r, opened, status)
}

// consumerOf returns the consumer in the path of a request. It reports false when it has answered.
func (h *handler) consumerOf(w http.ResponseWriter, r *http.Request) (*consumer.Consumer, bool) {
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	var found *consumer.Consumer
	if err == nil {
		err = validConsumer(r.PathValue("consumer"))
	}
	if err == nil {
		found, err = h.broker.consumers.get(r.Context(), topic, r.PathValue("consumer"))
	}
	if err != nil {
		h.fail(w, r, err)
		return nil, false
	}
	return found, true
}

func validConsumer(name string) error {
	if err := actors.ValidName(name); err != nil {
		return fmt.Errorf("%w: consumer: %w", errBadName, err)
	}
	return nil
}

func (h *handler) showConsumer(w http.ResponseWriter, r *http.Request, c *consumer.Consumer, status int) {
	stats, err := c.Stats(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, describeConsumer(stats))
}

func (h *handler) getConsumer(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	if c, ok := h.consumerOf(w, r); ok {
		h.showConsumer(w, r, c, http.StatusOK)
	}
}

func (h *handler) listConsumers(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	var all []consumer.Stats
	if err == nil {
		all, err = h.broker.consumers.list(r.Context(), topic)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := make([]consumerInfo, 0, len(all))
	for _, one := range all {
		list = append(list, describeConsumer(one))
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string][]consumerInfo{"consumers": list})
}

func (h *handler) deleteConsumer(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	name := r.PathValue("consumer")
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	if err == nil {
		err = validConsumer(name)
	}
	if err == nil {
		err = h.broker.consumers.delete(r.Context(), topic, name)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"deleted": name})
}

// pauseWishes is the body of a pause: until when, or for how long; neither ends it.
type pauseWishes struct {
	Until time.Time `json:"until"`
	For   duration  `json:"for"`
}

func (h *handler) pauseConsumer(w http.ResponseWriter, r *http.Request) {
	var wishes pauseWishes
	if !withoutParameters(w, r) || !readJSON(w, r, mostConsumerBody, &wishes) {
		return
	}
	if wishes.For < 0 || wishes.For > 0 && !wishes.Until.IsZero() {
		refuse(w, http.StatusBadRequest, "a pause has until or for, and for is above 0")
		return
	}
	if wishes.For > 0 {
		wishes.Until = time.Now().Add(time.Duration(wishes.For))
	}
	c, ok := h.consumerOf(w, r)
	if !ok {
		return
	}
	if err := c.Pause(r.Context(), wishes.Until); err != nil {
		h.fail(w, r, err)
		return
	}
	h.showConsumer(w, r, c, http.StatusOK)
}

// strictJSON decodes one object whose members are all known.
func strictJSON(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8") // encoding/json would take something else for it
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New(jsonWords(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the object")
	}
	return nil
}
