package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/consumer"
)

// What a pull may ask for.
const (
	mostPullBatch   = 1000
	mostPullBytes   = 8 << 20
	pullBytes       = 4 << 20
	mostPullExpires = 50 * time.Second // well within the time that an answer has
	mostPulls       = 256              // under way, of all consumers together: their messages are in memory
)

var errTooManyEvents = errors.New("as many requests take events of consumers as may")

// deliveryLine is a message with the token that settles it.
type deliveryLine struct {
	Token      string `json:"token"`
	Deliveries uint64 `json:"deliveries"`
	messageLine
}

func deliveryLineOf(d *consumer.Delivery) (deliveryLine, error) {
	line, err := lineOf(&d.Message)
	return deliveryLine{d.Token.String(), d.Deliveries, line}, err
}

// parsePull reads the parameters of a pull.
func parsePull(raw string) (p consumer.Pull, err error) {
	given, err := parameters(raw, "batch", "maxBytes", "expires")
	if err != nil {
		return p, err
	}
	p.Batch, p.MaxBytes = 1, pullBytes
	for _, one := range []struct {
		name string
		into *int
		most int
	}{{"batch", &p.Batch, mostPullBatch}, {"maxBytes", &p.MaxBytes, mostPullBytes}} {
		text, there := given[one.name]
		if !there {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > one.most {
			return p, fmt.Errorf("%s=%q must be a whole number from 1 to %d", one.name, text, one.most)
		}
		*one.into = n
	}
	if text, there := given["expires"]; there {
		if p.Expires, err = time.ParseDuration(text); err != nil || p.Expires < 0 || p.Expires > mostPullExpires {
			return p, fmt.Errorf("expires=%q must be a time up to %v, such as 30s", text, mostPullExpires)
		}
	}
	return p, nil
}

// untilDrained is the context of a request that may wait: it ends with errClosing when the broker shuts down.
func (h *handler) untilDrained(r *http.Request) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	go func() {
		select {
		case <-h.draining:
			cancel(errClosing)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// pull answers with messages: with what is there, or with what comes before it expires.
func (h *handler) pull(w http.ResponseWriter, r *http.Request) {
	wanted, err := parsePull(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	c, ok := h.consumerOf(w, r)
	if !ok {
		return
	}
	if !h.pulling.enter() {
		h.fail(w, r, fmt.Errorf("%w: %d pulls are under way already", errBusy, mostPulls))
		return
	}
	defer h.pulling.leave()
	markEndless(w)
	ctx, done := h.untilDrained(r)
	defer done()
	list, err := c.Pull(ctx, wanted)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	lines := make([]deliveryLine, len(list))
	for i := range list {
		if lines[i], err = deliveryLineOf(&list[i]); err != nil {
			break
		}
	}
	var content []byte
	if err == nil {
		content, err = json.Marshal(map[string][]deliveryLine{"messages": lines})
	}
	if err != nil {
		giveBack(c, list)
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(append(content, '\n')); err != nil {
		giveBack(c, list)
	}
}

// giveBack has messages come again at once that their client did not get.
func giveBack(c *consumer.Consumer, list []consumer.Delivery) {
	if len(list) == 0 {
		return
	}
	tokens := make([]consumer.Token, len(list))
	for i := range list {
		tokens[i] = list[i].Token
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishPatience)
	defer cancel()
	_ = c.Nak(ctx, 0, tokens...) // else they come again when their time is over
}

// settleWishes is the body of ack, nak, progress and term.
type settleWishes struct {
	Tokens []string `json:"tokens"`
	Delay  duration `json:"delay"` // of nak
}

// settle answers requests that say what became of messages.
func (h *handler) settle(verdict consumer.Verdict) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var wishes settleWishes
		if !withoutParameters(w, r) || !readJSON(w, r, mostConsumerBody, &wishes) {
			return
		}
		if wishes.Delay < 0 || wishes.Delay > 0 && verdict != consumer.Nak {
			refuse(w, http.StatusBadRequest, "a delay is of nak alone, and not below 0")
			return
		}
		request := consumer.SettleRequest{Verdict: verdict, Delay: time.Duration(wishes.Delay)}
		for _, text := range wishes.Tokens {
			token, err := consumer.ParseToken(text)
			if err != nil {
				h.fail(w, r, err)
				return
			}
			request.Tokens = append(request.Tokens, token)
		}
		c, ok := h.consumerOf(w, r)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), publishPatience)
		defer cancel()
		if _, err := c.Settle(ctx, request); err != nil {
			h.fail(w, r, inTime(err))
			return
		}
		writeJSON(w, http.StatusOK, map[string]int{"settled": len(request.Tokens)})
	}
}

// What server-sent events do while nothing comes, and how much is sent ahead of what the connection takes.
const (
	eventsAhead   = 64
	eventsQuiet   = 15 * time.Second
	eventsRestart = 2000 // milliseconds until a client that was cut off comes back
)

// events sends messages as they come, as server-sent events. The next ones are pulled when the connection has taken those
// before, and no more than the consumer's maxAckPending are out.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	c, ok := h.consumerOf(w, r)
	if !ok {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead { // messages would be delivered to nobody
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	if !h.takers.enter() {
		h.fail(w, r, fmt.Errorf("%w (%d)", errTooManyEvents, cap(h.takers)))
		return
	}
	defer h.takers.leave()
	h.meters.followers.Inc()
	defer h.meters.followers.Dec()
	markEndless(w)
	ctx, done := h.untilDrained(r)
	defer done()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := &eventWriter{response: w, control: http.NewResponseController(w)}
	err := errors.Join(out.control.SetReadDeadline(time.Time{}), out.send("retry: %d\n\n", eventsRestart))
	for err == nil {
		var list []consumer.Delivery
		list, err = c.Pull(ctx, consumer.Pull{Batch: eventsAhead, MaxBytes: pullBytes, Expires: eventsQuiet})
		if err == nil && len(list) == 0 {
			err = out.send(": nothing new\n\n")
		}
		for i := 0; err == nil && i < len(list); i++ {
			if err = out.deliver(&list[i]); err != nil {
				giveBack(c, list[i:])
			}
		}
	}
	if !errors.Is(err, errClosing) && r.Context().Err() == nil {
		h.logger.Info("events of a consumer ended", "stream", r.PathValue("stream"), "consumer", r.PathValue("consumer"), "error", err)
		_ = out.send("event: end\ndata: %s\n\n", sentenceOf(err)) // the client comes back, and is told more
	}
}

// eventWriter writes events, each within a deadline of its own.
type eventWriter struct {
	response http.ResponseWriter
	control  *http.ResponseController
}

func (e *eventWriter) send(format string, values ...any) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.response, format, values...); err != nil {
		return err
	}
	return e.control.Flush()
}

// deliver sends a message: its token is the id of the event.
func (e *eventWriter) deliver(d *consumer.Delivery) error {
	line, err := deliveryLineOf(d)
	if err != nil {
		return err
	}
	content, err := json.Marshal(line) // which has no line feeds
	if err != nil {
		return err
	}
	return e.send("id: %s\ndata: %s\n\n", d.Token, content)
}
