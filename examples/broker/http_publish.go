package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// published is the answer to a POST: where the message stands, durably.
type published struct {
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
}

// post stores the body under the subject in the path, in which slashes may stand for dots. It makes the
// stream if there is none. The request headers Nats-Msg-Id and Nats-TTL become the message's.
func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	stream, subject := r.PathValue("stream"), strings.ReplaceAll(r.PathValue("subject"), "/", ".")
	if err := validateStream(stream); err != nil {
		h.fail(w, r, err)
		return
	}
	if err := validateSubject(stream, subject); err != nil {
		h.fail(w, r, err)
		return
	}
	header, err := messageHeader(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	limit := int64(h.broker.config.MaxMsgSize)
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than the %d bytes that a message may have", limit)
			return
		}
		refuse(w, http.StatusBadRequest, "reading the body: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishPatience)
	defer cancel()
	topic, err := h.broker.Topic(ctx, stream, true)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	ack, err := topic.Publish(ctx, subject, header, payload)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the message was not durable within %s, and may become so yet: %w", publishPatience, err)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/streams/%s/messages?from=%d&limit=1", stream, ack.Sequence))
	writeJSON(w, http.StatusCreated, published{Stream: stream, Sequence: ack.Sequence, Time: ack.Time})
}

// errBadID is what a caller gets for message ids that are none.
var errBadID = errors.New("bad message id")

// headerTTL says how long a message lives.
const headerTTL = "Nats-TTL"

// messageHeader takes the headers over that belong to the message. What is wrong with a TTL the store says.
func messageHeader(r *http.Request) (actors.Header, error) {
	header, err := idHeader(r)
	ttls := r.Header.Values(headerTTL)
	switch {
	case err != nil || len(ttls) == 0:
		return header, err
	case len(ttls) > 1:
		return nil, fmt.Errorf("%w: %d %s headers; a message has one TTL", actors.ErrBadHeader, len(ttls), headerTTL)
	case header == nil:
		header = actors.Header{}
	}
	header.Set(headerTTL, ttls[0])
	return header, nil
}

// idHeader takes the id of a message over.
func idHeader(r *http.Request) (actors.Header, error) {
	ids := r.Header.Values(headerEventID)
	switch {
	case len(ids) == 0:
		return nil, nil
	case len(ids) > 1:
		return nil, fmt.Errorf("%w: %d %s headers; a message has one id", errBadID, len(ids), headerEventID)
	case ids[0] == "":
		return nil, fmt.Errorf("%w: the %s header is empty", errBadID, headerEventID)
	case len(ids[0]) > maxSubject:
		return nil, fmt.Errorf("%w: the %s header has %d bytes, at most %d are taken", errBadID, headerEventID, len(ids[0]), maxSubject)
	}
	return actors.Header{headerEventID: ids}, nil
}
