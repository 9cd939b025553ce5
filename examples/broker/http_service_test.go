package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestManyFollowersKeepNobodyFromALook: the two count apart, and who is one too many is told to come again.
func TestManyFollowersKeepNobodyFromALook(t *testing.T) {
	s := startSite(t, BrokerConfig{MaxSessions: 3})
	s.publish("/streams/a/a", "x")
	for range 3 {
		if _, err := s.follow("/streams/a/messages?follow=true").ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if response, content := s.do("GET", "/streams/a/messages?follow=true", ""); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("one follower more: %s %s", response.Status, content)
	}
	if lines := s.read("/streams/a/messages?limit=1"); len(lines) != 1 {
		t.Errorf("%d lines, want 1", len(lines))
	}
	if _, content := s.do("GET", "/metrics", ""); !strings.Contains(content, "millrace_http_followers 3\n") {
		t.Error("the metrics do not count the followers")
	}
}

// TestAPlaceIsFreeAgain when a follower has gone.
func TestAPlaceIsFreeAgain(t *testing.T) {
	topic := openTopic(t, startBroker(t, BrokerConfig{MaxSessions: 1, MaxReads: 1}), "a")
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, what := range []reading{{follow: true}, {}} {
		for range 5 {
			subscription, err := topic.Subscribe(t.Context(), what)
			for errors.Is(err, errTooManySessions) || errors.Is(err, errTooManyReads) { // the topic hears of the end of the last one next
				if limited.Err() != nil {
					t.Fatal("no place came free")
				}
				subscription, err = topic.Subscribe(t.Context(), what)
			}
			if err != nil {
				t.Fatal(err)
			}
			subscription.Close()
			for range subscription.Batches {
			}
		}
	}
}

// TestReadsAreBounded like all else.
func TestReadsAreBounded(t *testing.T) {
	s := startSite(t, BrokerConfig{MaxReads: -1})
	s.publish("/streams/a/a", "x")
	if response, content := s.do("GET", "/streams/a/messages?limit=1", ""); response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", response.Status, content)
	}
	if _, err := s.follow("/streams/a/messages?follow=true").ReadString('\n'); err != nil {
		t.Error(err)
	}
}

// TestASlowBodyIsToldSo, in words.
func TestASlowBodyIsToldSo(t *testing.T) {
	s := siteWith(t, startBroker(t, BrokerConfig{}), func(server *http.Server) {
		server.ReadHeaderTimeout = time.Minute // a client whose header is late is told nothing
		server.ReadTimeout = 50 * time.Millisecond
	})
	for _, path := range []string{"/streams/a/a", "/streams/a"} {
		conn := s.dial()
		if _, err := conn.Write([]byte("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\nhalf")); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "did not come in time, and nothing was stored") {
			t.Errorf("%q, %v", answer, err)
		}
	}
}

// TestABodyThatBreaksOffStoresNothing.
func TestABodyThatBreaksOffStoresNothing(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	conn := s.dial()
	if _, err := conn.Write([]byte("POST /streams/a/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.Contains(string(answer), "broke off") {
		t.Errorf("%q, %v", answer, err)
	}
	if lines := s.read("/streams/a/messages"); len(lines) != 1 {
		t.Errorf("%d messages", len(lines))
	}
}

func (s site) dial() net.Conn {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestAStalledClientIsNoFailure: it is cut off when its time is over, and what was acknowledged is stored.
func TestAStalledClientIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := make(lineWaiter, 100)
	log := &logBuffer{}
	served := make(chan error, 1)
	go func() {
		served <- runServer(ctx, serveOptions{
			dir: dir, listen: "127.0.0.1:0", maxBytes: defaultMaxBytes, maxMessage: defaultMaxMsgSize, maxStreams: 8,
			followers: 8, create: true, drain: 50 * time.Millisecond,
		}, lines, slog.New(slog.NewTextHandler(log, nil)))
	}()
	_, rest, _ := strings.Cut(<-lines, "http://")
	address, _, _ := strings.Cut(rest, " ")
	response, err := http.Post("http://"+address+"/streams/a/a", "text/plain", strings.NewReader("kept"))
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// The server asks for the body when its handler reads it: the request is under way then.
	if _, err := conn.Write([]byte("POST /streams/a/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("%v, want a clean end", err)
	}
	if log.count("they are cut off") != 1 {
		t.Errorf("the log does not say it:\n%s", log.text.String())
	}
	topic := openTopic(t, startBroker(t, BrokerConfig{Dir: dir}), "a")
	if message, err := topic.Store.LoadMsg(t.Context(), 1); err != nil || string(message.Payload) != "kept" {
		t.Errorf("%q, %v", message.Payload, err)
	}
}

// A lineWaiter hands over what is written to it.
type lineWaiter chan string

func (l lineWaiter) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

// TestPathsAreTakenAsTheyAre: none is redirected to another.
func TestPathsAreTakenAsTheyAre(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("a redirection") }
	for path, says := range map[string]string{
		"/streams//a": "two slashes", "//streams": "two slashes", "/streams/a//a": "two slashes", "/streams/a/../b/b": "leads to another place",
		"/streams/./a": "leads to another place", "/..": "leads to another place", "/streams/a/a/..": "leads to another place",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			response, content := s.raw(method, path)
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(content, says) {
				t.Errorf("%s %s: %s %s, want 400 and %q", method, path, response.Status, content, says)
			}
		}
	}
}

