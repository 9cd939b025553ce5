package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

// removed is the answer to a DELETE: how many messages went, durably.
type removed struct {
	Removed uint64 `json:"removed"`
}

// removeMessage removes the message of the sequence in the path.
func (h *handler) removeMessage(w http.ResponseWriter, r *http.Request) {
	if !withoutParameters(w, r) {
		return
	}
	sequence, err := strconv.ParseUint(r.PathValue("sequence"), 10, 64)
	if err != nil || sequence == 0 {
		refuse(w, http.StatusBadRequest, "%q is no sequence: it must be a whole number from 1 on", r.PathValue("sequence"))
		return
	}
	h.remove(w, r, removal{sequence: sequence})
}

// removeMessages removes what the query selects: the messages of a subject or below a sequence, but for some.
func (h *handler) removeMessages(w http.ResponseWriter, r *http.Request) {
	what, err := parseRemoval(r.PathValue("stream"), r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	h.remove(w, r, what)
}

// parseRemoval refuses what it does not know, and a query that names nothing: that would remove everything.
func parseRemoval(stream, raw string) (what removal, err error) {
	given, err := parameters(raw, "subject", "below", "keep")
	if err != nil {
		return what, err
	}
	for name, value := range given {
		switch name {
		case "subject":
			if what.subject, err = removableSubject(stream, value); err != nil {
				return what, err
			}
		case "below":
			if what.below, err = strconv.ParseUint(value, 10, 64); err != nil || what.below == 0 || what.below > maxBelow {
				return what, fmt.Errorf("below=%q is no sequence: it must be a whole number from 1 to %d", value, uint64(maxBelow))
			}
		case "keep":
			if what.keep, err = strconv.ParseUint(value, 10, 64); err != nil || what.keep == 0 {
				return what, fmt.Errorf("keep=%q must be a whole number from 1 on", value)
			}
		}
	}
	switch {
	case what.subject == "" && what.below == 0:
		return what, errors.New("say what is to go: subject= (subject=> is all of them) or below=")
	case what.keep > 0 && (what.subject == "" || what.subject == ">") && what.below > 0:
		return what, errors.New("keep= and below= together need a subject of their own")
	}
	return what, nil
}

// maxBelow is the highest sequence that a compaction may make the first: beyond it there are none.
const maxBelow = 1<<62 - 1

// removableSubject accepts a subject of the stream, in which slashes may stand for dots, perhaps with wildcards; or
// all of them.
func removableSubject(stream, value string) (string, error) {
	subject := strings.ReplaceAll(value, "/", ".")
	if subject == ">" {
		return subject, nil
	}
	tokens := strings.Split(subject, ".")
	for i, token := range tokens {
		switch {
		case token == ">" && i < len(tokens)-1:
			return "", fmt.Errorf("%w: in %q the wildcard > is not the last token", actors.ErrBadFilter, subject)
		case token == "*" || token == ">":
			tokens[i] = "x" // it stands for tokens that are checked like one
		}
	}
	return subject, validateSubject(stream, strings.Join(tokens, "."))
}

func (h *handler) remove(w http.ResponseWriter, r *http.Request, what removal) {
	ctx, cancel := context.WithTimeout(r.Context(), publishPatience)
	defer cancel()
	topic, err := h.broker.ForWrite(ctx, r.PathValue("stream"), false)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	count, err := topic.Remove(ctx, what)
	if err != nil {
		h.fail(w, r, inTime(err))
		return
	}
	writeJSON(w, http.StatusOK, removed{count})
}
