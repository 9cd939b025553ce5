package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A site is the HTTP interface on a real listener, with a real broker behind it.
type site struct {
	t       *testing.T
	url     string
	client  *http.Client
	handler *handler
	server  *httptest.Server
}

func startSite(t *testing.T, config BrokerConfig) site {
	t.Helper()
	return siteOf(t, startBroker(t, config))
}

func siteOf(t *testing.T, broker *Broker) site {
	t.Helper()
	return siteWith(t, broker, func(*http.Server) {})
}

func siteWith(t *testing.T, broker *Broker, configure func(*http.Server)) site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	h, err := newHandler(broker, slog.New(slog.DiscardHandler), server.Listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = h
	server.Config.RegisterOnShutdown(h.drain)
	configure(server.Config)
	server.Start()
	t.Cleanup(func() { h.drain(); server.Close() })
	return site{t: t, url: server.URL, client: server.Client(), handler: h, server: server}
}

func (s site) do(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Add(headers[i], headers[i+1])
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

func (s site) publish(path, body string, headers ...string) published {
	s.t.Helper()
	response, content := s.do("POST", path, body, headers...)
	if response.StatusCode != http.StatusCreated {
		s.t.Fatalf("POST %s: %s %s", path, response.Status, content)
	}
	var answer published
	if err := json.Unmarshal([]byte(content), &answer); err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s site) read(query string) []messageLine {
	s.t.Helper()
	response, content := s.do("GET", query, "")
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Fatalf("GET %s: %s %s", query, response.Status, content)
	}
	var lines []messageLine
	for line := range strings.Lines(content) {
		lines = append(lines, decodeLine(s.t, line))
	}
	return lines
}

func decodeLine(t *testing.T, text string) messageLine {
	t.Helper()
	var line messageLine
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("line %q: %v", text, err)
	}
	return line
}

func TestPublishAndReadOverHTTP(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	before := time.Now().Add(-time.Second)
	first := s.publish("/streams/orders/orders.new", `{"id":1}`, headerEventID, "one")
	if first.Sequence != 1 || first.Stream != "orders" || first.Time.Before(before) {
		t.Errorf("%+v", first)
	}
	if second := s.publish("/streams/orders/orders/new/express", "\x00\xff"); second.Sequence != 2 {
		t.Errorf("%+v", second)
	}
	if third := s.publish("/streams/orders/orders", ""); third.Sequence != 3 {
		t.Errorf("%+v", third)
	}

	lines := s.read("/streams/orders/messages")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3", len(lines))
	}
	if l := lines[0]; l.Sequence != 1 || l.Subject != "orders.new" || l.Payload == nil || *l.Payload != `{"id":1}` ||
		l.Header[headerEventID][0] != "one" || !l.Time.Equal(first.Time) {
		t.Errorf("%+v", l)
	}
	if l := lines[1]; l.Subject != "orders.new.express" || l.Payload != nil || !bytes.Equal(l.PayloadBase64, []byte("\x00\xff")) {
		t.Errorf("%+v", l)
	}
	if l := lines[2]; l.Subject != "orders" || l.Payload == nil || *l.Payload != "" {
		t.Errorf("%+v", l)
	}
	for query, want := range map[string]int{
		"?from=2": 2, "?from=3": 1, "?from=4": 0, "?limit=2": 2, "?from=2&limit=1": 1, "?follow=false": 3, "?follow=true&limit=3": 3,
	} {
		if lines := s.read("/streams/orders/messages" + query); len(lines) != want {
			t.Errorf("%s gave %d lines, want %d", query, len(lines), want)
		}
	}

	response, content := s.do("GET", "/streams/orders", "")
	var info streamInfo
	if err := json.Unmarshal([]byte(content), &info); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %v", response.Status, content, err)
	}
	if info.Name != "orders" || info.Messages != 3 || info.FirstSequence != 1 || info.LastSequence != 3 || info.Bytes == 0 ||
		info.FirstTime == nil || !info.FirstTime.Equal(first.Time) {
		t.Errorf("%+v", info)
	}
	if _, content := s.do("GET", "/streams", ""); !strings.Contains(content, `"name":"orders"`) {
		t.Errorf("the list of streams is %s", content)
	}
}

func TestLimitIsTheDefaultWithoutFollow(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	for range defaultLimit + 1 {
		s.publish("/streams/a/a", "x")
	}
	if lines := s.read("/streams/a/messages"); len(lines) != defaultLimit {
		t.Errorf("%d lines, want %d", len(lines), defaultLimit)
	}
}