// raw sends a path as it is.
func (s site) raw(method, path string) (*http.Response, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.URL.Opaque = path
	if strings.HasPrefix(path, "//") {
		request.URL.Opaque, request.URL.Path = "", path
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(content)
}

// TestAllowNamesWhatGoes, and nothing else.
func TestAllowNamesWhatGoes(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	for _, row := range [][3]string{
		{"PUT", "/streams", "GET, HEAD"},
		{"PATCH", "/streams/a", "GET, HEAD, POST, PUT, DELETE"},
		{"PUT", "/streams/a/messages", "GET, HEAD, DELETE"},
		{"GET", "/streams/a/messages/1", "DELETE"},
		{"DELETE", "/streams/a/last/a.b", "GET, HEAD"},
		{"PUT", "/streams/a/a.b", "POST"},
		{"PUT", "/streams/a/a/b", "POST"},
		{"POST", "/healthz", "GET, HEAD"},
		{"DELETE", "/", "GET, HEAD"},
	} {
		response, content := s.do(row[0], row[1], "")
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != row[2] {
			t.Errorf("%s %s: %s, Allow %q, want %q; %s", row[0], row[1], response.Status, response.Header.Get("Allow"), row[2], content)
		}
	}
	if response, _ := s.do("OPTIONS", "/streams", ""); response.StatusCode != http.StatusNoContent || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("OPTIONS: %s %q", response.Status, response.Header.Get("Allow"))
	}
}

// TestUnknownParametersAreRefused wherever they are.
func TestUnknownParametersAreRefused(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	for _, row := range [][2]string{
		{"POST", "/streams/a/a?ttl=5"}, {"POST", "/streams/a?ttl=5"}, {"GET", "/streams?a=1"}, {"GET", "/streams/a?a=1"}, {"GET", "/streams/a/last/a?a=1"},
		{"DELETE", "/streams/a?a=1"}, {"DELETE", "/streams/a/messages/1?a=1"}, {"PUT", "/streams/b?a=1"}, {"GET", "/streams/a/messages?a=1"}, {"DELETE", "/streams/a/messages?a=1"},
	} {
		response, content := s.do(row[0], row[1], "x")
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(content, "there is no parameter") {
			t.Errorf("%s %s: %s %s", row[0], row[1], response.Status, content)
		}
	}
	if left := s.sequences("a"); left != "1" {
		t.Errorf("%s are there", left)
	}
}

