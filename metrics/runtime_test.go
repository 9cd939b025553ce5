package metrics_test

import (
	_ "embed"
	"reflect"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

//go:embed testdata/runtime.txt
var runtimeExposition string

type runtimeSource struct{ stats actors.RuntimeStats }

func (s *runtimeSource) Stats() actors.RuntimeStats { return s.stats }

// TestEveryFigureOfARuntimeIsShown: no two of them are the same.
func TestEveryFigureOfARuntimeIsShown(t *testing.T) {
	s := &runtimeSource{}
	next := int64(0)
	var number func(v reflect.Value)
	number = func(v reflect.Value) {
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Struct {
				number(f)
			} else {
				next++
				f.SetInt(next)
			}
		}
	}
	number(reflect.ValueOf(&s.stats).Elem())
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewRuntimeCollector(s)))
	require.Equal(t, runtimeExposition, string(gather(t, registry)))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestBuildInfoIsShown(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewBuildInfo()))
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "millrace_build_info", families[0].GetName())
	one := families[0].GetMetric()[0]
	require.Equal(t, 1.0, one.GetGauge().GetValue())
	labels := make(map[string]string)
	for _, l := range one.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	require.Equal(t, runtime.Version(), labels["go_version"])
	require.Contains(t, labels, "version")
	require.Contains(t, labels, "revision")
}