func TestBadRequestsAreToldWhatIsWrong(t *testing.T) {
	s := startSite(t, BrokerConfig{MaxMsgSize: 1000, MaxStreams: 1})
	s.publish("/streams/orders/orders.new", "x")
	for _, row := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		says                     string
	}{
		{"wildcard", "POST", "/streams/orders/orders.*", "x", nil, 400, "wildcard"},
		{"empty token", "POST", "/streams/orders/orders..new", "x", nil, 400, "empty token"},
		{"no subject", "POST", "/streams/orders/", "x", nil, 400, "it is empty"},
		{"subject of another stream", "POST", "/streams/orders/bills.new", "x", nil, 400, "begin with"},
		{"control character", "POST", "/streams/orders/orders.a%0ab", "x", nil, 400, `holds '\\n'`},
		{"parent folder", "POST", "/streams/%2e%2e/x", "x", nil, 400, "bad name"},
		{"path in the stream", "POST", "/streams/a%2fb/x", "x", nil, 400, "bad name"},
		{"backslash in the stream", "POST", "/streams/a%5cb/x", "x", nil, 400, "bad name"},
		{"NUL in the stream", "POST", "/streams/a%00b/x", "x", nil, 400, "bad name"},
		{"long stream", "POST", "/streams/" + strings.Repeat("a", 100) + "/x", "x", nil, 400, "at most 64"},
		{"large body", "POST", "/streams/orders/orders.new", strings.Repeat("x", 1001), nil, 413, "1000 bytes"},
		{"large with its header", "POST", "/streams/orders/orders.new", strings.Repeat("x", 1000), []string{headerEventID, "a"}, 413, ""},
		{"an empty id", "POST", "/streams/orders/orders.new", "x", []string{headerEventID, ""}, 400, "empty"},
		{"two ids", "POST", "/streams/orders/orders.new", "x", []string{headerEventID, "a", headerEventID, "b"}, 400, "one id"},
		{"a TTL that is none", "POST", "/streams/orders/orders.new", "x", []string{headerTTL, "soon"}, 400, "Nats-TTL is not"},
		{"too short a TTL", "POST", "/streams/orders/orders.new", "x", []string{headerTTL, "500ms"}, 400, "at least a second"},
		{"two TTLs", "POST", "/streams/orders/orders.new", "x", []string{headerTTL, "1", headerTTL, "2"}, 400, "one TTL"},
		{"a stream too many", "POST", "/streams/bills/bills.new", "x", nil, 507, "as many streams"},
		{"no such stream", "GET", "/streams/bills", "", nil, 404, "no such stream"},
		{"no such stream to read", "GET", "/streams/bills/messages", "", nil, 404, "no such stream"},
		{"bad stream to read", "GET", "/streams/..%2fbills/messages", "", nil, 400, "bad name"},
		{"from zero", "GET", "/streams/orders/messages?from=0", "", nil, 400, "from="},
		{"from below zero", "GET", "/streams/orders/messages?from=-1", "", nil, 400, "from="},
		{"from nowhere", "GET", "/streams/orders/messages?from=", "", nil, 400, "from="},
		{"limit zero", "GET", "/streams/orders/messages?limit=0", "", nil, 400, "limit="},
		{"limit beyond", "GET", "/streams/orders/messages?limit=100001", "", nil, 400, "limit="},
		{"limit in words", "GET", "/streams/orders/messages?limit=ten", "", nil, 400, "limit="},
		{"follow whom", "GET", "/streams/orders/messages?follow=me", "", nil, 400, "follow="},
		{"a wildcard in the midst", "GET", "/streams/orders/messages?subject=orders.%3E.new", "", nil, 400, "> is not the last token"},
		{"a wildcard in the midst, to remove", "DELETE", "/streams/orders/messages?subject=orders.%3E.new", "", nil, 400, "> is not the last token"},
		{"misspelt", "GET", "/streams/orders/messages?form=1", "", nil, 400, "no parameter"},
		{"twice", "GET", "/streams/orders/messages?from=1&from=2", "", nil, 400, "2 times"},
		{"broken query", "GET", "/streams/orders/messages?a=%zz", "", nil, 400, "does not parse"},
		{"nowhere", "GET", "/nowhere", "", nil, 404, "nothing at"},
		{"nowhere to post", "POST", "/nowhere", "x", nil, 404, "nothing at"},
		{"cannot be deleted", "DELETE", "/streams", "", nil, 405, "these do: GET, HEAD"},
		{"cannot be put", "PUT", "/streams/orders/orders.new", "x", nil, 405, "these do: POST"},
		{"only to be read", "POST", "/metrics", "x", nil, 405, "these do: GET, HEAD"},
		{"a method nobody knows", "BREW", "/", "", nil, 405, "these do: GET, HEAD"},
		{"no subject at all", "POST", "/streams/orders", "x", nil, 400, "needs a subject"},
		{"another origin", "POST", "/streams/orders/orders.new", "x", []string{"Sec-Fetch-Site", "cross-site"}, 403, "another origin"},
		{"a foreign name for loopback", "GET", "/streams", "", []string{"Host", "evil.example"}, 421, "loopback"},
	} {
		t.Run(row.name, func(t *testing.T) {
			response, content := s.do(row.method, row.path, row.body, row.headers...)
			if response.StatusCode != row.status || !strings.Contains(content, row.says) {
				t.Errorf("%s %s, want %d and %q", response.Status, content, row.status, row.says)
			}
			var answer struct{ Error string }
			if err := json.Unmarshal([]byte(content), &answer); err != nil || answer.Error == "" {
				t.Errorf("%q is no error in JSON: %v", content, err)
			}
		})
	}
	if lines := s.read("/streams/orders/messages"); len(lines) != 1 {
		t.Errorf("%d messages are there after the refusals, want 1", len(lines))
	}
}

