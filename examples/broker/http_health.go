package main

import "net/http"

// healthz answers as long as the process does: what fails this is to be restarted.
func (h *handler) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"healthy": true})
}

// readiness is the answer of /readyz. Streams that are not open, or whose disk has failed, are named and do not make
// the broker unready: all others are served.
type readiness struct {
	Ready   bool     `json:"ready"`
	Streams int      `json:"streams"`
	Refused []string `json:"refused,omitempty"`
	Failed  []string `json:"failed,omitempty"`
}

// readyz answers whether requests are welcome: not while the broker shuts down.
func (h *handler) readyz(w http.ResponseWriter, r *http.Request) {
	all, err := h.broker.Streams(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer := readiness{Ready: true, Streams: len(all)}
	for _, one := range all {
		switch {
		case one.Topic == nil:
			answer.Refused = append(answer.Refused, one.Name)
		case one.Topic.Store.Stats().Failed:
			answer.Failed = append(answer.Failed, one.Name)
		}
	}
	status := http.StatusOK
	select {
	case <-h.draining:
		answer.Ready, status = false, http.StatusServiceUnavailable
	default:
	}
	writeJSON(w, status, answer)
}
