package main

import (
	"strings"
	"testing"
)

func TestWeekIsWhole(t *testing.T) {
	w, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	if len(w.quakes) != 1707 || w.bytes != 1217844-1707 {
		t.Errorf("%d events of %d bytes, want 1707 of %d", len(w.quakes), w.bytes, 1217844-1707)
	}
	first := w.quakes[0]
	if first.id != "uw61345682" || first.subject != "quakes.uw.earthquake.m0" || !strings.HasPrefix(string(first.line), `{"type":"Feature"`) {
		t.Errorf("the first event is %s, %s, %.30s", first.id, first.subject, first.line)
	}
	for i, one := range w.quakes {
		if err := validateSubject(quakeStream, one.subject); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
		if tokens := strings.Count(one.subject, ".") + 1; tokens != 4 {
			t.Errorf("event %d: subject %q has %d tokens, want 4", i, one.subject, tokens)
		}
	}
}

func TestQuakesAreParsedOrRefused(t *testing.T) {
	for _, row := range []struct{ name, line, subject, wrong string }{
		{"plain", `{"id":"a1","properties":{"mag":4.7,"net":"nc","type":"earthquake"}}`, "quakes.nc.earthquake.m4", ""},
		{"two words", `{"id":"a1","properties":{"mag":1,"net":"nc","type":"quarry blast"}}`, "quakes.nc.quarry-blast.m1", ""},
		{"below zero", `{"id":"a1","properties":{"mag":-0.8,"net":"nc","type":"earthquake"}}`, "quakes.nc.earthquake.micro", ""},
		{"zero", `{"id":"a1","properties":{"mag":0,"net":"nc","type":"earthquake"}}`, "quakes.nc.earthquake.m0", ""},
		{"no magnitude", `{"id":"a1","properties":{"mag":null,"net":"nc","type":"earthquake"}}`, "quakes.nc.earthquake.unknown", ""},
		{"beyond any", `{"id":"a1","properties":{"mag":1e9,"net":"nc","type":"earthquake"}}`, "quakes.nc.earthquake.m10", ""},
		{"no network", `{"id":"a1","properties":{"mag":1}}`, "quakes.none.none.m1", ""},
		{"no id", `{"properties":{"mag":1}}`, "", "id"},
		{"an id that would break ours", `{"id":"a/b"}`, "", "id"},
		{"no JSON", `quake`, "", "invalid"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := parseQuake([]byte(row.line))
			if row.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), row.wrong) {
					t.Errorf("%v, want an error that names %q", err, row.wrong)
				}
				return
			}
			if err != nil || got.subject != row.subject || got.id != "a1" || string(got.line) != row.line {
				t.Errorf("%+v, %v, want subject %s", got, err, row.subject)
			}
		})
	}
}

func TestEventIDsTellRunRoundAndSource(t *testing.T) {
	w, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(w, 42, 10_000)
	seen := map[string]bool{}
	for number := range uint64(3 * len(w.quakes)) {
		id := f.id(number)
		if seen[id] {
			t.Fatalf("id %s was given twice", id)
		}
		seen[id] = true
		index, base, parsed, err := w.parseID(id)
		if err != nil || index != int(number)%len(w.quakes) || base != 42 || parsed != number {
			t.Fatalf("parseID(%s) = %d, %d, %d, %v", id, index, base, parsed, err)
		}
	}
	for _, id := range []string{"", "uw61345682", "nobody/1/1", "uw61345682/x/1", "uw61345682/1/x", "uw61345682/1/1/1"} {
		if _, _, _, err := w.parseID(id); err == nil {
			t.Errorf("id %q was taken for one of ours", id)
		}
	}
}

func TestFeedEnds(t *testing.T) {
	w, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(w, 0, 2)
	for want := range uint64(2) {
		if number, ok := f.take(); !ok || number != want {
			t.Errorf("take() = %d, %v, want %d", number, ok, want)
		}
	}
	if _, ok := f.take(); ok {
		t.Error("the feed went over its limit")
	}
	f = newFeed(w, 0, 2)
	f.end()
	if _, ok := f.take(); ok {
		t.Error("the feed went on after its end")
	}
}
