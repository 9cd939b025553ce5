package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d8b58eba/millrace/actors"
)

const prefix = "millrace_"

func describe(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, append([]string{"stream"}, more...), nil)
}

// number is a metric that is one field of the statistics.
type number struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*actors.Stats) float64
}

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
	gauge("consumers", "Consumers that are registered.",
		func(s *actors.Stats) float64 { return float64(s.Consumers) }),
	total("stored_messages_total", "Messages stored.",
		func(s *actors.Stats) float64 { return float64(s.Stored) }),
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
}

var (
	removed = describe("removed_messages_total", "Messages removed, by the limit that did it, or on request.", "reason")
	refused = describe("refused_operations_total", "Operations that change the stream and ended with an error, by reason.", "reason")

	groupRecords  = describe("group_records", "Records in a commit group.")
	commitSeconds = describe("commit_duration_seconds", "Time to write and sync a commit group.")
)
