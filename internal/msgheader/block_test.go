package msgheader

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// block puts lines together.
func block(lines ...string) []byte {
	return []byte("NATS/1.0\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n")
}

func TestFind(t *testing.T) {
	for name, row := range map[string]struct {
		block string
		want  string // "-" when there is none
	}{
		"the only one":              {"NATS/1.0\r\nA: b\r\n\r\n", "b"},
		"behind others":             {"NATS/1.0\r\nAA: x\r\nB:y\r\nA: b\r\n\r\n", "b"},
		"the first counts":          {"NATS/1.0\r\nA: b\r\nA: c\r\n\r\n", "b"},
		"no space":                  {"NATS/1.0\r\nA:b\r\n\r\n", "b"},
		"spaces behind it stay":     {"NATS/1.0\r\nA:   b \r\n\r\n", "b "},
		"a tab is no space":         {"NATS/1.0\r\nA:\tb\r\n\r\n", "\tb"},
		"a status":                  {"NATS/1.0 503\r\nA: b\r\n\r\n", "b"},
		"colons in the value":       {"NATS/1.0\r\nA: b:c\r\n\r\n", "b:c"},
		"empty":                     {"NATS/1.0\r\nA:\r\n\r\n", ""},
		"no end":                    {"NATS/1.0\r\nA: b", "b"},
		"a line feed alone is text": {"NATS/1.0\r\nA: b\nA: c\r\n\r\n", "b\nA: c"},
		"a return alone, too":       {"NATS/1.0\r\nA: b\rc\r\n\r\n", "b\rc"},
		"within a value":            {"NATS/1.0\r\nB: A: b\r\n\r\n", "-"},
		"a part of a name":          {"NATS/1.0\r\nAB: b\r\nBA: b\r\n\r\n", "-"},
		"the other case":            {"NATS/1.0\r\na: b\r\n\r\n", "-"},
		"a space before the colon":  {"NATS/1.0\r\nA : b\r\n\r\n", "-"},
		"a space before the name":   {"NATS/1.0\r\n A: b\r\n\r\n", "-"},
		"behind the end":            {"NATS/1.0\r\n\r\nA: b\r\n\r\n", "-"},
		"in the first line":         {"A: b\r\n\r\n", "-"},
		"line feeds alone":          {"NATS/1.0\nA: b\n\n", "-"},
		"no colon":                  {"NATS/1.0\r\nA\r\n\r\n", "-"},
		"no name":                   {"NATS/1.0\r\n: b\r\n\r\n", "-"},
		"nothing":                   {"", "-"},
	} {
		value, ok := Find([]byte(row.block), "A")
		if row.want == "-" {
			require.False(t, ok, name)
			continue
		}
		require.True(t, ok, name)
		require.Equal(t, row.want, string(value), name)
	}
}

func TestFieldsAreEveryHeaderThatIsKnown(t *testing.T) {
	names := map[string]func(*Fields) []byte{
		TTL: func(f *Fields) []byte { return f.TTL }, MarkerReason: func(f *Fields) []byte { return f.MarkerReason },
		KVOperation: func(f *Fields) []byte { return f.KVOperation }, Rollup: func(f *Fields) []byte { return f.Rollup },
		MsgID: func(f *Fields) []byte { return f.MsgID }, ExpectedStream: func(f *Fields) []byte { return f.ExpectedStream },
		ExpectedLastMsgID:                  func(f *Fields) []byte { return f.ExpectedLastMsgID },
		ExpectedLastSequence:               func(f *Fields) []byte { return f.ExpectedLastSequence },
		ExpectedLastSubjectSequence:        func(f *Fields) []byte { return f.ExpectedLastSubjectSequence },
		ExpectedLastSubjectSequenceSubject: func(f *Fields) []byte { return f.ExpectedLastSubjectSequenceSubject },
		Schedule:                           func(f *Fields) []byte { return f.Schedule }, ScheduleTimeZone: func(f *Fields) []byte { return f.ScheduleTimeZone },
		ScheduleTarget: func(f *Fields) []byte { return f.ScheduleTarget }, ScheduleSource: func(f *Fields) []byte { return f.ScheduleSource },
		ScheduleTTL: func(f *Fields) []byte { return f.ScheduleTTL }, ScheduleRollup: func(f *Fields) []byte { return f.ScheduleRollup },
		ScheduleNext: func(f *Fields) []byte { return f.ScheduleNext }, Scheduler: func(f *Fields) []byte { return f.Scheduler },
	}
	require.Len(t, names, 18)
	var lines []string
	for name := range names {
		lines = append(lines, name+": of "+name, name+": second", "X-"+name+": other")
	}
	var f Fields
	f.Read(block(lines...))
	for name, get := range names {
		require.Equal(t, "of "+name, string(get(&f)), name)
	}
	f.Read(block("Nats-TTL:", "Nats-Other: x", "K: y"))
	require.Equal(t, Fields{TTL: []byte{}}, f, "what is left out is nil, what is empty is not, and nothing stays")
}

func TestMarkers(t *testing.T) {
	for line, want := range map[string]bool{
		"Nats-Marker-Reason: MaxAge": true, "Nats-Marker-Reason: x": true, "Nats-Marker-Reason:": false,
		"KV-Operation: PURGE": true, "KV-Operation: DEL": false, "KV-Operation: purge": false, "A: b": false,
	} {
		var f Fields
		f.Read(block(line))
		require.Equal(t, want, f.IsMarker(), line)
	}
}

func TestLookingIntoABlockDoesNotAllocate(t *testing.T) {
	b := block("A: b", "Nats-Msg-Id: 7", "Nats-TTL: 60", "Nats-Rollup: sub")
	var f Fields
	require.Zero(t, testing.AllocsPerRun(100, func() {
		f.Read(b)
		if _, ok := Find(b, Rollup); !ok {
			t.Error("not found")
		}
		if ttl, err := ParseTTL(f.TTL); ttl != 60 || err != nil {
			t.Error(ttl, err)
		}
	}))
}

func BenchmarkFields(b *testing.B) {
	data := block("Content-Type: application/json", "Nats-Msg-Id: 0123456789abcdef", "Nats-TTL: 1h")
	var f Fields
	for b.Loop() {
		f.Read(data)
	}
}
