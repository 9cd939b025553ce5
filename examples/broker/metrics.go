package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// newRegistry holds what /metrics shows: the stores of the broker, the process, which program it is, and the requests.
func newRegistry(broker *Broker, requests *meters) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	for _, collector := range append(requests.collectors(),
		broker.metrics,
		&refusedCollector{broker},
		&consumersCollector{broker},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		metrics.NewBuildInfo(),
		metrics.NewRuntimeCollector(actors.DefaultRuntime()),
	) {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return registry, nil
}

// A refusedCollector says which streams cannot be opened: they have no other metrics.
type refusedCollector struct{ broker *Broker }

var refusedDesc = prometheus.NewDesc("millrace_stream_refused", "1 for a stream that is there and cannot be opened, 0 for one that is open.", []string{"stream"}, nil)

// Describe implements prometheus.Collector.
func (c *refusedCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- refusedDesc
}

// Collect implements prometheus.Collector.
func (c *refusedCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	all, err := c.broker.Streams(ctx)
	if err != nil {
		return // it shuts down
	}
	for _, one := range all {
		value := 0.0
		if one.Topic == nil {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.GaugeValue, value, one.Name)
	}
}

// A consumersCollector shows the consumers of all streams: those, too, that nobody has asked for since the broker was
// started, whose lag grows unseen otherwise.
type consumersCollector struct{ broker *Broker }

// Describe implements prometheus.Collector.
func (c *consumersCollector) Describe(descriptions chan<- *prometheus.Desc) {
	c.broker.consumers.meters.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (c *consumersCollector) Collect(out chan<- prometheus.Metric) {
	if c.broker.config.AsStored {
		return // to open them would be more than a look
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	all, err := c.broker.Streams(ctx)
	for i := 0; err == nil && i < len(all); i++ {
		if all[i].Topic != nil {
			_, err = c.broker.consumers.opened(ctx, all[i].Topic)
		}
	}
	c.broker.consumers.meters.Collect(out)
}

// scrapePatience is how long a scrape waits for the broker.
const scrapePatience = 5 * time.Second

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
	registry, err := newRegistry(broker, newMeters())
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
