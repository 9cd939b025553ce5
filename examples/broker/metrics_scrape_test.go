package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A family is a metric as a scrape shows it.
type family struct {
	kind, help string
	labels     []string            // sorted, without le
	values     map[string][]string // of the labels
}

var (
	sampleLine = regexp.MustCompile(`^(millrace_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	pair       = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// scraped returns the metrics of Millrace in what a scrape shows, by name.
func scraped(t *testing.T, text string) map[string]*family {
	t.Helper()
	families := make(map[string]*family)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP millrace_"); ok {
			name, help, _ := strings.Cut(rest, " ")
			families["millrace_"+name] = &family{help: help, values: make(map[string][]string)}
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE millrace_"); ok {
			name, kind, _ := strings.Cut(rest, " ")
			families["millrace_"+name].kind = kind
			continue
		}
		match := sampleLine.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		f := families[match[1]]
		if f == nil {
			f = families[strings.SplitN(line, "{", 2)[0]] // a name that ends in one of these itself
		}
		for _, p := range pair.FindAllStringSubmatch(match[2], -1) {
			if p[1] != "le" && !slices.Contains(f.values[p[1]], p[2]) {
				f.values[p[1]] = append(f.values[p[1]], p[2])
			}
		}
		f.labels = slices.Sorted(maps.Keys(f.values))
	}
	return families
}

// busySite is a site with a stream that was written to and read, and has a consumer, so that all its metrics are there.
func busySite(t *testing.T) site {
	t.Helper()
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/orders/orders.new", "x")
	s.do("GET", "/streams/orders/messages?limit=1", "")
	s.do("PUT", "/consumers/orders/mail", "")
	return s
}

// scrape returns the metrics of a site. The first scrape may not wait for what it asks the disk.
func (s site) scrape() map[string]*family {
	s.t.Helper()
	for {
		_, content := s.do("GET", "/metrics", "")
		if families := scraped(s.t, content); families["millrace_disk_usage_bytes"] != nil {
			return families
		}
	}
}
