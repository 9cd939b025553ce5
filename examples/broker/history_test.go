package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestTheLastMinuteIsKept: rates of each second and the commits of all of them, whoever looks.
func TestTheLastMinuteIsKept(t *testing.T) {
	var h history
	start := time.Now()
	bounds := []float64{0.001, 0.01, 0.1}
	for i := range 100 {
		h.add(sample{
			at: start.Add(time.Duration(i) * 2 * time.Second), stored: uint64(i * i), bytes: uint64(10 * i),
			commits: actors.Histogram{Bounds: bounds, Counts: []uint64{uint64(1000 * i), uint64(20 * i), uint64(i), 0}},
		})
	}
	f := h.figures()
	if len(f.Stored) != mostSamples || len(f.Bytes) != mostSamples {
		t.Fatalf("%d samples, want %d", len(f.Stored), mostSamples)
	}
	if last := f.Stored[mostSamples-1]; last != (99*99-98*98)/2.0 {
		t.Errorf("%v messages a second", last)
	}
	if f.Bytes[0] != 5 {
		t.Errorf("%v bytes a second", f.Bytes[0])
	}
	if p99 := f.commits.p99(); p99 != 0.01 {
		t.Errorf("p99 is %v", p99)
	}
	var together commits
	together.merge(commits{}) // of a stream that is not open
	together.merge(f.commits)
	together.merge(commits{bounds: bounds, counts: []int64{0, 0, 0, 100_000}})
	if p99 := together.p99(); p99 != 0.1 {
		t.Errorf("p99 of both is %v, want the last bound that there is", p99)
	}
	if none := (&history{}).figures(); len(none.Stored) != 0 || none.commits.p99() != 0 {
		t.Errorf("%+v", none)
	}
}

// TestAStoreThatStartedAnewHasNoNegativeRate.
func TestAStoreThatStartedAnewHasNoNegativeRate(t *testing.T) {
	var h history
	h.add(sample{at: time.Now(), stored: 100, bytes: 100})
	h.add(sample{at: time.Now(), stored: 5, bytes: 5})
	if f := h.figures(); f.Stored[0] != 0 || f.Bytes[0] != 0 {
		t.Errorf("%+v", f)
	}
}

// TestTheListHasTheLastMinute: it is there for who comes late.
func TestTheListHasTheLastMinute(t *testing.T) {
	broker := startBroker(t, BrokerConfig{})
	s := siteOf(t, broker)
	at := time.Now().Add(time.Hour) // the broker takes samples by itself, too
	s.publish("/streams/a/a", "x")
	testSystem().Root.Send(broker.pid, &takeSample{at: at})
	for i := range 5 {
		s.publish("/streams/a/a", fmt.Sprint(i))
	}
	testSystem().Root.Send(broker.pid, &takeSample{at: at.Add(time.Nanosecond)})
	list := s.list()
	lately := list.Streams[0].Lately
	if lately == nil || len(lately.StoredPerSecond) == 0 || len(lately.BytesPerSecond) != len(lately.StoredPerSecond) {
		t.Fatalf("%+v", lately)
	}
	stored, bytes := 0.0, 0.0
	for i := range lately.StoredPerSecond {
		stored, bytes = stored+lately.StoredPerSecond[i], bytes+lately.BytesPerSecond[i]
	}
	if stored <= 0 || bytes != 2*stored || lately.CommitP99Seconds <= 0 {
		t.Errorf("%+v, want some messages of two bytes each", lately)
	}
	if len(list.Streams) != 1 || list.Total.CommitP99Seconds != lately.CommitP99Seconds {
		t.Errorf("%+v", list.Total)
	}
}
