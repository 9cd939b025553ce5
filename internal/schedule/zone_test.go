package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWhenTheClocksOfAZoneChange: due is when a clock shows the time, and at no other.
func TestWhenTheClocksOfAZoneChange(t *testing.T) {
	for name, row := range map[string]struct {
		zone, pattern, after string
		want                 string
	}{
		"a time that is left out does not come": {
			"Europe/Amsterdam", "0 30 2 * * *", "2024-03-30T12:00:00Z", "2024-04-01T02:30:00+02:00 2024-04-02T02:30:00+02:00",
		},
		"a time behind it does": {
			"Europe/Amsterdam", "0 0 3 * * *", "2024-03-30T12:00:00Z", "2024-03-31T03:00:00+02:00 2024-04-01T03:00:00+02:00",
		},
		"a time that comes twice comes twice": {
			"Europe/Amsterdam", "0 30 2 * * *", "2024-10-26T12:00:00Z",
			"2024-10-27T02:30:00+02:00 2024-10-27T02:30:00+01:00 2024-10-28T02:30:00+01:00",
		},
		"every hour goes on through the hour that is left out": {
			"America/New_York", "@hourly", "2024-03-10T05:30:00Z", "2024-03-10T01:00:00-05:00 2024-03-10T03:00:00-04:00 2024-03-10T04:00:00-04:00",
		},
		"every hour goes on through the hour that comes twice": {
			"America/New_York", "@hourly", "2024-11-03T04:30:00Z", "2024-11-03T01:00:00-04:00 2024-11-03T01:00:00-05:00 2024-11-03T02:00:00-05:00",
		},
		"a change of half an hour": {
			"Australia/Lord_Howe", "0 15 2 * * *", "2024-10-05T12:00:00Z", "2024-10-07T02:15:00+11:00 2024-10-08T02:15:00+11:00",
		},
		"a day without a midnight": {
			"America/Sao_Paulo", "@daily", "2018-11-03T12:00:00Z", "2018-11-05T00:00:00-02:00 2018-11-06T00:00:00-02:00",
		},
		"the morning of a day without a midnight": {
			"America/Sao_Paulo", "0 0 1 4 11 *", "2018-11-03T12:00:00Z", "2018-11-04T01:00:00-02:00 2019-11-04T01:00:00-03:00",
		},
		"a day that a zone has left out": {
			"Pacific/Apia", "0 0 12 30 12 *", "2011-01-01T00:00:00Z", "2012-12-30T12:00:00+14:00 2013-12-30T12:00:00+14:00",
		},
		"clocks that show no whole minutes of UTC": {
			"Europe/Amsterdam", "0 0 0 1 1 *", "1899-06-01T00:00:00Z", "",
		},
		"far ahead, by the rule of the zone": {
			"Europe/Amsterdam", "0 0 12 1 1,7 *", "2200-01-01T12:00:00Z", "2200-07-01T12:00:00+02:00 2201-01-01T12:00:00+01:00",
		},
		"the last day of a leap year": {
			"America/New_York", "0 0 12 31 12 *", "2096-12-01T00:00:00Z", "2096-12-31T12:00:00-05:00 2097-12-31T12:00:00-05:00",
		},
		"no 29 February in 2100": {
			"America/New_York", "0 0 0 29 2 *", "2096-12-01T00:00:00Z", "2104-02-29T00:00:00-05:00",
		},
	} {
		s := parse(t, row.pattern, zone(t, row.zone))
		if row.want == "" {
			got, _ := s.Next(mustTime(row.after))
			local := time.Unix(0, got).In(zone(t, row.zone))
			require.Equal(t, [3]int{0, 0, 0}, [3]int{local.Hour(), local.Minute(), local.Second()}, name)
			continue
		}
		want := strings.Fields(row.want)
		require.Equal(t, want, times(t, s, row.after, len(want)), name)
	}
}

func mustTime(text string) int64 {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at.UnixNano()
}

// shows reports whether a clock that shows t shows what a pattern matches.
func (c *cron) shows(t time.Time) bool {
	return c.seconds>>t.Second()&1 != 0 && c.minutes>>t.Minute()&1 != 0 && c.hours>>t.Hour()&1 != 0 &&
		c.months>>t.Month()&1 != 0 && c.dayMatches(t.Day(), t.Weekday())
}

