package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d8b58eba/millrace/actors"
)

const prefix = "millrace_"

func describe(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, append([]string{"stream"}, more...), nil)
}

// describeRuntime describes a metric that is not of a stream.
func describeRuntime(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

// number is a metric that is one field of the statistics.
type number struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*actors.Stats) float64
}

// The helpers of a table: their names are the metrics' first argument, by which a test finds them.

func gauge(name, help string, value func(*actors.Stats) float64) number {
	return number{describe(name, help), prometheus.GaugeValue, value}
}

func total(name, help string, value func(*actors.Stats) float64) number {
	return number{describe(name, help), prometheus.CounterValue, value}
}

var numbers = []number{
	gauge("messages", "Live messages.",
		func(s *actors.Stats) float64 { return float64(s.Messages) }),
	gauge("bytes", "Accounted bytes of live messages.",
		func(s *actors.Stats) float64 { return float64(s.Bytes) }),
	gauge("subjects", "Distinct subjects of live messages.",
		func(s *actors.Stats) float64 { return float64(s.Subjects) }),
	gauge("first_sequence", "Lowest live sequence.",
		func(s *actors.Stats) float64 { return float64(s.FirstSequence) }),
	gauge("last_sequence", "Highest sequence ever used.",
		func(s *actors.Stats) float64 { return float64(s.LastSequence) }),
	gauge("durable_sequence", "Highest sequence known to be on stable storage.",
		func(s *actors.Stats) float64 { return float64(s.Durable) }),
	gauge("first_timestamp_seconds", "Time of the first live message, since the Unix epoch.",
		func(s *actors.Stats) float64 { return seconds(s.FirstTime) }),
	gauge("last_timestamp_seconds", "Time of the last message, since the Unix epoch.",
		func(s *actors.Stats) float64 { return seconds(s.LastTime) }),
	gauge("blocks", "Block files.",
		func(s *actors.Stats) float64 { return float64(s.Blocks) }),
	gauge("unindexed_blocks", "Full block files that wait for their index.",
		func(s *actors.Stats) float64 { return float64(s.Unindexed) }),
	gauge("uncompacted_blocks", "Full block files that wait to be compacted or compressed.",
		func(s *actors.Stats) float64 { return float64(s.Uncompacted) }),
	gauge("consumers", "Consumers that are registered.",
		func(s *actors.Stats) float64 { return float64(s.Consumers) }),
	gauge("watches", "Callers and actors that are told when the last sequence advances.",
		func(s *actors.Stats) float64 { return float64(s.Watches) }),
	gauge("followers", "Readers that follow the stream.",
		func(s *actors.Stats) float64 { return float64(s.Followers) }),
	total("stored_messages_total", "Messages stored.",
		func(s *actors.Stats) float64 { return float64(s.Stored) }),
	total("stored_bytes_total", "Accounted bytes of messages stored.",
		func(s *actors.Stats) float64 { return float64(s.StoredBytes) }),
	total("removed_bytes_total", "Accounted bytes of messages removed, for whatever reason.",
		func(s *actors.Stats) float64 { return float64(s.FreedBytes) }),
	total("duplicate_messages_total", "Messages that were offered again, and were not stored again.",
		func(s *actors.Stats) float64 { return float64(s.Duplicates) }),
	total("fired_schedules_total", "Messages that schedules produced.",
		func(s *actors.Stats) float64 { return float64(s.Fired) }),
	total("passed_over_schedules_total", "Messages that schedules could not produce.",
		func(s *actors.Stats) float64 { return float64(s.PassedOver) }),
	gauge("mailbox_depth", "Operations that wait for the store actor.",
		func(s *actors.Stats) float64 { return float64(s.MailboxDepth) }),
	gauge("in_flight_operations", "Operations that were not answered yet.",
		func(s *actors.Stats) float64 { return float64(s.InFlight) }),
	gauge("in_flight_bytes", "Bytes of operations that were not answered yet.",
		func(s *actors.Stats) float64 { return float64(s.InFlightBytes) }),
	gauge("store_failed", "1 while the store refuses writes after a storage failure, else 0.",
		func(s *actors.Stats) float64 {
			if s.Failed {
				return 1
			}
			return 0
		}),
	total("storage_failures_total", "Failed writes and syncs.",
		func(s *actors.Stats) float64 { return float64(s.Failures) }),
	gauge("last_failure_timestamp_seconds", "Time of the last failed write or sync, or crash, since the Unix epoch; NaN for none.",
		func(s *actors.Stats) float64 { return seconds(s.LastFailure) }),
	total("recoveries_total", "Recoveries from a storage failure.",
		func(s *actors.Stats) float64 { return float64(s.Recoveries) }),
	gauge("store_gave_up", "1 when the store has crashed too often in a row to recover by itself, else 0.",
		func(s *actors.Stats) float64 {
			if s.GaveUp {
				return 1
			}
			return 0
		}),
	total("crashes_total", "Panics in the store, each of which is a bug.",
		func(s *actors.Stats) float64 { return float64(s.Crashes) }),
	total("written_indexes_total", "Block indexes written.",
		func(s *actors.Stats) float64 { return float64(s.Indexed) }),
	total("bad_indexes_total", "Block indexes found damaged or stale.",
		func(s *actors.Stats) float64 { return float64(s.BadIndexes) }),
	total("lost_messages_total", "Messages known to be lost through damage.",
		func(s *actors.Stats) float64 { return float64(s.LostMessages) }),
	total("lost_bytes_total", "Bytes of damaged records.",
		func(s *actors.Stats) float64 { return float64(s.LostBytes) }),
	gauge("limit_messages", "Live messages that the stream may have; +Inf without a limit, as of all limits.",
		func(s *actors.Stats) float64 { return limit(s.Limits.MaxMsgs) }),
	gauge("limit_bytes", "Accounted bytes of live messages that the stream may have.",
		func(s *actors.Stats) float64 { return limit(s.Limits.MaxBytes) }),
	gauge("limit_messages_per_subject", "Live messages that a subject may have.",
		func(s *actors.Stats) float64 { return limit(s.Limits.MaxMsgsPer) }),
	gauge("limit_age_seconds", "Age at which messages are removed.",
		func(s *actors.Stats) float64 { return limit(s.Limits.MaxAge) / float64(time.Second) }),
	gauge("limit_message_bytes", "Size that the header and payload of a message may have.",
		func(s *actors.Stats) float64 { return limit(s.Limits.MaxMsgSize) }),
	gauge("limit_in_flight_operations", "Operations that may wait for their answers.",
		func(s *actors.Stats) float64 { return limit(s.MaxInFlight) }),
	gauge("limit_in_flight_bytes", "Bytes of operations that may wait for their answers.",
		func(s *actors.Stats) float64 { return limit(s.MaxInFlightBytes) }),
}

// limit returns a limit for Prometheus: one that divides a figure to the part that is used, also when there is none.
func limit[T ~int | ~int64](most T) float64 {
	if most <= 0 {
		return math.Inf(1)
	}
	return float64(most)
}

// seconds returns a time for Prometheus; NaN when there is none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixNano()) / 1e9
}

var (
	removed = describe("removed_messages_total", "Messages removed, by the limit that did it, or on request.", "reason")
	refused = describe("refused_operations_total", "Operations that change the stream and ended with an error, by reason.", "reason")

	ackSeconds   = describe("ack_duration_seconds", "Time from the call that stores messages to its acknowledgement.")
	writeSeconds = describe("write_duration_seconds", "Time that the commit of a group took but for its sync.")
	syncSeconds  = describe("sync_duration_seconds", "Time that a sync took, of a commit or in the background.")
	groupRecords = describe("group_records", "Records in a commit group.")

	spaceFree  = describeRuntime("filesystem_free_bytes", "Bytes that the process may still use of the file system of a folder of streams.", "dir")
	spaceTotal = describeRuntime("filesystem_size_bytes", "Bytes of that file system.", "dir")
	diskUsage  = describe("disk_usage_bytes", "Bytes of the stream's files, by kind.", "kind")
)
