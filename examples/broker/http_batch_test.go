package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func (s site) batch(path, body string) (status int, answer publishedBatch, content string) {
	s.t.Helper()
	response, content := s.do("POST", path, body, "Content-Type", batchType+"; charset=utf-8")
	if response.StatusCode == http.StatusCreated {
		if err := json.Unmarshal([]byte(content), &answer); err != nil {
			s.t.Fatal(content)
		}
	}
	return response.StatusCode, answer, content
}

// TestABatchIsStoredAsOne, with its headers and payloads.
func TestABatchIsStoredAsOne(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	status, answer, content := s.batch("/streams/a", `{"subject":"a.1","payload":"text","header":{"Nats-Msg-Id":["one"],"Colour":["red","blue"]}}

{"subject":"a.2","payloadBase64":"AP8="}
{"subject":"a.3","header":{"Nats-TTL":["1h"],"Nats-Expected-Last-Sequence":["3"],"Nats-Expected-Last-Subject-Sequence":["0"]}}`)
	if status != http.StatusCreated || answer.First != 2 || answer.Last != 4 || answer.Count != 3 || answer.Stream != "a" || answer.Time.IsZero() {
		t.Fatalf("%d %s", status, content)
	}
	lines := s.read("/streams/a/messages?from=2")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	if l := lines[0]; l.Subject != "a.1" || *l.Payload != "text" || l.Header["Nats-Msg-Id"][0] != "one" || fmt.Sprint(l.Header["Colour"]) != "[red blue]" {
		t.Errorf("%+v", l)
	}
	if l := lines[1]; l.Subject != "a.2" || string(l.PayloadBase64) != "\x00\xff" {
		t.Errorf("%+v", l)
	}
	if l := lines[2]; l.Subject != "a.3" || *l.Payload != "" || l.Header["Nats-TTL"][0] != "1h" || len(l.Header) != 1 {
		t.Errorf("%+v", l)
	}
}

// TestTextOfABatchStaysAsItIs, escapes and the replacement character itself included.
func TestTextOfABatchStaysAsItIs(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	for text, want := range map[string]string{`\ud83d\ude00`: "\U0001f600", `\uFFFD`: "\ufffd", "\ufffd": "\ufffd", `a\n\u0000`: "a\n\x00"} {
		_, answer, content := s.batch("/streams/a", `{"subject":"a","payload":"`+text+`"}`)
		if answer.First == 0 {
			t.Fatalf("%s: %s", text, content)
		}
		if got := s.read(fmt.Sprintf("/streams/a/messages?from=%d", answer.First))[0]; *got.Payload != want {
			t.Errorf("%s is %q, want %q", text, *got.Payload, want)
		}
	}
}

// TestABadLineRefusesAllOfABatch, and is named.
func TestABadLineRefusesAllOfABatch(t *testing.T) {
	s := startSite(t, BrokerConfig{MaxMsgSize: 1000, MaxBytes: 1 << 20})
	s.publish("/streams/a/a", "x")
	const good = `{"subject":"a"}` + "\n"
	for _, row := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"nothing", "", 400, "no message"},
		{"empty lines", "\n\n", 400, "no message"},
		{"no JSON", good + "hello", 400, "line 2: it is no message"},
		{"no object", good + "7", 400, "line 2: it is no message"},
		{"two objects", good + `{"subject":"a"} {"subject":"a"}`, 400, "line 2: it is no message: there is more"},
		{"a field that nobody knows", good + "\n" + `{"subject":"a","ttl":1}`, 400, `line 3: it is no message: unknown field \"ttl\"`},
		{"both payloads", `{"subject":"a","payload":"","payloadBase64":""}` + "\n" + good, 400, "line 1: it is no message: it has both"},
		{"not base64", good + `{"subject":"a","payloadBase64":"?"}`, 400, "line 2"},
		{"not UTF-8", good + "{\"subject\":\"a\",\"payload\":\"\xff\"}", 400, "line 2: it is no message: it is not UTF-8"},
		{"half a character", good + `{"subject":"a","payload":"\ud800"}`, 400, "line 2: it is no message: an escape"},
		{"half a character in a header", good + `{"subject":"a","header":{"a":["\udc00"]}}`, 400, "line 2: it is no message: an escape"},
		{"no subject", good + "{}", 400, "line 2: invalid subject: it is empty"},
		{"another stream's subject", good + `{"subject":"b"}`, 400, "line 2: bad name"},
		{"a header that cannot be", good + `{"subject":"a","header":{"a b":["c"]}}`, 400, "line 2: invalid header"},
		{"a header that is not done", good + `{"subject":"a","header":{"Nats-Rollup":["all"]}}`, 400, "line 2: bad header: Nats-Rollup"},
		{"two ids, in upper and lower case", good + `{"subject":"a","header":{"nats-msg-id":["1"],"Nats-Msg-Id":["2"]}}`, 400, "line 2: bad header: nats-msg-id is there twice"},
		{"two expectations, in upper and lower case", good + `{"subject":"a","header":{"nats-expected-last-subject-sequence":["9"],"Nats-Expected-Last-Subject-Sequence":["1"]}}`, 400, "line 2: bad header"},
		{"an array", good + `[]`, 400, "line 2: it is no message: it is an array, and has to be an object"},
		{"a subject that is a number", good + `{"subject":7}`, 400, `line 2: it is no message: \"subject\" cannot be a number`},
		{"a TTL that is none", good + `{"subject":"a","header":{"Nats-TTL":["soon"]}}`, 400, "line 2: invalid header"},
		{"a TTL that is none, behind an empty line", good + "\n" + `{"subject":"a","header":{"Nats-TTL":["soon"]}}`, 400, "line 3: invalid header: bad value: Nats-TTL is not"},
		{"too large", good + `{"subject":"a","payload":"` + strings.Repeat("x", 1001) + `"}`, 413, "line 2: it is too large"},
		{"too many", strings.Repeat(good, mostBatchLines+1), 413, fmt.Sprintf("line %d", mostBatchLines+1)},
		{"too large altogether", strings.Repeat(strings.Repeat(" ", 1000)+good, 600), 413, "larger than the 524288 bytes"},
		{"what does not hold", good + `{"subject":"a","header":{"Nats-Expected-Last-Sequence":["7"]}}`, 412, "does not hold"},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, _, content := s.batch("/streams/a", row.body)
			if status != row.status || !strings.Contains(content, row.says) {
				t.Errorf("%d %s, want %d and %q", status, content, row.status, row.says)
			}
		})
	}
	response, content := s.do("POST", "/streams/a", good, "Content-Type", batchType, headerTTL, "5")
	if response.StatusCode != http.StatusBadRequest || !strings.Contains(content, "line of the batch") {
		t.Errorf("a header for all: %s %s", response.Status, content)
	}
	if left := s.sequences("a"); left != "1" {
		t.Errorf("%s are there after the refusals", left)
	}
}

