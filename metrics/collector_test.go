package metrics_test

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"hash/crc32"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source gives fixed figures.
type source struct{ stats actors.Stats }

func (s *source) Stats() actors.Stats { return s.stats }

// figures returns figures in which no two numbers are the same: each is made of its name.
func figures(name string) *source {
	s := &source{}
	number("", reflect.ValueOf(&s.stats).Elem())
	s.stats.Name = name
	s.stats.FirstTime, s.stats.LastTime, s.stats.LastFailure = time.Unix(7, 500_000_000), time.Unix(8, 0), time.Unix(9, 0)
	s.stats.Refusals = []actors.Refusal{{Reason: "max_msgs", Count: 16}, {Reason: "no_space", Count: 57_000}, {Reason: "size", Count: 0}}
	s.stats.Limits.MaxAge = 100_001 * time.Second
	times := actors.Histogram{Bounds: []float64{0.00005, 0.0001, 0.001, 0.0025, 0.005}, Counts: []uint64{1, 2, 3, 0, 4, 5}, Sum: 1.5, Count: 15}
	s.stats.AckSeconds, s.stats.WriteSeconds, s.stats.SyncSeconds = times, times, times
	s.stats.Groups = actors.Histogram{Bounds: []float64{1, 2, 4, 8, 10, 16}, Counts: []uint64{3, 0, 2, 0, 1, 0, 1}, Sum: 45, Count: 7}
	return s
}

// number gives each number of a structure a value of six digits, and sets what is true or false.
func number(path string, v reflect.Value) {
	for i := range v.NumField() {
		name := path + v.Type().Field(i).Name
		value := int64(100_000 + crc32.ChecksumIEEE([]byte(name))%900_000)
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			if f.Type() != reflect.TypeFor[time.Time]() && f.Type() != reflect.TypeFor[actors.Histogram]() {
				number(name+".", f)
			}
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(value)
		case reflect.Uint64:
			f.SetUint(uint64(value))
		}
	}
}

//go:embed testdata/exposition.txt
var exposition string

// TestEveryFigureIsShownUnderItsName, and nothing else is.
func TestEveryFigureIsShownUnderItsName(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(figures("ORDERS"))))
	require.Equal(t, exposition, string(gather(t, registry)))
}

// shown returns what a scrape gets of a store.
func shown(t *testing.T, s *source) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics.NewCollector(s)))
	return string(gather(t, registry))
}

// TestEveryFigureOfTheStatisticsIsShown, one that has come since this was written, too, unless it is listed here.
func TestEveryFigureOfTheStatisticsIsShown(t *testing.T) {
	notShown := map[string]string{
		"State.Deleted":    "it follows from the first and last sequences and the messages",
		"State.Recounting": "only while old messages of a damaged stream are counted anew",
		"Limits.Discard":   "no number",
		"Limits.MsgTTL":    "no number",
		"Limits.MarkerTTL": "no limit",
		"RefusedMsgs":      "it is among the refusals, as are these:", "RefusedBytes": "", "RefusedPer": "", "RefusedSize": "", "RefusedSequence": "",
		"CommitSeconds": "its parts are shown",
	}
	s := figures("ORDERS")
	text := shown(t, s)
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			name := path + v.Type().Field(i).Name
			if _, listed := notShown[name]; listed {
				continue
			}
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				if f.Type() != reflect.TypeFor[time.Time]() && f.Type() != reflect.TypeFor[actors.Histogram]() {
					check(name+".", f)
				}
			case reflect.Int, reflect.Int64, reflect.Uint64:
				value := fmt.Sprint(f.Interface())
				if f.Type() == reflect.TypeFor[time.Duration]() {
					value = fmt.Sprint(f.Interface().(time.Duration).Seconds())
				}
				require.Regexp(t, `(?m) `+value+`$`, text, name)
			}
		}
	}
	check("", reflect.ValueOf(s.stats))
}

func TestNamesFollowTheRulesOfPrometheus(t *testing.T) {
	c := metrics.NewCollector(figures("ORDERS"), figures("EVENTS"))
	problems, err := testutil.CollectAndLint(c)
	require.NoError(t, err)
	require.Empty(t, problems)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	problems, err = testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)

	// Prometheus's own checker, when it is there; the linter above always is.
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Logf("not checked with promtool: %v", err)
		return
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = bytes.NewReader(gather(t, registry))
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Empty(t, output)
}

// gather returns what a scrape gets.
func gather(t *testing.T, g prometheus.Gatherer) []byte {
	t.Helper()
	r := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, r.Code)
	return r.Body.Bytes()
}

func TestStoresComeAndGo(t *testing.T) {
	const messages = "millrace_messages"
	c := metrics.NewCollector()
	require.Zero(t, testutil.CollectAndCount(c))
	a, b := figures("A"), figures("B")
	b.stats.Messages = 2
	c.Add(a)
	c.Add(b)
	require.Equal(t, 2, testutil.CollectAndCount(c, messages))
	// One of the same stream takes the place of the one before.
	again := figures("A")
	again.stats.Messages = 99
	c.Add(again)
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`# HELP millrace_messages Live messages.
# TYPE millrace_messages gauge
millrace_messages{stream="A"} 99
millrace_messages{stream="B"} 2
`), messages))
	c.Remove("B")
	c.Remove("B")
	c.Remove("never there")
	require.Equal(t, 1, testutil.CollectAndCount(c, messages))
}

func TestTimesThatAreNotThereAreNaN(t *testing.T) {
	empty := &source{actors.Stats{Name: "NEW"}}
	require.NoError(t, testutil.CollectAndCompare(metrics.NewCollector(empty), strings.NewReader(`# HELP millrace_first_timestamp_seconds Time of the first live message, since the Unix epoch.
# TYPE millrace_first_timestamp_seconds gauge
millrace_first_timestamp_seconds{stream="NEW"} NaN
# HELP millrace_last_timestamp_seconds Time of the last message, since the Unix epoch.
# TYPE millrace_last_timestamp_seconds gauge
millrace_last_timestamp_seconds{stream="NEW"} NaN
# HELP millrace_store_failed 1 while the store refuses writes after a storage failure, else 0.
# TYPE millrace_store_failed gauge
millrace_store_failed{stream="NEW"} 0
`), "millrace_first_timestamp_seconds", "millrace_last_timestamp_seconds", "millrace_store_failed"))
}

// TestCollectorServesManyAtOnce: scrapes, additions and removals at the same time,
// over stores that work.
func TestCollectorServesManyAtOnce(t *testing.T) {
	system := quietSystem()
	store, err := actors.Open(t.Context(), system, actors.Config{Dir: t.TempDir(), Name: "REAL", Sync: actors.SyncNever, MaxMsgs: 10})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Stop(context.Background())) }()
	c := metrics.NewCollector(store)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for range 100 {
				if _, err := registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for i := range 200 {
				c.Add(figures(fmt.Sprint("S", g, i%5)))
				c.Remove(fmt.Sprint("S", g, (i+2)%5))
			}
		})
		all.Go(func() {
			for range 200 {
				if _, err := store.StoreMsg(t.Context(), "a", nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	text := string(gather(t, registry))
	require.Contains(t, text, `millrace_stored_messages_total{stream="REAL"} 800`)
	require.Contains(t, text, `millrace_removed_messages_total{reason="max_msgs",stream="REAL"} 790`)
	require.Contains(t, text, `millrace_messages{stream="REAL"} 10`)
}
