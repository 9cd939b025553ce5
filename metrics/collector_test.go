package metrics_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os/exec"
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

// figures returns figures in which no two numbers are the same.
func figures(name string) *source {
	return &source{actors.Stats{
		State: actors.State{
			Messages: 1, Bytes: 2, Subjects: 3, FirstSequence: 4, LastSequence: 5, Durable: 6,
			FirstTime: time.Unix(7, 500_000_000), LastTime: time.Unix(8, 0), LostMessages: 9, LostBytes: 10,
		},
		Name: name, Blocks: 11, Failed: true, Stored: 12,
		RemovedMsgs: 13, RemovedBytes: 14, RemovedAge: 15, RemovedPer: 28, RemovedRequest: 29, RemovedTTL: 34,
		Refusals:   []actors.Refusal{{Reason: "max_msgs", Count: 16}, {Reason: "no_space", Count: 57_000}},
		Duplicates: 31, Fired: 32, PassedOver: 33,
		MailboxDepth: 20, InFlight: 21, InFlightBytes: 22, Failures: 23, Recoveries: 24, GaveUp: true, Crashes: 35, Consumers: 36, Indexed: 26, BadIndexes: 27,
		Groups:        actors.Histogram{Bounds: []float64{1, 2, 4}, Counts: []uint64{3, 0, 2, 1}, Sum: 25, Count: 6},
		CommitSeconds: actors.Histogram{Bounds: []float64{0.001, 0.002}, Counts: []uint64{0, 7, 0}, Sum: 0.0105, Count: 7},
	}}
}

