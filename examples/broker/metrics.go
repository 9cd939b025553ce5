package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newRegistry holds what /metrics shows: the stores of the broker, and the process.
func newRegistry(broker *Broker) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	for _, collector := range []prometheus.Collector{
		broker.metrics,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return registry, nil
}

// printMetrics opens the streams of a data folder and prints their metrics once.
func printMetrics(ctx context.Context, dir string, out io.Writer, logger *slog.Logger) (err error) {
	system := newSystem(logger)
	defer system.Shutdown()
	broker, err := StartBroker(ctx, system, BrokerConfig{Dir: dir, AsStored: true, Logger: logger})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		err = errors.Join(err, broker.Stop(ctx))
	}()
	registry, err := newRegistry(broker)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	printed := &plainResponse{header: http.Header{}, out: out}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError, DisableCompression: true}).ServeHTTP(printed, request)
	if printed.status >= http.StatusBadRequest {
		return fmt.Errorf("gathering metrics: status %d", printed.status)
	}
	return printed.err
}

// plainResponse takes what an HTTP handler answers to a place that is no connection.
type plainResponse struct {
	header http.Header
	out    io.Writer
	status int
	err    error
}

func (p *plainResponse) Header() http.Header    { return p.header }
func (p *plainResponse) WriteHeader(status int) { p.status = status }

func (p *plainResponse) Write(text []byte) (int, error) {
	n, err := p.out.Write(text)
	p.err = errors.Join(p.err, err)
	return n, err
}
