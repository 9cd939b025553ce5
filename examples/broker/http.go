package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d8b58eba/millrace/actors"
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
}

// publishPatience is how long a POST waits for its message to be durable.
const publishPatience = 20 * time.Second

// newHandler builds the routes. address is where the server listens: on loopback only requests that name
// a loopback host are answered, so that no foreign page reaches the broker through a name of its own.
func newHandler(broker *Broker, logger *slog.Logger, address net.Addr) (*handler, error) {
	registry, err := newRegistry(broker)
	if err != nil {
		return nil, err
	}
	h := &handler{broker: broker, logger: logger, draining: make(chan struct{})}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /streams/{stream}/{subject...}", h.post)
	routes.HandleFunc("PUT /streams/{stream}", h.put)
	routes.HandleFunc("GET /streams/{stream}/messages", h.messages)
	routes.HandleFunc("GET /streams/{stream}/last/{subject...}", h.last)
	routes.HandleFunc("DELETE /streams/{stream}/messages/{sequence}", h.removeMessage)
	routes.HandleFunc("DELETE /streams/{stream}/messages", h.removeMessages)
	routes.HandleFunc("GET /streams/{stream}", h.stream)
	routes.HandleFunc("GET /streams", h.streams)
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	routes.HandleFunc("GET /{$}", asset("page/index.html", "text/html; charset=utf-8"))
	routes.HandleFunc("GET /page.css", asset("page/page.css", "text/css; charset=utf-8"))
	routes.HandleFunc("GET /page.js", asset("page/page.js", "text/javascript; charset=utf-8"))
	routes.HandleFunc("POST /streams/{stream}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("stream")
		refuse(w, http.StatusBadRequest, "a message needs a subject: POST /streams/%s/%s.something", name, name)
	})
	routes.HandleFunc("/", nothingHere(routes))
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "a page of another origin may not change anything here")
	}))
	h.Handler = h.logged(onlyLocalNames(address, origins.Handler(routes)))
	return h, nil
}

// nothingHere answers what no route takes: 405 where another method would do, 404 elsewhere.
func nothingHere(routes *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
			other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := routes.Handler(other); pattern != "" && pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			refuse(w, http.StatusNotFound, "there is nothing at %s; try GET /", r.URL.Path)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(w, http.StatusMethodNotAllowed, "%s does not go with %s; these do: %s", r.Method, r.URL.Path, strings.Join(allowed, ", "))
	}
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

// logged writes a line per request, without its body.
func (h *handler) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		next.ServeHTTP(w, r)
		h.logger.Debug("request", "method", r.Method, "path", r.URL.Path, "took", time.Since(started))
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

// fail answers with what an error of the broker means over HTTP.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if status >= http.StatusInternalServerError {
		h.logger.Warn("request failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	}
	refuse(w, status, "%v", err)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, actors.ErrOutcomeUnknown):
		// First of all: the same error also says what went wrong, which by itself would mean that the
		// message may be sent again.
		return http.StatusGatewayTimeout
	case errors.Is(err, errBadName), errors.Is(err, errBadID), errors.Is(err, actors.ErrBadHeader):
		return http.StatusBadRequest
	case errors.Is(err, errNoStream), errors.Is(err, actors.ErrNotFound), errors.Is(err, actors.ErrEOF):
		return http.StatusNotFound
	case errors.Is(err, actors.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errBusy), errors.Is(err, actors.ErrOverloaded):
		return http.StatusTooManyRequests
	case errors.Is(err, errTooManyStreams), errors.Is(err, errTooManySessions),
		errors.Is(err, actors.ErrMaxMsgs), errors.Is(err, actors.ErrMaxBytes):
		return http.StatusInsufficientStorage
	case errors.Is(err, errClosing), errors.Is(err, actors.ErrStopped), errors.Is(err, actors.ErrFailed), errors.Is(err, actors.ErrUnreadable),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
