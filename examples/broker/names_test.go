package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestStreamNamesStayInTheDataFolder(t *testing.T) {
	for _, row := range []struct {
		name, stream string
		wrong        bool
	}{
		{"plain", "quakes", false},
		{"all that is allowed", "Quakes_2018-02", false},
		{"empty", "", true},
		{"parent folder", "..", true},
		{"hidden folder", ".git", true},
		{"path", "a/b", true},
		{"windows path", `a\b`, true},
		{"absolute path", "/etc", true},
		{"drive", "c:", true},
		{"NUL byte", "a\x00", true},
		{"dot", "a.b", true},
		{"wildcard", "*", true},
		{"space", "a b", true},
		{"letter that is not ASCII", "é", true},
		{"invalid UTF-8", "a\xff", true},
		{"as long as may be", strings.Repeat("a", maxStreamName), false},
		{"too long", strings.Repeat("a", maxStreamName+1), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := validateStream(row.stream)
			if row.wrong != errors.Is(err, errBadName) {
				t.Errorf("validateStream(%q) = %v, want a refusal: %v", row.stream, err, row.wrong)
			}
		})
	}
}

func TestSubjectsAreLiteralAndOfTheirStream(t *testing.T) {
	for _, row := range []struct {
		name, subject string
		wrong         string // what the refusal must name; "" for none
	}{
		{"the stream itself", "quakes", ""},
		{"tokens", "quakes.nc.earthquake.m4", ""},
		{"not ASCII", "quakes.größe", ""},
		{"a star inside a token", "quakes.a*b", ""},
		{"empty", "", "empty"},
		{"empty token", "quakes..nc", "empty token"},
		{"dot at the end", "quakes.", "empty token"},
		{"star", "quakes.*", "wildcard"},
		{"rest", "quakes.>", "wildcard"},
		{"space", "quakes.a b", "holds ' '"},
		{"line feed", "quakes.a\nb", `holds '\n'`},
		{"NUL byte", "quakes.\x00", `holds '\x00'`},
		{"invalid UTF-8", "quakes.\xff", "UTF-8"},
		{"of another stream", "orders.new", "begin with"},
		{"only looks like the stream", "quakes2.new", "begin with"},
		{"too long", "quakes." + strings.Repeat("a", maxSubject), "at most"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := validateSubject("quakes", row.subject)
			if row.wrong == "" {
				if err != nil {
					t.Errorf("%q was refused: %v", row.subject, err)
				}
				return
			}
			if !errors.Is(err, errBadName) && !errors.Is(err, actors.ErrBadSubject) || !strings.Contains(err.Error(), row.wrong) {
				t.Errorf("validateSubject(%q) = %v, want a refusal that names %q", row.subject, err, row.wrong)
			}
		})
	}
}

func TestAnyTextBecomesOneToken(t *testing.T) {
	for text, want := range map[string]string{
		"earthquake":    "earthquake",
		"quarry blast":  "quarry-blast",
		" nc ":          "nc",
		"a.b":           "a-b",
		"*":             "-",
		">":             "-",
		"":              "none",
		"  ":            "none",
		"a\x00b\nc\xff": "a-b-c-",
	} {
		if got := subjectToken(text); got != want {
			t.Errorf("subjectToken(%q) = %q, want %q", text, got, want)
		}
		if err := validateSubject("s", "s."+subjectToken(text)); err != nil {
			t.Errorf("the token of %q is not fit for a subject: %v", text, err)
		}
	}
}
