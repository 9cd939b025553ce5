package main

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestPermutationShuffles(t *testing.T) {
	for _, n := range []int{1, 2, 3, 17, 1000, 4096, 4097} {
		order, seen, inPlace := newPermutation(n), make([]bool, n), 0
		for i := range n {
			at := order.at(i)
			require.False(t, seen[at], "%d of %d", i, n)
			seen[at] = true
			if at == i {
				inPlace++
			}
		}
		if n >= 1000 {
			require.Less(t, inPlace, n/100, "%d numbers", n)
		}
	}
}

func TestKVShape(t *testing.T) {
	s := kvShape(2000, 1000)
	counts := map[string]int{}
	for i := range s.messages {
		counts[s.subject(i)]++
	}
	require.Len(t, counts, 1000)
	for subject, count := range counts {
		require.Equal(t, 2, count, subject)
	}
	require.Contains(t, counts, "kv.07.000907")
	require.Equal(t, "kv.99.123499", kvSubject(123499))

	require.EqualValues(t, 20, s.count(1, isKVHundredth))
	half := s.count(1001, isKVHundredth)
	require.Less(t, half, uint64(20), "some are in the first half")
	require.Positive(t, half, "some are in the second half")
	require.EqualValues(t, 1000, s.count(1001, everySubject))
	require.Len(t, s.payload(5), payloadBytes)
}

func TestOrdersShapeCycles(t *testing.T) {
	s := ordersShape(2000, 1000)
	require.Equal(t, []string{"orders.0", "orders.999", "orders.0"}, []string{s.subject(0), s.subject(999), s.subject(1000)})
	require.Equal(t, "orders.10001", orderSubject(10_001))
}

func TestSubjectsInTurnLieBehindEachOther(t *testing.T) {
	names := subjectsInTurn(1000)
	seen := map[string]bool{}
	for i, name := range names {
		seen[name] = true
		if i > 0 {
			before := unsafe.Pointer(unsafe.StringData(names[i-1]))
			require.Equal(t, unsafe.Add(before, len(kvSubject0)), unsafe.Pointer(unsafe.StringData(name)))
		}
	}
	require.Len(t, seen, 1000)
}

func TestFullShapeOverfills(t *testing.T) {
	s := fullShape(1 << 20)
	var bytes int
	for i := range s.messages {
		require.Len(t, s.payload(i), fullPayload)
		bytes += recordOverhead + len(s.subject(i)) + len(s.payload(i))
	}
	require.Greater(t, bytes, 1<<20)
	require.Less(t, bytes, 12<<17)
	require.NotEqual(t, s.payload(0), s.payload(1))
	require.Equal(t, "sensors.255", fullSubject(511))
}
