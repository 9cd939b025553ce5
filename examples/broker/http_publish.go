package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// publishPatience is how long a POST waits for its message to be durable.
const publishPatience = 20 * time.Second

// errSlow is in the error of a change that was not durable in time.
var errSlow = fmt.Errorf("it was not durable within %s, and may become so yet", publishPatience)

// published is the answer to a POST: where the message stands, durably.
type published struct {
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
}

// post stores the body under the subject in the path, in which slashes may stand for dots.
func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	stream, subject := r.PathValue("stream"), strings.ReplaceAll(r.PathValue("subject"), "/", ".")
	if !withoutParameters(w, r) {
		return
	}
	wanted, err := wishes{}, validateStream(stream)
	if err == nil {
		err = validateSubject(stream, subject)
	}
	if err == nil {
		wanted, err = wishesOf(stream, subject, r.Header)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(h.broker.config.MaxMsgSize)))
	if err != nil {
		bodyFailed(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishPatience)
	defer cancel()
	topic, err := h.forPublishing(ctx, stream)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	ack, err := topic.Publish(ctx, subject, wanted.header, payload, wanted.options...)
	if err != nil {
		h.fail(w, r, inTime(err))
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/streams/%s/messages?from=%d&limit=1", stream, ack.Sequence))
	writeJSON(w, http.StatusCreated, published{Stream: stream, Sequence: ack.Sequence, Time: ack.Time})
}

// forPublishing returns the topic of a stream to which messages come, and says how to make one that is not there.
func (h *handler) forPublishing(ctx context.Context, stream string) (*Topic, error) {
	topic, err := h.broker.ForWrite(ctx, stream, true)
	if errors.Is(err, errNoStream) {
		err = fmt.Errorf("%w as %q; PUT /streams/%s makes it", errNoStream, stream, stream)
	}
	return topic, err
}

// inTime says of a change that took too long that it did.
func inTime(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}