// TestNextIsTheFirstInstantThatMatches looks at every second of some days around the
// changes of a zone's clocks.
func TestNextIsTheFirstInstantThatMatches(t *testing.T) {
	zones := []string{"UTC", "Europe/Amsterdam", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu"}
	around := []string{"2024-03-31T01:00:00Z", "2024-10-27T01:00:00Z", "2024-03-10T07:00:00Z", "2018-11-04T03:00:00Z", "2024-10-05T15:30:00Z", "2011-12-30T10:00:00Z", "2024-02-28T00:00:00Z", "2096-12-31T12:00:00Z", "2100-03-14T07:00:00Z", "2104-10-26T01:00:00Z"}
	field := func(t *rapid.T, values ...string) string { return rapid.SampledFrom(values).Draw(t, "field") }
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		day, month := field(t, "*", "29", "31", "1", "*/2", "4-10"), field(t, "*", "2", "3", "10-12", "*/2")
		s, err := Parse(strings.Join([]string{
			field(t, "0", "*", "59", "*/7"), field(t, "0", "30", "*", "15,45", "59"), field(t, "*", "0", "1", "2", "3", "23", "0-3"),
			day, month, field(t, "*", "0", "5", "*/2"),
		}, " "), z)
		if err != nil {
			if day != "31" || month != "2" { // the only day here that no year has
				t.Fatal(err)
			}
			return
		}
		after := mustTime(rapid.SampledFrom(around).Draw(t, "around")) + rapid.Int64Range(-36e12, 36e12).Draw(t, "from")
		got, ok := s.Next(after)
		if !ok {
			t.Fatal("none")
		}
		const most = 3 * secondsOfDay
		second := floorDiv(after, 1e9) + 1
		for last := second + most; second < last && !s.cron.shows(time.Unix(second, 0).In(z)); second++ {
		}
		if at := second * 1e9; got != at && (second-floorDiv(after, 1e9) <= most || got < at) {
			t.Fatalf("%d, want %d", got, at)
		}
		if !s.cron.shows(time.Unix(0, got).In(z)) || got <= after {
			t.Fatalf("%d does not match", got)
		}
	})
}

// TestAnHourThatAZoneAlwaysLeavesOut: the way ahead is bounded whatever the zone.
func TestAnHourThatAZoneAlwaysLeavesOut(t *testing.T) {
	// Clocks go forward from 2:00 to 3:00 each 31 March, and back each 30 October, for ever.
	data := tzif("AAA-1BBB,J90/2,J303/3")
	z, err := time.LoadLocationFromTZData("test", data)
	require.NoError(t, err)
	s := parse(t, "0 30 2 31 3 *", z)
	_, ok := s.Next(mustTime("2024-01-01T00:00:00Z"))
	require.False(t, ok)
	require.Equal(t, []string{"2024-03-31T01:30:00+01:00"}, times(t, parse(t, "0 30 1 31 3 *", z), "2024-01-01T00:00:00Z", 1))
}

// tzif returns a file of a zone that has no changes but those of a rule.
func tzif(rule string) []byte {
	header := func(types, chars int) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range []int{0, 0, 0, 0, types, chars} {
			b = append(b, 0, 0, 0, byte(n))
		}
		return b
	}
	body := append([]byte{0, 0, 0x0e, 0x10, 0, 0}, "AAA\x00"...)
	data := append(header(1, 4), body...)
	data = append(append(data, header(1, 4)...), body...)
	return append(data, "\n"+rule+"\n"...)
}

func BenchmarkNext(b *testing.B) {
	z, _ := time.LoadLocation("Europe/Amsterdam")
	for name, pattern := range map[string]string{"every second": "* * * * * *", "workdays": "0 30 4 * * 1-5", "29 February": "0 0 0 29 2 *"} {
		b.Run(name, func(b *testing.B) {
			s, err := Parse(pattern, z)
			if err != nil {
				b.Fatal(err)
			}
			at := int64(1_700_000_000e9)
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
