package actors

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

// Histogram counts observations in buckets.
//
// The bounds are those of two scales in one list. One is decimal: times have 0.1, 0.5, 1, 5, 10, 50, and 100 ms, 1 and
// 10 s in it, numbers of records the powers of 10 up to 10,000. The other is that of a native histogram of Prometheus,
// of schema 1 (two buckets for each power of two) for times and 0 (one) for records.
type Histogram struct {
	Bounds []float64 // upper bounds of the buckets, ascending; shared, not to be changed
	Counts []uint64  // observations in each, and above the last bound in one more
	Sum    float64
	Count  uint64
}

// scale is the bounds of a meter.
type scale struct {
	bounds []float64 // as Stats has them
	whole  []uint64  // the same in units of what is observed: the largest value of each bucket
	unit   float64   // of what is observed
	// from is, by the number of bits of a value, the first bucket that it may be in.
	from [65]uint8
}

// newScale returns the scale of these decimal bounds, and the powers of 2 to the 1/steps between two exponents of 2.
func newScale(unit float64, decimal []float64, steps, low, high int) *scale {
	s := &scale{unit: unit, bounds: slices.Clone(decimal)}
	for i := low * steps; i <= high*steps; i++ {
		s.bounds = append(s.bounds, math.Exp2(float64(i)/float64(steps)))
	}
	slices.Sort(s.bounds)
	s.bounds = slices.Compact(s.bounds)
	for _, b := range s.bounds {
		s.whole = append(s.whole, uint64(math.Floor(b/unit*(1+1e-12)))) // what is whole stays so
	}
	for n := range s.from {
		least := uint64(0) // of so many bits
		if n > 0 {
			least = 1 << (n - 1)
		}
		i, _ := slices.BinarySearch(s.whole, least)
		s.from[n] = uint8(i)
	}
	return s
}

// bucket returns the number of the bucket of a value.
func (s *scale) bucket(value uint64) int {
	i := int(s.from[bits.Len64(value)])
	for i < len(s.whole) && value > s.whole[i] {
		i++
	}
	return i
}

var (
	// times are observed in nanoseconds: from 15 us to 16 s.
	times = newScale(1e-9, []float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10}, 2, -16, 4)
	// sizes are numbers of records: up to half a million.
	sizes = newScale(1, []float64{10, 100, 1000, 10_000}, 1, 0, 19)
)

const (
	chunk  = 8 // buckets
	chunks = 7 // of a meter: enough for both scales
)

// meter is a histogram. The store actor alone observes; everybody may read. Most streams use a few buckets that are
// beside each other, so memory for them is taken when they are used.
type meter struct {
	chunks [chunks]atomic.Pointer[[chunk]atomic.Uint64]
	sum    atomic.Uint64
}

// observe counts a value so many times.
func (m *meter) observe(s *scale, value, count uint64) {
	bucket := s.bucket(value)
	in := &m.chunks[bucket/chunk]
	counts := in.Load()
	if counts == nil {
		counts = new([chunk]atomic.Uint64)
		in.Store(counts)
	}
	counts[bucket%chunk].Add(count)
	m.sum.Add(value * count)
}

// observeTime counts a time so many times.
func (m *meter) observeTime(took time.Duration, count uint64) {
	m.observe(times, uint64(max(took, 0)), count)
}

// histogram returns the counts.
func (m *meter) histogram(s *scale) Histogram {
	h := Histogram{Bounds: s.bounds, Counts: make([]uint64, len(s.bounds)+1), Sum: float64(m.sum.Load()) * s.unit}
	for i := range h.Counts {
		if counts := m.chunks[i/chunk].Load(); counts != nil {
			h.Counts[i] = counts[i%chunk].Load()
			h.Count += h.Counts[i]
		}
	}
	return h
}
