package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	selector = regexp.MustCompile(`\b(millrace_\w+|process_\w+|go_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	valued   = map[string]bool{"kind": true, "reason": true, "way": true}
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
)

// checkQuery returns what is wrong with a query of PromQL: metrics that nobody shows, labels that they do not have, and
// values of kind, reason and way that there are none of.
func checkQuery(query string, families map[string]*family) (wrong []string) {
	report := func(format string, values ...any) { wrong = append(wrong, fmt.Sprintf(format, values...)+" in "+query) }
	known := []string{"le"}
	seen := 0
	for _, match := range selector.FindAllStringSubmatch(query, -1) {
		name, f := match[1], families[match[1]]
		seen++
		if f == nil {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if base, ok := strings.CutSuffix(name, part); ok && families[base] != nil && families[base].kind == "histogram" {
					f = families[base]
				}
			}
		} else if f.kind == "histogram" {
			report("a histogram without _bucket, _sum or _count: %s", name)
		}
		if f == nil {
			report("there is no %s", name)
			continue
		}
		known = append(known, f.labels...)
		for _, m := range matcher.FindAllStringSubmatch(match[2], -1) {
			label, operator, value := m[1], m[2], m[3]
			switch {
			case !slices.Contains(f.labels, label) && label != "instance" && label != "job":
				report("%s has no label %s", name, label)
			case valued[label] && (operator == "=" || operator == "!="):
				if !slices.Contains(f.values[label], value) {
					report("%s has no %s %q", name, label, value)
				}
			case valued[label] && !strings.Contains(value, "$"):
				for alternative := range strings.SplitSeq(value, "|") {
					if !slices.Contains(f.values[label], alternative) {
						report("%s has no %s %q", name, label, alternative)
					}
				}
			}
		}
	}
	if seen == 0 {
		report("no metric")
	}
	for _, match := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(match[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !slices.Contains(known, label) {
				report("no metric has the label %s", label)
			}
		}
	}
	return wrong
}

func TestQueriesAreChecked(t *testing.T) {
	families := map[string]*family{
		"millrace_bytes":                {kind: "gauge", labels: []string{"stream"}},
		"millrace_disk_usage_bytes":     {kind: "gauge", labels: []string{"kind", "stream"}, values: map[string][]string{"kind": {"blocks", "other"}}},
		"millrace_ack_duration_seconds": {kind: "histogram", labels: []string{"stream"}},
	}
	for query, right := range map[string]bool{
		`millrace_bytes`: true,
		`sum by (stream) (rate(millrace_ack_duration_seconds_bucket{stream=~"$stream"}[$__rate_interval]))`: true,
		`histogram_quantile(0.9, sum by (le, stream) (rate(millrace_ack_duration_seconds_bucket[5m])))`:     true,
		`millrace_disk_usage_bytes{kind="blocks", stream="a"} > ignoring (kind) millrace_bytes`:             true,
		`millrace_disk_usage_bytes{kind=~"blocks|other"}`:                                                   true,
		`millrace_byte`:                                      false,
		`millrace_bytes_bucket`:                              false,
		`millrace_ack_duration_seconds`:                      false,
		`millrace_bytes{dir="a"}`:                            false,
		`millrace_disk_usage_bytes{kind="block"}`:            false,
		`millrace_disk_usage_bytes{kind=~"blocks|others"}`:   false,
		`sum by (route) (millrace_bytes)`:                    false,
		`up`:                                                 false,
		`millrace_bytes / ignoring (route) millrace_bytes`:   false,
		`millrace_bytes and on (stream, dir) millrace_bytes`: false,
	} {
		if wrong := checkQuery(query, families); right != (len(wrong) == 0) {
			t.Errorf("%s: %q", query, wrong)
		}
	}
}
