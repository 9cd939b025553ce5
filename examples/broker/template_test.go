package main

import (
	"strings"
	"testing"
)

func TestSubjectTemplates(t *testing.T) {
	const line = `{"id":"x 1","n":7.0,"big":12345678901234567890,"yes":true,"none":null,"properties":{"net":"nc","type":"quarry blast","evil":"a.*.>"},"list":[1]}`
	for _, row := range []struct {
		name, text, want string
		badTemplate      string // what the refusal of the template must name
		badLine          string // what the refusal of the line must name
	}{
		{name: "no field", text: "quakes", want: "quakes"},
		{name: "fields", text: "quakes.{{.properties.net}}.{{.properties.type}}", want: "quakes.nc.quarry-blast"},
		{name: "numbers stay as written", text: "quakes.{{.n}}.{{.big}}", want: "quakes.7-0.12345678901234567890"},
		{name: "other values", text: "quakes.{{.yes}}.{{.none}}", want: "quakes.true.none"},
		{name: "data cannot add tokens", text: "quakes.{{.properties.evil}}", want: "quakes.a----"},
		{name: "a condition", text: "quakes.{{if .yes}}{{.id}}{{else}}no{{end}}", want: "quakes.x-1"},
		{name: "with", text: "quakes.{{with .properties}}{{.net}}{{end}}", want: "quakes.nc"},
		{name: "a variable", text: "quakes.{{$a := .properties.evil}}{{$a}}", want: "quakes.a----"},
		{name: "a pipeline", text: `quakes.{{printf "%s.b" .properties.net}}`, want: "quakes.nc-b"},
		{name: "a defined template", text: `quakes.{{template "t" .}}{{define "t"}}{{.properties.evil}}{{end}}`, want: "quakes.a----"},
		{name: "no template", text: "quakes.{{", badTemplate: "parse"},
		{name: "unknown function", text: "quakes.{{shell .id}}", badTemplate: "shell"},
		{name: "empty", text: "", badTemplate: "empty"},
		{name: "of another stream", text: "orders.{{.id}}", badTemplate: "begin with"},
		{name: "the stream from the data", text: "{{.id}}", badTemplate: "begin with"},
		{name: "a wildcard", text: "quakes.*", badTemplate: "wildcard"},
		{name: "a missing field", text: "quakes.{{.nobody}}", badLine: "nobody"},
		{name: "an object", text: "quakes.{{.properties}}", badLine: "token"},
		{name: "a list", text: "quakes.{{.list}}", badLine: "token"},
		{name: "empty token by condition", text: "quakes.{{if .none}}x{{end}}", badLine: "empty token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			subjects, err := parseSubjectTemplate("quakes", row.text)
			if row.badTemplate != "" {
				if err == nil || !strings.Contains(err.Error(), row.badTemplate) {
					t.Errorf("%v, want a refusal that names %q", err, row.badTemplate)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := subjects.subject([]byte(line))
			if row.badLine != "" {
				if err == nil || !strings.Contains(err.Error(), row.badLine) {
					t.Errorf("%q, %v, want a refusal that names %q", got, err, row.badLine)
				}
				return
			}
			if err != nil || got != row.want {
				t.Errorf("%q, %v, want %q", got, err, row.want)
			}
		})
	}
	subjects, err := parseSubjectTemplate("quakes", "quakes")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"", "[]", "7", "{", "quake"} {
		if got, err := subjects.subject([]byte(line)); err == nil {
			t.Errorf("line %q got subject %q, want a refusal", line, got)
		}
	}
}
