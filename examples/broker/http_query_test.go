package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lineSequences are those of the messages of a query.
func (s site) lineSequences(query string) string {
	s.t.Helper()
	var found []string
	for _, line := range s.read(query) {
		found = append(found, fmt.Sprint(line.Sequence))
	}
	return strings.Join(found, " ")
}

// TestReadsSelect by subject, from the end, and by time, in every combination that makes sense.
func TestReadsSelect(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	var times []string
	for i := range 9 {
		ack := s.publish(fmt.Sprintf("/streams/a/a.%d.x", i%3), "x")
		times = append(times, ack.Time.Format(time.RFC3339Nano))
	}
	s.removes("/streams/a/messages/9")
	for query, want := range map[string]string{
		"?subject=a.1.x":                      "2 5 8",
		"?subject=a/*/x&limit=2":              "1 2",
		"?subject=%3E":                        "1 2 3 4 5 6 7 8",
		"?subject=a.none":                     "",
		"?subject=a.1.x&from=3":               "5 8",
		"?last=1":                             "8",
		"?last=3":                             "6 7 8",
		"?last=3&limit=2":                     "6 7",
		"?last=100":                           "1 2 3 4 5 6 7 8",
		"?last=2&subject=a.2.x":               "3 6",
		"?last=2&subject=a.none":              "",
		"?since=" + times[4]:                  "5 6 7 8",
		"?since=1h":                           "1 2 3 4 5 6 7 8",
		"?since=9999-01-01T00:00:00Z":         "",
		"?since=0001-01-01T00:00:00Z&limit=1": "1",
		"?since=1500-01-01T00:00:00Z&limit=1": "1",
		"?since=2100-01-01T00:00:00Z":         "",
		"?since=1h&subject=a.0.x":             "1 4 7",
		"?follow=true&last=2&limit=2":         "7 8",
		"?follow=true&subject=a.0.x&limit=3":  "1 4 7",
	} {
		if got := s.lineSequences("/streams/a/messages" + query); got != want {
			t.Errorf("%s gave %q, want %q", query, got, want)
		}
	}
	for query, says := range map[string]string{
		"?last=0": "last=", "?last=x": "last=", "?last=100001": "last=", "?since=": "since=", "?since=yesterday": "since=", "?since=-1h": "since=",
		"?last=1&from=1": "only one", "?last=1&since=1h": "only one", "?from=1&since=1h": "only one", "?subject=": "empty", "?subject=b": "begin with",
	} {
		response, content := s.do("GET", "/streams/a/messages"+query, "")
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(content, says) {
			t.Errorf("%s: %s %s, want 400 and %q", query, response.Status, content, says)
		}
	}
}

// TestAHeadOfAFollowerEnds: it has no body to follow.
func TestAHeadOfAFollowerEnds(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	conn := s.dial()
	if _, err := conn.Write([]byte("HEAD /streams/a/messages?follow=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") || !strings.Contains(string(answer), headerLast+": 1") {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestAFollowerOfASubject gets what is published to it, and nothing else.
func TestAFollowerOfASubject(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a.x", "1")
	lines := s.follow("/streams/a/messages?follow=true&subject=a.x&last=1")
	for i := 1; i < 30; i += 3 {
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line := decodeLine(t, text); line.Sequence != uint64(i) || line.Subject != "a.x" {
			t.Fatalf("%s, want sequence %d", text, i)
		}
		s.publish("/streams/a/a.y", "")
		s.publish("/streams/a/a.z", "")
		s.publish("/streams/a/a.x", "")
	}
}

// TestReadersLearnWhereTheStreamIs: from headers, and beyond its end from a line, also those who wait there.
func TestReadersLearnWhereTheStreamIs(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	for range 3 {
		s.publish("/streams/a/a", "x")
	}
	s.removes("/streams/a/messages/1")
	for query, want := range map[string]string{
		"?from=3": "3", "?from=4": "", "?from=5": `{"end":{"first":2,"last":3}}`, "?from=18446744073709551615": `{"end":{"first":2,"last":3}}`,
	} {
		response, content := s.do("GET", "/streams/a/messages"+query, "")
		if response.Header.Get(headerFirst) != "2" || response.Header.Get(headerLast) != "3" {
			t.Errorf("%s: %v", query, response.Header)
		}
		var line messageLine
		if got := strings.TrimSpace(content); got != want && (json.Unmarshal([]byte(got), &line) != nil || fmt.Sprint(line.Sequence) != want) {
			t.Errorf("%s: %s, want %s", query, content, want)
		}
	}
	lines := s.follow("/streams/a/messages?follow=true&from=5")
	if line, err := lines.ReadString('\n'); err != nil || line != "{\"end\":{\"first\":2,\"last\":3}}\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for range 3 {
		s.publish("/streams/a/a", "x")
	}
	for _, want := range []uint64{5, 6} {
		if line, err := lines.ReadString('\n'); err != nil || decodeLine(t, line).Sequence != want {
			t.Errorf("%q, %v, want %d", line, err, want)
		}
	}
}
