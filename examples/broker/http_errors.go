package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer"
	"github.com/seed-d8b58eba/millrace/engine"
)

// refuse answers with a status and a sentence.
func refuse(w http.ResponseWriter, status int, format string, values ...any) {
	writeJSON(w, status, map[string]string{"error": fmt.Sprintf(format, values...)})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // it is no HTML, and a subject in an error stays readable
	_ = encoder.Encode(value)    // the client is gone, and nobody else to tell
}

// fail answers with what an error of the broker means over HTTP. The log has the error itself, with its paths; the
// client gets a sentence that is for people.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	switch {
	case errors.Is(err, errTooManySessions), status == http.StatusServiceUnavailable && !errors.Is(err, errClosing):
		w.Header().Set("Retry-After", "5")
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	sentence := sentenceOf(err)
	if status >= http.StatusInternalServerError && r.Context().Err() == nil { // or the client has left, which is no failure of ours
		if more, due := h.quiet.due(sentence, time.Now()); due {
			h.logger.Warn("requests fail", "method", r.Method, "path", r.URL.Path, "status", status, "unlogged", more, "error", err)
		}
	}
	refuse(w, status, "%s", sentence)
}

// A meaning is what an error says over HTTP. The first that fits counts.
type meaning struct {
	is     error
	status int
	words  string // "" are those of the error
}

var meanings = []meaning{
	{consumer.ErrNoConsumer, http.StatusNotFound, "there is no such consumer; PUT makes it"},
	{consumer.ErrDifferent, http.StatusConflict, ""},
	{consumer.ErrNotPending, http.StatusConflict, ""},
	{consumer.ErrStale, http.StatusConflict, ""},
	{consumer.ErrRequest, http.StatusBadRequest, ""},
	{consumer.ErrConfig, http.StatusBadRequest, ""},
	{consumer.ErrTooManyPulls, http.StatusTooManyRequests, ""},
	{errTooManyConsumers, http.StatusInsufficientStorage, ""},
	{consumer.ErrState, http.StatusInternalServerError, "what the consumer knew cannot be read; DELETE it, and make it anew"},
	{consumer.ErrStopped, http.StatusServiceUnavailable, "the consumer was changed or has ended, and nothing was done; try again"},
	{errBadName, http.StatusBadRequest, ""},
	{actors.ErrBadSubject, http.StatusBadRequest, ""},
	{actors.ErrBadFilter, http.StatusBadRequest, ""},
	{errBadID, http.StatusBadRequest, ""},
	{errBadLine, http.StatusBadRequest, ""},
	{errBadExpectation, http.StatusBadRequest, ""},
	{errNoStream, http.StatusNotFound, ""},
	{errDeleted, http.StatusNotFound, ""},
	{errBusy, http.StatusTooManyRequests, ""},
	{errTooManyReads, http.StatusTooManyRequests, ""},
	{errTooManySessions, http.StatusServiceUnavailable, ""},
	{errTooManyEvents, http.StatusServiceUnavailable, ""},
	{errTooManyStreams, http.StatusInsufficientStorage, ""},
	{errOtherStream, http.StatusPreconditionFailed, ""},
	{actors.ErrSequenceMismatch, http.StatusPreconditionFailed, "what was expected does not hold"},
	{actors.ErrLocked, http.StatusServiceUnavailable, "another process has the stream open"},
	{actors.ErrNoStream, http.StatusConflict, "the folder has files in it that are not a stream's, and nothing was removed; look at it, and remove it by hand"},
	{actors.ErrConfig, http.StatusBadRequest, "a stream cannot be made with this name and these limits here; the broker's log says why"},
	{actors.ErrBadHeader, http.StatusBadRequest, ""},
	{actors.ErrEmptyBatch, http.StatusBadRequest, "the batch has no message"},
	{actors.ErrNotFound, http.StatusNotFound, "there is no such message; it was removed, or never was"},
	{actors.ErrEOF, http.StatusNotFound, "the sequence is above the last one of the stream"},
	{actors.ErrTooLarge, http.StatusRequestEntityTooLarge, "it is too large"},
	{actors.ErrOverloaded, http.StatusTooManyRequests, "too much is under way; try again"},
	{actors.ErrMaxMsgs, http.StatusInsufficientStorage, "the stream has as many messages as it may, and refuses new ones"},
	{actors.ErrMaxBytes, http.StatusInsufficientStorage, "the stream is as large as it may be, and refuses new messages"},
	{errClosing, http.StatusServiceUnavailable, ""},
	{actors.ErrStopped, http.StatusServiceUnavailable, "the stream has ended; nothing was changed"},
	{actors.ErrChanged, http.StatusServiceUnavailable, "somebody else has changed or removed the stream's files, and nothing was changed; the broker's log says which"},
	{actors.ErrFailed, http.StatusServiceUnavailable, "the disk has failed, and nothing was changed; the stream comes back by itself when the disk does"},
	{actors.ErrUnreadable, http.StatusServiceUnavailable, "the disk cannot be read there at the moment, and nothing was changed; try again"},
	{actors.ErrCorrupt, http.StatusInternalServerError, "the disk has spoilt the message: it is lost, and all others are there"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "there was no answer in time; try again"},
	{context.Canceled, http.StatusServiceUnavailable, "the request was given up"},
}

