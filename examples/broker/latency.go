package main

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets that are at most 1/16 wide: enough for a percentile in a
// table, at a fixed size whatever the count. The zero value is ready; it is not safe for concurrent use.
type histogram struct {
	counts [64 * subBuckets]uint64
	total  uint64
}

const (
	subBucketBits = 4
	subBuckets    = 1 << subBucketBits
)

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.total += other.total
}

// quantile returns the upper edge of the bucket in which the q-th part of the durations is reached.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.total)), 1)
	var seen uint64
	for i, count := range h.counts {
		seen += count
		if seen >= rank {
			return upperEdge(i)
		}
	}
	return upperEdge(len(h.counts) - 1)
}

// bucketOf numbers the buckets: one per nanosecond below subBuckets, then subBuckets per power of two.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < subBuckets {
		return int(n)
	}
	exponent := bits.Len64(n) - 1 - subBucketBits
	return exponent*subBuckets + int(n>>exponent)
}

func upperEdge(bucket int) time.Duration {
	if bucket < subBuckets {
		return time.Duration(bucket)
	}
	exponent := bucket/subBuckets - 1
	return time.Duration(uint64(bucket%subBuckets+subBuckets+1)<<exponent - 1)
}