const exposition = `# HELP millrace_bad_indexes_total Block indexes found damaged or stale.
# TYPE millrace_bad_indexes_total counter
millrace_bad_indexes_total{stream="ORDERS"} 27
# HELP millrace_blocks Block files.
# TYPE millrace_blocks gauge
millrace_blocks{stream="ORDERS"} 11
# HELP millrace_bytes Accounted bytes of live messages.
# TYPE millrace_bytes gauge
millrace_bytes{stream="ORDERS"} 2
# HELP millrace_commit_duration_seconds Time to write and sync a commit group.
# TYPE millrace_commit_duration_seconds histogram
millrace_commit_duration_seconds_bucket{stream="ORDERS",le="0.001"} 0
millrace_commit_duration_seconds_bucket{stream="ORDERS",le="0.002"} 7
millrace_commit_duration_seconds_bucket{stream="ORDERS",le="+Inf"} 7
millrace_commit_duration_seconds_sum{stream="ORDERS"} 0.0105
millrace_commit_duration_seconds_count{stream="ORDERS"} 7
# HELP millrace_consumers Consumers that are registered.
# TYPE millrace_consumers gauge
millrace_consumers{stream="ORDERS"} 36
# HELP millrace_crashes_total Panics in the store, each of which is a bug.
# TYPE millrace_crashes_total counter
millrace_crashes_total{stream="ORDERS"} 35
# HELP millrace_duplicate_messages_total Messages that were offered again, and were not stored again.
# TYPE millrace_duplicate_messages_total counter
millrace_duplicate_messages_total{stream="ORDERS"} 31
# HELP millrace_durable_sequence Highest sequence known to be on stable storage.
# TYPE millrace_durable_sequence gauge
millrace_durable_sequence{stream="ORDERS"} 6
# HELP millrace_fired_schedules_total Messages that schedules produced.
# TYPE millrace_fired_schedules_total counter
millrace_fired_schedules_total{stream="ORDERS"} 32
# HELP millrace_first_sequence Lowest live sequence.
# TYPE millrace_first_sequence gauge
millrace_first_sequence{stream="ORDERS"} 4
# HELP millrace_first_timestamp_seconds Time of the first live message, since the Unix epoch.
# TYPE millrace_first_timestamp_seconds gauge
millrace_first_timestamp_seconds{stream="ORDERS"} 7.5
# HELP millrace_group_records Records in a commit group.
# TYPE millrace_group_records histogram
millrace_group_records_bucket{stream="ORDERS",le="1"} 3
millrace_group_records_bucket{stream="ORDERS",le="2"} 3
millrace_group_records_bucket{stream="ORDERS",le="4"} 5
millrace_group_records_bucket{stream="ORDERS",le="+Inf"} 6
millrace_group_records_sum{stream="ORDERS"} 25
millrace_group_records_count{stream="ORDERS"} 6
# HELP millrace_in_flight_bytes Bytes of operations that were not answered yet.
# TYPE millrace_in_flight_bytes gauge
millrace_in_flight_bytes{stream="ORDERS"} 22
# HELP millrace_in_flight_operations Operations that were not answered yet.
# TYPE millrace_in_flight_operations gauge
millrace_in_flight_operations{stream="ORDERS"} 21
# HELP millrace_last_sequence Highest sequence ever used.
# TYPE millrace_last_sequence gauge
millrace_last_sequence{stream="ORDERS"} 5
# HELP millrace_last_timestamp_seconds Time of the last message, since the Unix epoch.
# TYPE millrace_last_timestamp_seconds gauge
millrace_last_timestamp_seconds{stream="ORDERS"} 8
# HELP millrace_lost_bytes_total Bytes of damaged records.
# TYPE millrace_lost_bytes_total counter
millrace_lost_bytes_total{stream="ORDERS"} 10
# HELP millrace_lost_messages_total Messages known to be lost through damage.
# TYPE millrace_lost_messages_total counter
millrace_lost_messages_total{stream="ORDERS"} 9
# HELP millrace_mailbox_depth Operations that wait for the store actor.
# TYPE millrace_mailbox_depth gauge
millrace_mailbox_depth{stream="ORDERS"} 20
# HELP millrace_messages Live messages.
# TYPE millrace_messages gauge
millrace_messages{stream="ORDERS"} 1
# HELP millrace_passed_over_schedules_total Messages that schedules could not produce.
# TYPE millrace_passed_over_schedules_total counter
millrace_passed_over_schedules_total{stream="ORDERS"} 33
# HELP millrace_recoveries_total Recoveries from a storage failure.
# TYPE millrace_recoveries_total counter
millrace_recoveries_total{stream="ORDERS"} 24
# HELP millrace_refused_operations_total Operations that change the stream and ended with an error, by reason.
# TYPE millrace_refused_operations_total counter
millrace_refused_operations_total{reason="max_msgs",stream="ORDERS"} 16
millrace_refused_operations_total{reason="no_space",stream="ORDERS"} 57000
# HELP millrace_removed_messages_total Messages removed, by the limit that did it, or on request.
# TYPE millrace_removed_messages_total counter
millrace_removed_messages_total{reason="max_age",stream="ORDERS"} 15
millrace_removed_messages_total{reason="max_bytes",stream="ORDERS"} 14
millrace_removed_messages_total{reason="max_msgs",stream="ORDERS"} 13
millrace_removed_messages_total{reason="max_msgs_per_subject",stream="ORDERS"} 28
millrace_removed_messages_total{reason="request",stream="ORDERS"} 29
millrace_removed_messages_total{reason="ttl",stream="ORDERS"} 34
# HELP millrace_storage_failures_total Failed writes and syncs.
# TYPE millrace_storage_failures_total counter
millrace_storage_failures_total{stream="ORDERS"} 23
# HELP millrace_store_failed 1 while the store refuses writes after a storage failure, else 0.
# TYPE millrace_store_failed gauge
millrace_store_failed{stream="ORDERS"} 1
# HELP millrace_store_gave_up 1 when the store has crashed too often in a row to recover by itself, else 0.
# TYPE millrace_store_gave_up gauge
millrace_store_gave_up{stream="ORDERS"} 1
# HELP millrace_stored_messages_total Messages stored.
# TYPE millrace_stored_messages_total counter
millrace_stored_messages_total{stream="ORDERS"} 12
# HELP millrace_subjects Distinct subjects of live messages.
# TYPE millrace_subjects gauge
millrace_subjects{stream="ORDERS"} 3
# HELP millrace_written_indexes_total Block indexes written.
# TYPE millrace_written_indexes_total counter
millrace_written_indexes_total{stream="ORDERS"} 26
`

// TestEveryFigureIsShownUnderItsName, and nothing else is.
func TestEveryFigureIsShownUnderItsName(t *testing.T) {
	c := metrics.NewCollector(figures("ORDERS"))
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(exposition)))
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
millrace_messages{stream="B"} 1
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
