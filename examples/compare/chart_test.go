package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

func offered(part string, p99 ...time.Duration) outcome {
	o := outcome{row: row{name: offeredPrefix + part}}
	for i, p := range p99 {
		o.lines = append(o.lines, line{contestant: []string{"pebble", millraceName}[i], runs: []measure.Run{{P99: p}}})
	}
	return o
}

// TestTheChartHasACurveForEachStore, which goes up with the latency, and is XML.
func TestTheChartHasACurveForEachStore(t *testing.T) {
	outcomes := append(example(),
		offered("10", time.Millisecond, 200*time.Microsecond), offered("90", 50*time.Millisecond, 10*time.Millisecond))
	list := curves(outcomes)
	require.Equal(t, []curve{
		{"pebble", []float64{10, 90}, []time.Duration{time.Millisecond, 50 * time.Millisecond}},
		{millraceName, []float64{10, 90}, []time.Duration{200 * time.Microsecond, 10 * time.Millisecond}},
	}, list)
	report := filepath.Join(t.TempDir(), "benchmarks.md")
	markdown, err := drawChart(report, outcomes)
	require.NoError(t, err)
	require.Contains(t, markdown, "("+chartFile+")")
	drawn, err := os.ReadFile(filepath.Join(filepath.Dir(report), chartFile))
	require.NoError(t, err)
	// Three decades from 100 µs to 100 ms: 10 ms is two thirds of the way up.
	require.Contains(t, string(drawn), `points="111.0,216.7 439.0,58.1"`, "1 ms and 50 ms")
	require.Contains(t, string(drawn), `points="111.0,281.9 439.0,123.3"`, "200 µs and 10 ms")
	decoder := xml.NewDecoder(strings.NewReader(string(drawn)))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestWithoutRowsOfOfferedLoadThereIsNoChart(t *testing.T) {
	report := filepath.Join(t.TempDir(), "benchmarks.md")
	markdown, err := drawChart(report, example())
	require.NoError(t, err)
	require.Empty(t, markdown)
	require.NoFileExists(t, filepath.Join(filepath.Dir(report), chartFile))
}
