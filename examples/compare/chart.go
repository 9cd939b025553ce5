package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// chartFile is the drawing of the rows of offered load, beside the report.
const chartFile = "benchmarks-offered.svg"

// curve is the latencies of one store over the load, in percent of its highest rate.
type curve struct {
	store string
	loads []float64
	p99   []time.Duration
}

// curves are what the rows of offered load say.
func curves(outcomes []outcome) (list []curve) {
	at := map[string]int{}
	for _, o := range outcomes {
		part, found := strings.CutPrefix(o.row.name, offeredPrefix)
		percent, err := strconv.ParseFloat(part, 64)
		if !found || err != nil {
			continue
		}
		for _, l := range o.lines {
			i, known := at[l.contestant]
			if !known {
				i = len(list)
				at[l.contestant] = i
				list = append(list, curve{store: l.contestant})
			}
			list[i].loads = append(list[i].loads, percent)
			list[i].p99 = append(list[i].p99, measure.Summarize(l.runs).P99)
		}
	}
	return list
}

// drawChart writes the drawing beside a report, if there is anything to draw, and returns the Markdown that shows it.
func drawChart(report string, outcomes []outcome) (markdown string, err error) {
	list := curves(outcomes)
	if len(list) == 0 {
		return "", nil
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(report), chartFile), []byte(chart(list)), 0o644); err != nil {
		return "", err
	}
	return "![p99 of a durable store over the load that is offered](" + chartFile + ")\n", nil
}

// The chart, in its own units.
const (
	chartWidth, chartHeight = 640, 360
	chartLeft, chartBottom  = 70, 310
	chartRight, chartTop    = 480, 30
)

var chartColours = []string{"#b45309", "#2563eb", "#15803d", "#7c3aed"}

// chart draws the curves: the load to the right, the logarithm of the p99 upwards.
func chart(list []curve) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range list {
		for _, p := range c.p99 {
			low, high = min(low, math.Floor(decades(p))), max(high, math.Ceil(decades(p)))
		}
	}
	high = max(high, low+1)
	x := func(load float64) float64 { return chartLeft + load/100*(chartRight-chartLeft) }
	y := func(p time.Duration) float64 {
		return chartBottom - (decades(p)-low)/(high-low)*(chartBottom-chartTop)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", chartWidth, chartHeight)
	for d := low; d <= high; d++ {
		p := time.Duration(math.Pow(10, d))
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			chartLeft, y(p), chartRight, chartLeft-6, y(p)+4, duration(p))
	}
	for load := 0.0; load <= 100; load += 20 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f %%</text>`+"\n", x(load), chartBottom+18, load)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">p99, durable</text><text x="%d" y="%d">load, of the highest rate of each</text>`+"\n",
		chartLeft, chartTop-12, chartLeft+90, chartBottom+38)
	for i, c := range list {
		colour := chartColours[i%len(chartColours)]
		points := make([]string, len(c.loads))
		for j := range c.loads {
			points[j] = fmt.Sprintf("%.1f,%.1f", x(c.loads[j]), y(c.p99[j]))
		}
		last := len(points) - 1
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%d" y="%.1f" fill="%s">%s</text>`+"\n",
			strings.Join(points, " "), colour, chartRight+8, y(c.p99[last])+4, colour, c.store)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func decades(d time.Duration) float64 { return math.Log10(float64(max(d, 1))) }
