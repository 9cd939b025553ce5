package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are the metrics of the requests.
type meters struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	followers prometheus.Gauge
}

func newMeters() *meters {
	return &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_http_requests_total", Help: "Requests answered, by route and class of status.",
		}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_http_request_duration_seconds", Help: "Time until a request was answered, but for those that follow a stream.",
			Buckets:                        []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 10},
			NativeHistogramBucketFactor:    1.2,
			NativeHistogramMaxBucketNumber: 80,
		}, []string{"route"}),
		followers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "millrace_http_followers", Help: "Requests that follow a stream at the moment.",
		}),
	}
}

func (m *meters) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.durations, m.followers}
}

// A recorder is a response that remembers its status, and whether it goes on for ever.
type recorder struct {
	http.ResponseWriter
	status  int
	endless bool
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(content []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(content)
}

// measured counts a request and writes a line about it, without its body.
func (h *handler) measured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started, response := time.Now(), &recorder{ResponseWriter: w}
		defer func() { // also when the connection is cut by a panic
			took, route := time.Since(started), routeOf(r)
			status := max(response.status, http.StatusOK)
			h.meters.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
			if !response.endless {
				h.meters.durations.WithLabelValues(route).Observe(took.Seconds())
			}
			h.logger.Debug("request", "method", r.Method, "path", r.URL.Path, "status", status, "took", took)
		}()
		next.ServeHTTP(response, r)
	})
}

// routeOf names the route that a request took: there are as many as there are routes, whatever paths are asked for.
func routeOf(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "none"
	}
	return r.Pattern
}
