package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhoTakesEventsIsBounded: each has messages in memory, and there are a thousand consumers to take them from.
func TestWhoTakesEventsIsBounded(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir(), MaxSessions: 2})
	s.jobs(0, "")
	s.json("PUT", "/consumers/jobs/d", "", http.StatusCreated, nil)
	for _, name := range []string{"c", "d"} {
		if _, err := s.follow("/consumers/jobs/" + name + "/events").ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	response, content := s.do("GET", "/consumers/jobs/c/events", "")
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(content, "(2)") {
		t.Errorf("one more: %s %s", response.Status, content)
	}
	s.publish("/streams/jobs/jobs.1", "x") // nobody else is in their way
	if _, err := s.follow("/streams/jobs/messages?follow=true").ReadString('\n'); err != nil {
		t.Error(err)
	}
}

// TestPullsAreBounded, those of all consumers together.
func TestPullsAreBounded(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.jobs(1, "")
	for range mostPulls {
		if !s.handler.pulling.enter() {
			t.Fatal("a place was taken")
		}
	}
	response, content := s.do("POST", "/consumers/jobs/c/pull", "")
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("one more: %s %s", response.Status, content)
	}
	s.handler.pulling.leave()
	for range 3 { // each gives its place back
		s.pull("?expires=1ms")
	}
	if got := len(s.handler.pulling); got != mostPulls-1 {
		t.Errorf("%d places are taken, want %d", got, mostPulls-1)
	}
}
