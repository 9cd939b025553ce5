// Package measure holds what a benchmark run needs of statistics: latency histograms, medians over
// runs, and what a run cost in processor time and allocations.
package measure

import (
	"math/bits"
	"time"
)

const (
	subBits    = 6 // values are kept to 1 part in 64, that is 1.6 %
	subBuckets = 1 << subBits
	exponents  = 40 // up to about 19 hours in nanoseconds
)

// Histogram counts durations in buckets whose width grows with the value. The zero value is ready.
// It belongs to one goroutine; Merge brings several together.
type Histogram struct {
	counts [subBuckets * exponents]uint32
	total  uint64
}

// Record counts one duration. What is below zero counts as zero, what is too long as the longest.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

// Merge adds the counts of other.
func (h *Histogram) Merge(other *Histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.total += other.total
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile returns a duration that the given part of the recorded ones, 0 to 1, do not exceed,
// to the precision of the buckets. It is 0 when nothing was recorded.
func (h *Histogram) Quantile(part float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(part*float64(h.total)+0.5), 1)
	var seen uint64
	for i, count := range h.counts {
		seen += uint64(count)
		if seen >= rank {
			return time.Duration(middleOf(i))
		}
	}
	return time.Duration(middleOf(len(h.counts) - 1))
}

// bucketOf numbers the buckets: below 64 one for each value, then 64 for each power of two.
func bucketOf(value uint64) int {
	if value < subBuckets {
		return int(value)
	}
	exponent := bits.Len64(value) - subBits // at least 1
	bucket := exponent*subBuckets + int(value>>(exponent-1)) - subBuckets
	return min(bucket, subBuckets*exponents-1)
}

// middleOf is the value in the middle of a bucket.
func middleOf(bucket int) uint64 {
	if bucket < subBuckets {
		return uint64(bucket)
	}
	exponent, sub := bucket/subBuckets, bucket%subBuckets
	width := uint64(1) << (exponent - 1)
	return uint64(subBuckets+sub)*width + width/2
}
