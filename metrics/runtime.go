package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-d8b58eba/millrace/actors"
)

// RuntimeSource is what a collector of NewRuntimeCollector reads: an *actors.Runtime.
type RuntimeSource interface {
	Stats() actors.RuntimeStats
}

// NewRuntimeCollector returns a collector for what a Runtime holds: for most programs, that of actors.DefaultRuntime. A
// program with several registers each with a label of its own, see prometheus.WrapRegistererWith.
func NewRuntimeCollector(r RuntimeSource) prometheus.Collector { return &runtimeCollector{r} }

type runtimeCollector struct{ source RuntimeSource }

var (
	openFiles    = describeRuntime("runtime_open_files", "Block files that are open for reading.")
	keptBlocks   = describeRuntime("runtime_kept_blocks", "Blocks that are kept ready for look-ups.")
	maxOpenFiles = describeRuntime("runtime_limit_open_files", "Block files, and blocks ready for look-ups, that may be kept.")
	memory       = describeRuntime("runtime_memory_bytes", "Memory that all streams share, by kind.", "kind")
	maxMemory    = describeRuntime("runtime_limit_memory_bytes", "Memory of the kind that may be kept.", "kind")
	workersBusy  = describeRuntime("runtime_workers_busy", "Reads for actors, short and long, and indexes made in memory, that run.", "kind")
	workersWait  = describeRuntime("runtime_workers_waiting", "Those that wait until fewer run.", "kind")
	maxWorkers   = describeRuntime("runtime_limit_workers", "Those that may run at a time.", "kind")
)

// Describe implements prometheus.Collector.
func (c *runtimeCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openFiles, keptBlocks, maxOpenFiles, memory, maxMemory, workersBusy, workersWait, maxWorkers} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *runtimeCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.source.Stats()
	gauge := func(d *prometheus.Desc, value float64, labels ...*dto.LabelPair) {
		metrics <- &sample{d, prometheus.GaugeValue, value, labels}
	}
	gauge(openFiles, float64(s.OpenFiles))
	gauge(keptBlocks, float64(s.Blocks))
	gauge(maxOpenFiles, float64(s.MaxOpenFiles))
	for _, m := range []struct {
		kind       string
		held, most int64
	}{
		{"indexes", s.IndexBytes, s.MaxIndexBytes}, {"pages", s.PageBytes, s.MaxIndexBytes}, {"chunks", s.ChunkBytes, s.MaxChunkBytes},
		{"spare", s.SpareBytes, s.MaxSpareBytes}, {"tails", s.TailBytes, s.MaxTailBytes},
	} {
		gauge(memory, float64(m.held), label("kind", m.kind))
		gauge(maxMemory, float64(m.most), label("kind", m.kind))
	}
	for _, w := range []struct {
		kind string
		actors.Workers
	}{{"short_reads", s.Short}, {"long_reads", s.Long}, {"indexes", s.Builds}} {
		gauge(workersBusy, float64(w.Busy), label("kind", w.kind))
		gauge(workersWait, float64(w.Waiting), label("kind", w.kind))
		gauge(maxWorkers, float64(w.Most), label("kind", w.kind))
	}
}
