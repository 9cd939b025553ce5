package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestGroupedAndSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", 1 << 63: "9,223,372,036,854,775,808"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 30: "1.0 GiB", 3 << 50: "3072.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	if perSecond(5, 0) != 0 || perSecond(10, 2*time.Second) != 5 {
		t.Error("perSecond is wrong")
	}
}

func TestQuantilesAreWithinASixteenth(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for _, row := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 500 * time.Microsecond}, {0.99, 990 * time.Microsecond}, {1, time.Millisecond}} {
		if got := h.quantile(row.q); got < row.want || got > row.want+row.want/subBuckets+1 {
			t.Errorf("quantile(%v) = %v, want at most a sixteenth over %v", row.q, got, row.want)
		}
	}
	if got := other.quantile(0.5); got != 0 {
		t.Errorf("the quantile of nothing is %v", got)
	}
	other.add(-time.Second) // a clock that went backwards
	other.add(time.Duration(1<<63 - 1))
	other.merge(&h)
	if other.total != 1002 {
		t.Errorf("%d durations after the merge, want 1002", other.total)
	}
	for d := time.Duration(1); d > 0; d = d*2 + 1 {
		if b := bucketOf(d); upperEdge(b) < d || b > 0 && upperEdge(b-1) >= d {
			t.Errorf("%v is in bucket %d, which ends at %v", d, b, upperEdge(b))
		}
	}
}

func TestProgressIsPlainWhereNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	line := newProgressLine(&out)
	now := time.Now()
	line.plain = now
	for i := range 25 {
		line.update(now.Add(time.Duration(i+1)*redrawEvery), "still at it")
	}
	line.finish("finished")
	if got, want := out.String(), "still at it\nstill at it\nfinished\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	line.terminal = true
	line.update(now, "a")
	line.finish("b")
	if got := out.String(); strings.Contains(got, "a\n") || !strings.HasSuffix(got, "b\n") || !strings.Contains(got, "\r") {
		t.Errorf("on a terminal: %q, want one line redrawn", got)
	}
}