// TestBatchesAreBounded: their bodies are in memory.
func TestBatchesAreBounded(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	for range mostBatches {
		s.handler.batches <- struct{}{}
	}
	response, content := s.do("POST", "/streams/a", `{"subject":"a"}`, "Content-Type", batchType)
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", response.Status, content)
	}
	<-s.handler.batches
	if status, _, content := s.batch("/streams/a", `{"subject":"a"}`); status != http.StatusCreated {
		t.Errorf("%d %s", status, content)
	}
}

// TestExpectationsAreHonoured, or refused by name: none is dropped.
func TestExpectationsAreHonoured(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a.x", "1")
	s.publish("/streams/a/a.y", "2")
	for _, row := range []struct {
		headers []string
		status  int
		says    string
	}{
		{[]string{headerExpectLast, "1"}, 412, "expected last sequence 1, and it is 2"},
		{[]string{headerExpectSubject, "2"}, 412, "and it is 1"},
		{[]string{headerExpectSubject, "1", headerExpectSubjectOther, "a.y"}, 412, "and it is 2"},
		{[]string{headerExpectSubject, "1", headerExpectSubjectOther, "a.*"}, 412, "and it is 2"},
		{[]string{headerExpectStream, "b"}, 412, "another stream"},
		{[]string{"Nats-Expected-Last-Msg-Id", "one"}, 400, "Nats-Expected-Last-Msg-Id is nothing that this broker does"},
		{[]string{"Nats-Rollup", "all"}, 400, "Nats-Rollup is nothing"},
		{[]string{"nats-schedule", "@every 1s"}, 400, "Nats-Schedule is nothing"},
		{[]string{headerExpectLast, "x"}, 400, "whole number"},
		{[]string{headerExpectLast, "1", headerExpectLast, "2"}, 400, "2 Nats-Expected-Last-Sequence"},
		{[]string{headerExpectSubjectOther, "a.y"}, 400, "beside it"},
		{[]string{headerExpectSubject, "1", headerExpectSubjectOther, "b.y"}, 400, "begin with"},
		{[]string{headerExpectLast, "2", headerExpectSubject, "1", headerExpectStream, "a", headerEventID, "id"}, 201, `"sequence":3`},
		{[]string{headerExpectSubject, "3", headerExpectSubjectOther, "a.*"}, 201, `"sequence":4`},
		{[]string{headerExpectSubject, "0", headerExpectSubjectOther, "a.none"}, 201, `"sequence":5`},
	} {
		response, content := s.do("POST", "/streams/a/a.x", "x", row.headers...)
		if response.StatusCode != row.status || !strings.Contains(content, row.says) {
			t.Errorf("%v: %s %s, want %d and %q", row.headers, response.Status, content, row.status, row.says)
		}
	}
	if line := s.read("/streams/a/messages?from=3&limit=1")[0]; len(line.Header) != 1 {
		t.Errorf("%v is stored; expectations are none of the message's", line.Header)
	}
}
