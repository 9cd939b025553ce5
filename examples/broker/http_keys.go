package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

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
	if _, err := h.broker.Topic(r.Context(), name, false); err != nil {
		status = http.StatusCreated // or what Create says
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
	info, err := h.describe(r, topic)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, status, info)
}

func perSubject(maxMsgsPer int64) string {
	if maxMsgsPer == 0 {
		return "any number of messages of a subject"
	}
	return fmt.Sprintf("%d messages of each subject", maxMsgsPer)
}

// parseMaxMsgsPer refuses what it does not know; without the parameter it returns 0, for any number.
func parseMaxMsgsPer(raw string) (maxMsgsPer int64, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return 0, fmt.Errorf("the query does not parse: %w", err)
	}
	for name, given := range values {
		if name != "maxMsgsPer" {
			return 0, fmt.Errorf("there is no parameter %q; maxMsgsPer is known", name)
		}
		if maxMsgsPer, err = strconv.ParseInt(given[0], 10, 64); err != nil || maxMsgsPer < 1 || len(given) != 1 {
			return 0, fmt.Errorf("maxMsgsPer=%q must be one whole number from 1 on", strings.Join(given, ","))
		}
	}
	return maxMsgsPer, nil
}

// last answers with the last message of the subject in the path: the value of a key.
func (h *handler) last(w http.ResponseWriter, r *http.Request) {
	stream, subject := r.PathValue("stream"), strings.ReplaceAll(r.PathValue("subject"), "/", ".")
	topic, err := h.broker.Topic(r.Context(), stream, false)
	if err == nil {
		err = validateSubject(stream, subject)
	}
	var message actors.Message
	if err == nil {
		message, err = topic.Store.LoadLastMsg(r.Context(), actors.Literal(subject))
	}
	var line messageLine
	if err == nil {
		line, err = lineOf(&message)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, line)
}