// statusOf returns the status for an error.
func statusOf(err error) int {
	status, _ := explain(err)
	return status
}

// sentenceOf returns the words for an error.
func sentenceOf(err error) string {
	_, words := explain(err)
	return words
}

func explain(err error) (status int, words string) {
	var refused *refusal
	var line *lineError
	switch {
	case errors.Is(err, actors.ErrOutcomeUnknown):
		// First of all: the same error also says what went wrong, which by itself would mean that the
		// message may be sent again.
		return http.StatusGatewayTimeout, "it is not known whether this was done, as " + doubt(err) + "; look before you send it again"
	case errors.As(err, &refused):
		return http.StatusServiceUnavailable, refused.sentence()
	case errors.As(err, &line):
		status, words = explain(line.err)
		return status, fmt.Sprintf("line %d: %s; nothing of the batch was stored", line.line, words)
	case isFullDisk(err):
		return http.StatusInsufficientStorage, "the disk is full, and nothing was changed; make room, and it goes on by itself"
	case isOutOfFiles(err):
		return http.StatusServiceUnavailable, "the broker has as many files open as it may, and nothing was changed; raise its limit (ulimit -n)"
	}
	for _, one := range meanings {
		if errors.Is(err, one.is) {
			return one.status, detail(err, one.words)
		}
	}
	return http.StatusInternalServerError, "something went wrong that the broker's log names"
}

// doubt says why the outcome is not known.
func doubt(err error) string {
	switch {
	case errors.Is(err, errSlow):
		return errSlow.Error()
	case isFullDisk(err):
		return "the disk became full meanwhile"
	case errors.Is(err, actors.ErrFailed):
		return "the disk failed meanwhile"
	}
	return "the stream ended meanwhile"
}

// withoutPackages takes out what an error of the library says of itself.
var withoutPackages = strings.NewReplacer("consumer: ", "")

// detail adds the numbers that an error has to the words for its kind. Without words they are the error's own.
func detail(err error, words string) string {
	var sequence *engine.SequenceError
	var limit *engine.LimitError
	switch {
	case errors.As(err, &sequence):
		return fmt.Sprintf("%s: %s %d, and it is %d", words, sequence.What, sequence.Want, sequence.Have)
	case errors.As(err, &limit):
		return fmt.Sprintf("%s: %s %d, at most %d", words, limit.Limit, limit.Value, limit.Max)
	case words == "":
		return withoutPackages.Replace(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return words
}

// bodyFailed answers when the body of a request did not come, or not all of it. The connection is of no more use.
func bodyFailed(w http.ResponseWriter, err error) {
	w.Header().Set("Connection", "close")
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than the %d bytes that it may have", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "the body did not come in time, and nothing was stored; send it faster, or in pieces")
	default:
		refuse(w, http.StatusBadRequest, "the body broke off, and nothing was stored")
	}
}

// A quietLog lets the first line of a kind through, and then one in a while: a full disk fails every request. The zero
// value is ready.
type quietLog struct {
	lock  sync.Mutex
	kinds map[string]quietKind
}

type quietKind struct {
	told   time.Time
	untold int
}

// quietFor is how long a kind is left out after a line of it.
const quietFor = 10 * time.Second

// due reports whether a line of this kind is to be written, and how many were not since the last one.
func (q *quietLog) due(kind string, now time.Time) (untold int, due bool) {
	q.lock.Lock()
	defer q.lock.Unlock()
	known, told := q.kinds[kind]
	if told && now.Sub(known.told) < quietFor {
		known.untold++
		q.kinds[kind] = known
		return 0, false
	}
	if q.kinds == nil || len(q.kinds) >= 1000 { // sentences can have names in them
		q.kinds = map[string]quietKind{}
	}
	q.kinds[kind] = quietKind{told: now}
	return known.untold, true
}
