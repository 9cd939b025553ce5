package schedule

import (
	"strings"
	"testing"
	"time"
)

// FuzzPattern: a pattern that may be anything is refused, or its times go forward and are
// what it says.
func FuzzPattern(f *testing.F) {
	z, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern string, after int64, inZone bool) {
		zone := z
		if !inZone {
			zone = nil
		}
		s, err := Parse(pattern, zone)
		if err != nil {
			if text := err.Error(); len(pattern) > 30 && strings.Contains(text, pattern) {
				t.Fatalf("the pattern is in the error: %s", text)
			}
			return
		}
		for range 3 {
			due, ok := s.Next(after)
			if !ok {
				return
			}
			if s.Repeats() && due <= after {
				t.Fatalf("%d is not after %d", due, after)
			}
			if s.cron != nil && (due%1e9 != 0 || !s.cron.shows(time.Unix(0, due).In(s.zone))) {
				t.Fatalf("%d does not match", due)
			}
			if again, ok := s.Again(after, due+1); s.Repeats() && ok && again <= due {
				t.Fatalf("%d again at %d", due, again)
			}
			s.AppendTime(nil, due)
			after = due
		}
	})
}