func TestOverloadAndShutdownHaveTheirStatus(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
	}{
		{errBusy, 429}, {actors.ErrOverloaded, 429}, {errClosing, 503}, {actors.ErrStopped, 503}, {actors.ErrFailed, 503},
		{context.DeadlineExceeded, 503}, {actors.ErrTooLarge, 413}, {actors.ErrMaxBytes, 507}, {io.ErrUnexpectedEOF, 500},
		{actors.ErrOutcomeUnknown, 504}, {fmt.Errorf("%w: %w", actors.ErrOutcomeUnknown, actors.ErrFailed), 504},
		{fmt.Errorf("%w: %w", actors.ErrOutcomeUnknown, context.DeadlineExceeded), 504},
	} {
		if got := statusOf(fmt.Errorf("wrapped: %w", row.err)); got != row.status {
			t.Errorf("%v has status %d, want %d", row.err, got, row.status)
		}
	}
	s := startSite(t, BrokerConfig{MaxPending: -1})
	response, content := s.do("POST", "/streams/a/a", "x")
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s, want 429 with Retry-After", response.Status, content)
	}
}

func TestFollowStreamsLive(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "1")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.url+"/streams/a/messages?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	for i := 1; i <= 20; i++ {
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line := decodeLine(t, text); line.Sequence != uint64(i) || *line.Payload != fmt.Sprint(i) {
			t.Fatalf("line %d is %s", i, text)
		}
		s.publish("/streams/a/a", fmt.Sprint(i+1))
	}
}

func TestShutdownDrains(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(broker, slog.New(slog.DiscardHandler), listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	arrived, answer := make(chan struct{}, 2), h.Handler // a POST is in its handler
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			arrived <- struct{}{}
		}
		answer.ServeHTTP(w, r)
	})
	served := make(chan error, 1)
	go func() { served <- serveUntil(ctx, listener, h, patience, slog.New(slog.DiscardHandler)) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	base := "http://" + listener.Addr().String()
	post := func(body io.Reader) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), "POST", base+"/streams/a/a", body)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(request)
	}
	if response, err := post(strings.NewReader("1")); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("%v, %v", response, err)
	} else {
		_ = response.Body.Close()
		<-arrived
	}
	// One client follows, another is in the middle of its body, when the end comes.
	request, err := http.NewRequestWithContext(t.Context(), "GET", base+"/streams/a/messages?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	following, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = following.Body.Close() }()
	lines := bufio.NewReader(following.Body)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("the follower got %q, %v, want a line", line, err)
	}
	body, rest := io.Pipe()
	posted := make(chan int, 1)
	go func() {
		response, err := post(body)
		if err != nil {
			t.Error(err)
			posted <- 0
			return
		}
		_ = response.Body.Close()
		posted <- response.StatusCode
	}()
	if _, err := rest.Write([]byte("half ")); err != nil { // the client sends it
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(patience):
		t.Fatal("the request did not arrive")
	}
	cancel()
	if content, err := io.ReadAll(lines); err != nil || len(content) > 0 {
		t.Errorf("the follower got %q, %v, want the end", content, err)
	}
	if _, err := rest.Write([]byte("done")); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	if status := <-posted; status != http.StatusCreated {
		t.Errorf("the request under way got %d, want 201", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	stopBroker(t, broker)
	topic := openTopic(t, startBroker(t, BrokerConfig{Dir: dir}), "a")
	if message, err := topic.Store.LoadMsg(t.Context(), 2); err != nil || string(message.Payload) != "half done" {
		t.Errorf("%q, %v", message.Payload, err)
	}
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	for path, kind := range map[string]string{"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript", "/text.js": "text/javascript", "/consumers.js": "text/javascript"} {
		response, content := s.do("GET", path, "")
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %s %s", path, response.Status, response.Header.Get("Content-Type"))
		}
		if !strings.Contains(response.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s may load from anywhere", path)
		}
		content = strings.ReplaceAll(content, "http://www.w3.org/2000/svg", "") // a name, not an address
		if found := regexp.MustCompile(`https?://|src="//|@import|innerHTML`).FindString(content); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/orders/orders.new", "x")
	response, content := s.do("GET", "/metrics", "")
	if response.StatusCode != http.StatusOK || !strings.Contains(content, `stream="orders"`) || !strings.Contains(content, "# TYPE") {
		t.Errorf("%s\n%s", response.Status, content)
	}
}
