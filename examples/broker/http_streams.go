package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// streamInfo is a stream as GET /streams/{stream} tells it.
type streamInfo struct {
	Name          string       `json:"name"`
	Messages      uint64       `json:"messages"`
	Bytes         uint64       `json:"bytes"`
	MaxBytes      int64        `json:"maxBytes"`
	MaxMsgsPer    int64        `json:"maxMsgsPer,omitempty"` // messages of each subject
	Subjects      uint64       `json:"subjects"`
	FirstSequence uint64       `json:"firstSequence"`
	FirstTime     *time.Time   `json:"firstTime,omitempty"`
	LastSequence  uint64       `json:"lastSequence"`
	LastTime      *time.Time   `json:"lastTime,omitempty"`
	LostMessages  uint64       `json:"lostMessages,omitempty"` // that the disk has spoilt
	Failed        bool         `json:"failed,omitempty"`       // its disk has failed: it refuses messages until it has recovered
	Full          string       `json:"full,omitempty"`         // why there is no room for a message, or was none for the last one
	Refused       *refusedInfo `json:"refused,omitempty"`      // it cannot be opened: nothing else is known of it
	Lately        *latelyInfo  `json:"lately,omitempty"`       // in GET /streams
}

// refusedInfo says why a stream cannot be opened.
type refusedInfo struct {
	Reason string    `json:"reason"`
	Todo   string    `json:"todo"`
	Since  time.Time `json:"since"`
}

// latelyInfo is the last minute: a number for each second, the newest last. Streams that have just been opened have fewer.
type latelyInfo struct {
	StoredPerSecond  []float64 `json:"storedPerSecond"`
	BytesPerSecond   []float64 `json:"bytesPerSecond"` // of subjects and payloads
	CommitP99Seconds float64   `json:"commitP99Seconds"`
}

// totalInfo is all streams together, in the last second; the commits are those of the last minute.
type totalInfo struct {
	StoredPerSecond  float64 `json:"storedPerSecond"`
	BytesPerSecond   float64 `json:"bytesPerSecond"`
	CommitP99Seconds float64 `json:"commitP99Seconds"`
}

type streamList struct {
	Streams []streamInfo `json:"streams"`
	Total   totalInfo    `json:"total"`
}

// stream answers with the state of one stream.
func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	topic, err := h.broker.Topic(r.Context(), r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, h.describe(topic))
}

// streams answers with all streams, those that cannot be opened as well, and what they did in the last minute.
func (h *handler) streams(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	all, err := h.broker.Streams(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := streamList{Streams: make([]streamInfo, 0, len(all))}
	var together commits
	for _, one := range all {
		info := streamInfo{Name: one.Name}
		if one.Topic != nil {
			info = h.describe(one.Topic)
		} else {
			reason, todo := one.Refused.words()
			info.Refused = &refusedInfo{Reason: reason, Todo: todo, Since: one.Refused.since.UTC()}
		}
		info.Lately = &latelyInfo{orEmpty(one.Lately.Stored), orEmpty(one.Lately.Bytes), one.Lately.commits.p99()}
		list.Streams = append(list.Streams, info)
		list.Total.StoredPerSecond += newest(one.Lately.Stored)
		list.Total.BytesPerSecond += newest(one.Lately.Bytes)
		together.merge(one.Lately.commits)
	}
	list.Total.CommitP99Seconds = together.p99()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, list)
}

func newest(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return values[len(values)-1]
}

// orEmpty has JSON say [] and not null.
func orEmpty(values []float64) []float64 {
	if values == nil {
		return []float64{}
	}
	return values
}

// describe reads the figures of a stream, which costs constant time, waits for nobody, and works on a failed disk.
func (h *handler) describe(topic *Topic) streamInfo {
	stats := topic.Store.Stats()
	info := streamInfo{
		Name: topic.Name, Messages: stats.Messages, Bytes: stats.Bytes, MaxBytes: h.broker.config.MaxBytes,
		MaxMsgsPer: max(topic.Store.Limits().MaxMsgsPer, 0), Subjects: stats.Subjects,
		FirstSequence: stats.FirstSequence, LastSequence: stats.LastSequence,
		LostMessages: stats.LostMessages, Failed: stats.Failed,
	}
	if reason := topic.notes.full.Load(); reason != nil {
		info.Full = string(*reason)
	}
	if isFullDisk(topic.Store.Err()) {
		info.Full = "the disk is full"
	}
	if stats.Messages > 0 {
		first, last := stats.FirstTime.UTC(), stats.LastTime.UTC()
		info.FirstTime, info.LastTime = &first, &last
	}
	return info
}

// put makes a stream that keeps so many messages of each subject, as maxMsgsPer in the query says: with 1 it is a
// store of keys and values. A stream that is there stays as it is.
func (h *handler) put(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("stream")
	maxMsgsPer, err := parseMaxMsgsPer(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	status := http.StatusOK
	if _, err := h.broker.Topic(r.Context(), name, false); errors.Is(err, errNoStream) || errors.Is(err, errDeleted) {
		status = http.StatusCreated
	}
	topic, err := h.broker.Create(r.Context(), name, maxMsgsPer)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if has := max(topic.Store.Limits().MaxMsgsPer, 0); has != maxMsgsPer {
		refuse(w, http.StatusConflict, "stream %q is there already, and keeps %s", name, perSubject(has))
		return
	}
	writeJSON(w, status, h.describe(topic))
}

func perSubject(maxMsgsPer int64) string {
	if maxMsgsPer == 0 {
		return "any number of messages of a subject"
	}
	return fmt.Sprintf("%d messages of each subject", maxMsgsPer)
}

// parseMaxMsgsPer refuses what it does not know; without the parameter it returns 0, for any number.
func parseMaxMsgsPer(raw string) (maxMsgsPer int64, err error) {
	given, err := parameters(raw, "maxMsgsPer")
	if err != nil {
		return 0, err
	}
	text, there := given["maxMsgsPer"]
	if !there {
		return 0, nil
	}
	if maxMsgsPer, err = strconv.ParseInt(text, 10, 64); err != nil || maxMsgsPer < 1 {
		return 0, fmt.Errorf("maxMsgsPer=%q must be a whole number from 1 on", text)
	}
	return maxMsgsPer, nil
}

// deleteStream removes a stream with all that it holds.
func (h *handler) deleteStream(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	name := r.PathValue("stream")
	if err := h.broker.Delete(r.Context(), name); err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"deleted": name})
}
