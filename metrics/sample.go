package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-d8b58eba/millrace/actors"
)

// sample is one series. It is a prometheus.Metric that shares its labels with the others of its stream: that, and one
// allocation less, makes a scrape of many streams half as dear as constant metrics do.
type sample struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []*dto.LabelPair // sorted by name
}

// Desc implements prometheus.Metric.
func (m *sample) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m *sample) Write(to *dto.Metric) error {
	to.Label = m.labels
	if m.kind == prometheus.CounterValue {
		to.Counter = &dto.Counter{Value: &m.value}
	} else {
		to.Gauge = &dto.Gauge{Value: &m.value}
	}
	return nil
}

// label returns a label of a series.
func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// scale says how a histogram of the statistics is shown.
type scale struct {
	decimal []float64 // upper bounds of the classic buckets
	schema  int32     // of the native ones
}

var (
	times = scale{[]float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10}, 1}
	sizes = scale{[]float64{1, 10, 100, 1000, 10_000}, 0}
)

// histogram is a histogram with classic buckets, and with native ones for a scraper that asks for these. The text format
// has the former only.
type histogram struct {
	desc   *prometheus.Desc
	counts *actors.Histogram
	scale  scale
	labels []*dto.LabelPair
}

// Desc implements prometheus.Metric.
func (m *histogram) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m *histogram) Write(to *dto.Metric) error {
	h := &dto.Histogram{SampleCount: &m.counts.Count, SampleSum: &m.counts.Sum}
	m.classic(h)
	m.native(h)
	to.Label, to.Histogram = m.labels, h
	return nil
}

// classic adds the buckets with decimal bounds. The statistics have each of these bounds among others.
func (m *histogram) classic(to *dto.Histogram) {
	buckets := make([]dto.Bucket, len(m.scale.decimal))
	cumulated := make([]uint64, len(buckets))
	to.Bucket = make([]*dto.Bucket, len(buckets))
	at, sum := 0, uint64(0)
	for i := range m.scale.decimal {
		for at < len(m.counts.Bounds) && m.counts.Bounds[at] <= m.scale.decimal[i] {
			sum += m.counts.Counts[at]
			at++
		}
		cumulated[i] = sum
		buckets[i].UpperBound, buckets[i].CumulativeCount = &m.scale.decimal[i], &cumulated[i]
		to.Bucket[i] = &buckets[i]
	}
}

// native adds the buckets with exponential bounds. What the statistics count up to a decimal bound belongs to the bucket
// of the power that is next, and what is above all bounds to one more. Their first bucket is taken as that of zero.
func (m *histogram) native(to *dto.Histogram) {
	if len(m.counts.Bounds) == 0 {
		return
	}
	to.Schema, to.ZeroThreshold, to.ZeroCount = &m.scale.schema, &m.counts.Bounds[0], &m.counts.Counts[0]
	steps := math.Exp2(float64(m.scale.schema))
	last := int32(0) // bucket
	var before int64 // its count
	for i := 1; i < len(m.counts.Counts); i++ {
		count := int64(m.counts.Counts[i])
		if count == 0 {
			continue
		}
		above := 0
		if i == len(m.counts.Bounds) {
			above = 1
		}
		index := int32(math.Ceil(math.Log2(m.counts.Bounds[i-above])*steps-1e-9)) + int32(above)
		n := len(to.PositiveSpan)
		switch {
		case n > 0 && index == last:
			before += count
			to.PositiveDelta[len(to.PositiveDelta)-1] += count
			continue
		case n > 0 && index == last+1:
			*to.PositiveSpan[n-1].Length++
		default:
			offset, length := index, uint32(1)
			if n > 0 {
				offset = index - last - 1
			}
			to.PositiveSpan = append(to.PositiveSpan, &dto.BucketSpan{Offset: &offset, Length: &length})
		}
		to.PositiveDelta = append(to.PositiveDelta, count-before)
		last, before = index, count
	}
}
