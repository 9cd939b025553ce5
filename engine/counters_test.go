package engine

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounterTableIsComplete(t *testing.T) {
	names := map[string]counter{}
	for c := range counters {
		row := counterTable[c]
		require.NotEmpty(t, row.name, "counter %d", c)
		require.NotZero(t, row.class, "%v", c)
		require.NotContains(t, names, row.name)
		names[row.name] = c
	}
}

// distinctNumbers returns numbers no two of which are the same.
func distinctNumbers() numbers {
	n := numbers{firstTime: 5001, lastTime: 5002}
	for c := range counters {
		n.counts[c] = 1000 + uint64(c)
	}
	return n
}

func TestCountsShowsEachNumberOnce(t *testing.T) {
	pub := NewPublished()
	n := distinctNumbers()
	pub.publish(&n)

	times := map[uint64]int{}
	var count func(v reflect.Value)
	count = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				count(f)
			case reflect.Int64:
				times[uint64(f.Int())]++
			default:
				times[f.Uint()]++
			}
		}
	}
	count(reflect.ValueOf(pub.Counts()))
	for c := range counters {
		require.Equal(t, 1, times[n.counts[c]], "%v", c)
	}
	require.Equal(t, 1, times[5001], "first time")
	require.Equal(t, 1, times[5002], "last time")
}

// noCodec is for engines that store nothing.
type noCodec struct{ Codec }

func (noCodec) EmptySize() int                        { return 1 }
func (noCodec) Size(subject, header, payload int) int { return 1 }

func TestTotalsGoOnWhenAnEngineTakesOver(t *testing.T) {
	pub := NewPublished()
	n := distinctNumbers()
	pub.publish(&n)
	e := newEngine(Config{Codec: noCodec{}}, pub)
	for c := range counters {
		switch c {
		case countStored, countStoredBytes, countRemovedMsgs, countRemovedBytes, countRemovedAge, countRemovedTTL, countRemovedPer, countRemovedRequest,
			countFreedBytes,
			countRefusedMsgs, countRefusedBytes, countRefusedPer, countRefusedSize, countRefusedSequence,
			countDuplicates, countFired, countPassedOver:
			require.Equal(t, n.counts[c], e.counts[c], "%v", c)
		default:
			require.Zero(t, e.counts[c], "%v", c)
		}
	}
	require.Equal(t, NoTime, e.firstTime)
	require.Equal(t, NoTime, e.lastTime)
}

func TestRefusalsAndGaugesWaitForNoGroup(t *testing.T) {
	pub := NewPublished()
	e := New(Config{Codec: noCodec{}, Limits: Limits{MaxMsgSize: 1}}, pub, 0)
	for e.Opening() {
		e.Ready()
	}
	e.numbers = distinctNumbers()
	e.publishAtOnce()
	got := pub.numbers()
	for c := range counters {
		switch c {
		case countRefusedMsgs, countRefusedBytes, countRefusedPer, countRefusedSize, countRefusedSequence, countDuplicates, countPassedOver, countUnacknowledged:
			require.Equal(t, 1000+uint64(c), got.counts[c], "%v", c)
		default: // of these, durable and unindexed are kept elsewhere
			require.Less(t, got.counts[c], uint64(1000), "%v", c)
		}
	}
	require.Equal(t, NoTime, got.firstTime)
	require.Equal(t, NoTime, got.lastTime)
}
