package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

// last answers with the last message of the subject in the path: the value of a key.
func (h *handler) last(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	stream, subject := r.PathValue("stream"), strings.ReplaceAll(r.PathValue("subject"), "/", ".")
	topic, err := h.broker.Topic(r.Context(), stream, false)
	if err == nil {
		err = validateSubject(stream, subject)
	}
	var message actors.Message
	if err == nil {
		message, err = topic.Store.LoadLastMsg(r.Context(), actors.Literal(subject))
	}
	if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
		refuse(w, http.StatusNotFound, "subject %q has no message", subject)
		return
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
