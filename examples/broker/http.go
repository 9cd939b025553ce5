package main

import (
	"embed"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d8b58eba/millrace/actors/consumer"
)

//go:embed page
var page embed.FS

// A handler is the broker over HTTP.
type handler struct {
	http.Handler
	broker   *Broker
	logger   *slog.Logger
	draining chan struct{} // closed when followers have to go
	once     sync.Once
	batches  slots // that are taken in at a time
	pulling  slots // of all consumers together
	takers   slots // requests that take events of consumers, of all together
	meters   *meters
	quiet    quietLog
}

// newHandler builds the routes. address is where the server listens: on loopback only requests that name
// a loopback host are answered, so that no foreign page reaches the broker through a name of its own.
func newHandler(broker *Broker, logger *slog.Logger, address net.Addr) (*handler, error) {
	h := &handler{
		broker: broker, logger: logger, draining: make(chan struct{}), meters: newMeters(),
		batches: make(slots, mostBatches), pulling: make(slots, mostPulls), takers: make(slots, max(0, broker.config.MaxSessions)),
	}
	registry, err := newRegistry(broker, h.meters)
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	for pattern, answer := range map[string]http.HandlerFunc{
		"POST /streams/{stream}/{subject...}":          h.post,
		"POST /streams/{stream}":                       h.postBatch,
		"PUT /streams/{stream}":                        h.put,
		"DELETE /streams/{stream}":                     h.deleteStream,
		"GET /streams/{stream}/messages":               h.messages,
		"GET /streams/{stream}/last/{subject...}":      h.last,
		"DELETE /streams/{stream}/messages/{sequence}": h.removeMessage,
		"DELETE /streams/{stream}/messages":            h.removeMessages,
		"GET /streams/{stream}":                        h.stream,
		"GET /streams":                                 h.streams,
		"PUT /consumers/{stream}/{consumer}":           h.putConsumer,
		"GET /consumers/{stream}/{consumer}":           h.getConsumer,
		"DELETE /consumers/{stream}/{consumer}":        h.deleteConsumer,
		"GET /consumers/{stream}":                      h.listConsumers,
		"POST /consumers/{stream}/{consumer}/pull":     h.pull,
		"POST /consumers/{stream}/{consumer}/ack":      h.settle(consumer.Ack),
		"POST /consumers/{stream}/{consumer}/nak":      h.settle(consumer.Nak),
		"POST /consumers/{stream}/{consumer}/progress": h.settle(consumer.InProgress),
		"POST /consumers/{stream}/{consumer}/term":     h.settle(consumer.Term),
		"POST /consumers/{stream}/{consumer}/pause":    h.pauseConsumer,
		"GET /consumers/{stream}/{consumer}/events":    h.events,
		"GET /healthz":                                 h.healthz,
		"GET /readyz":                                  h.readyz,
		"GET /{$}":                                     asset("page/index.html", "text/html; charset=utf-8"),
		"GET /page.css":                                asset("page/page.css", "text/css; charset=utf-8"),
		"GET /page.js":                                 asset("page/page.js", "text/javascript; charset=utf-8"),
		"GET /text.js":                                 asset("page/text.js", "text/javascript; charset=utf-8"),
		"GET /consumers.js":                            asset("page/consumers.js", "text/javascript; charset=utf-8"),
		"GET /metrics": promhttp.HandlerFor(registry, promhttp.HandlerOpts{
			MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
		}).ServeHTTP,
		"/": nothingHere(routes),
	} {
		routes.HandleFunc(pattern, answer)
	}
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "a page of another origin may not change anything here")
	}))
	h.Handler = h.measured(onlyLocalNames(address, onlyCleanPaths(origins.Handler(routes))))
	return h, nil
}

// drain sends those home who follow a stream; they would keep a shutdown waiting for ever.
func (h *handler) drain() { h.once.Do(func() { close(h.draining) }) }

// onlyLocalNames refuses requests to a loopback address under any but a loopback name: a page of another
// origin may have its name resolve to this machine, and would then count as the same origin.
func onlyLocalNames(address net.Addr, next http.Handler) http.Handler {
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			refuse(w, http.StatusMisdirectedRequest, "this broker listens on loopback and answers to localhost, not to %q", r.Host)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asset serves one embedded file. The page may load nothing from any other host.
func asset(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := page.ReadFile(name)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "the page is missing: %v", err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(content) // the client is gone, and nobody else to tell
	}
}