// TestHealthAndReadiness: a bad stream is named, and does not take the broker away from the others.
func TestHealthAndReadiness(t *testing.T) {
	dir := t.TempDir()
	makeStreams(t, dir, "bad", "good")
	hideMeta(t, dir, "bad")
	s := startSite(t, BrokerConfig{Dir: dir})
	if response, content := s.do("GET", "/healthz", ""); response.StatusCode != http.StatusOK {
		t.Errorf("%s %s", response.Status, content)
	}
	ready := func() (int, readiness) {
		response, content := s.do("GET", "/readyz", "")
		var answer readiness
		if err := json.Unmarshal([]byte(content), &answer); err != nil {
			t.Fatal(content)
		}
		return response.StatusCode, answer
	}
	if status, answer := ready(); status != http.StatusOK || !answer.Ready || answer.Streams != 2 || len(answer.Refused) != 1 || answer.Refused[0] != "bad" {
		t.Errorf("%d %+v", status, answer)
	}
	s.handler.drain()
	if status, answer := ready(); status != http.StatusServiceUnavailable || answer.Ready {
		t.Errorf("while it shuts down: %d %+v", status, answer)
	}
}

// TestRequestsAreMeasured by route, however many paths there are.
func TestRequestsAreMeasured(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	s.publish("/streams/a/a.b", "x")
	s.do("GET", "/streams/none", "")
	s.do("GET", "/nowhere/1", "")
	s.do("GET", "/nowhere/2", "")
	s.do("GET", "/streams/a/messages?follow=true&limit=1", "")
	_, content := s.do("GET", "/metrics", "")
	for _, line := range []string{
		`millrace_http_requests_total{route="POST /streams/{stream}/{subject...}",status="2xx"} 2`,
		`millrace_http_requests_total{route="GET /streams/{stream}",status="4xx"} 1`,
		`millrace_http_requests_total{route="none",status="4xx"} 2`,
		`millrace_http_request_duration_seconds_count{route="POST /streams/{stream}/{subject...}"} 2`,
		`millrace_http_requests_total{route="GET /streams/{stream}/messages",status="2xx"} 1`,
		`millrace_build_info{`,
	} {
		if !strings.Contains(content, line) {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(content, `duration_seconds_count{route="GET /streams/{stream}/messages"}`) {
		t.Error("the time of those who follow is counted")
	}
}

// TestManyFailuresAreFewLines: the first, then a count in a while.
func TestManyFailuresAreFewLines(t *testing.T) {
	var quiet quietLog
	now := time.Now()
	if more, due := quiet.due("a", now); !due || more != 0 {
		t.Error("the first is not told")
	}
	for range 5 {
		if _, due := quiet.due("a", now.Add(quietFor-1)); due {
			t.Error("every one is told")
		}
	}
	if _, due := quiet.due("b", now); !due {
		t.Error("another kind is not told")
	}
	if more, due := quiet.due("a", now.Add(quietFor)); !due || more != 5 {
		t.Errorf("%d, %v, want 5 that were not told", more, due)
	}
}

// TestAClientThatLeavesIsNoFailure of ours, and no line in the log.
func TestAClientThatLeavesIsNoFailure(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	var lines strings.Builder
	s.handler.logger = slog.New(slog.NewTextHandler(&lines, nil))
	ctx, leave := context.WithCancel(t.Context())
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/consumers/jobs/c/pull", nil)
	leave()
	s.handler.fail(httptest.NewRecorder(), request, ctx.Err())
	if lines.Len() > 0 {
		t.Errorf("the log has %s", lines.String())
	}
	s.handler.fail(httptest.NewRecorder(), request.WithContext(t.Context()), ctx.Err())
	if !strings.Contains(lines.String(), "requests fail") {
		t.Errorf("the log has %q", lines.String())
	}
}

// TestVersion names the program.
func TestVersion(t *testing.T) {
	for _, argument := range []string{"version", "--version", "-version"} {
		var out, complaints strings.Builder
		if err := command(t.Context(), []string{argument}, nil, &out, &complaints); err != nil || !strings.HasPrefix(out.String(), "Millrace broker ") || !strings.Contains(out.String(), "go1.") {
			t.Errorf("%s: %q, %v", argument, out.String(), err)
		}
	}
	for _, argument := range []string{"help", "--help", "-h"} {
		var out, complaints strings.Builder
		if err := command(t.Context(), []string{argument}, nil, &out, &complaints); err != nil || !strings.Contains(out.String(), "--help") || complaints.Len() > 0 {
			t.Errorf("%s: %q, %v", argument, out.String(), err)
		}
	}
}
