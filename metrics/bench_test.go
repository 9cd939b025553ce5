package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d8b58eba/millrace/metrics"
)

// BenchmarkScrape is what a scrape costs, in the text format; each stream of many as much as the next.
func BenchmarkScrape(b *testing.B) {
	for _, streams := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			registry := prometheus.NewRegistry()
			c := metrics.NewCollector()
			registry.MustRegister(c)
			for i := range streams {
				c.Add(figures(fmt.Sprintf("S%05d", i)))
			}
			handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				r := httptest.NewRecorder()
				handler.ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
				bytes = r.Body.Len()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*streams), "us/stream")
			b.ReportMetric(float64(bytes)/float64(streams), "text-bytes/stream")
		})
	}
}
