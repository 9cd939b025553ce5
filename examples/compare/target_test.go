package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

func TestTargetsSayWhatTheyAreAndWhetherTheyAreMet(t *testing.T) {
	ours := measure.Summary{Rate: 300, Elapsed: 100 * time.Millisecond, P50: time.Microsecond, P99: 90 * time.Microsecond,
		AllocsPerItem: 0.001, Extras: []measure.Extra{{Name: "heap", Value: 61, Unit: measure.MiB}, {Name: "keeps", Value: 0.95}}}
	theirs := measure.Summary{Rate: 100, Elapsed: time.Second, P50: 60 * time.Microsecond, P99: time.Millisecond,
		Extras: []measure.Extra{{Name: "heap", Value: 122, Unit: measure.MiB}}}
	for _, c := range []struct {
		target        target
		name, verdict string
		value         string
	}{
		{target{against: "peer", figure: rateFigure, bound: 3}, "rate >= 3x", "met", "3x"},
		{target{against: "peer", figure: rateFigure, bound: 3.5}, "rate >= 3.5x", "not met", "3x"},
		{target{against: "peer", figure: p50Figure, bound: 1.0 / 50}, "p50 50x lower", "met (60x)", "60x"},
		{target{against: "peer", figure: p99Figure, bound: 1.0 / 20}, "p99 20x lower", "not met (11.1x)", "11.1x"},
		{target{against: "peer", figure: p99Figure, bound: 0.5}, "p99 <= 0.5x", "met (0.09x)", "0.09x"},
		{target{against: "peer", figure: timeFigure, bound: 1.0 / 4}, "4x faster", "met", "0.1x"},
		{target{against: millraceName, figure: timeFigure, bound: float64(150 * time.Millisecond)},
			"time <= 150.0 ms", "met", "100.0 ms"},
		{target{against: millraceName, figure: p99Figure, bound: float64(80 * time.Microsecond)},
			"p99 <= 80 µs", "not met", "90 µs"},
		{target{against: millraceName, figure: allocsFigure, bound: none}, "no allocations", "met", "0"},
		{target{against: millraceName, figure: extraFigure, extra: "heap", unit: measure.MiB, bound: 60},
			"heap <= 60 MiB", "not met", "61 MiB"},
		{target{against: "peer", figure: extraFigure, extra: "heap", unit: measure.MiB, bound: 1}, "heap <= 1x", "met (0.5x)", "0.5x"},
		{target{against: millraceName, figure: extraFigure, extra: "keeps", unit: measure.Times, bound: 0.9, atLeast: true},
			"keeps >= 0.9x", "met", "0.95x"},
	} {
		require.Equal(t, c.name, c.target.String())
		require.Equal(t, c.verdict, c.target.verdict(ours, theirs), c.name)
		value, _ := c.target.check(ours, theirs)
		require.Equal(t, c.value, c.target.text(value), c.name)
	}
}

// TestTableLeavesOutWhatARowHasNot is about rows that have nothing but figures of their own.
func TestTableLeavesOutWhatARowHasNot(t *testing.T) {
	weight := func(value float64) []measure.Run {
		return []measure.Run{{Messages: 5, Extras: []measure.Extra{{Name: "idle", Value: value, Unit: measure.MiB}}}}
	}
	outcomes := []outcome{{
		row: row{title: "heap", targets: []target{
			{against: millraceName, figure: extraFigure, extra: "idle", unit: measure.MiB, bound: 60}}},
		lines: []line{{contestant: "peer", runs: weight(158)}, {contestant: millraceName, runs: weight(61.25)}},
	}}
	require.Contains(t, table(outcomes), "| heap | peer |  |  |  |  |  |  | idle 158 MiB |  |  |\n")
	require.Contains(t, table(outcomes), "|  | **Millrace** |  |  |  |  |  |  | idle 61.2 MiB |  | idle <= 60 MiB: not met |\n")
	require.Equal(t, []string{"heap: idle <= 60 MiB, and it is 61.2 MiB"}, missed(outcomes))
}
