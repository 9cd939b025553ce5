package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

// removes carries out a DELETE and returns how many messages went.
func (s site) removes(path string) uint64 {
	s.t.Helper()
	response, content := s.do("DELETE", path, "")
	var answer removed
	if err := json.Unmarshal([]byte(content), &answer); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("DELETE %s: %s %s", path, response.Status, content)
	}
	return answer.Removed
}

// sequences are those of the messages that a reader gets.
func (s site) sequences(stream string) string {
	s.t.Helper()
	var found []string
	for _, line := range s.read("/streams/" + stream + "/messages") {
		found = append(found, fmt.Sprint(line.Sequence))
	}
	return strings.Join(found, " ")
}

// TestMessagesAreRemovedOverHTTP one by one, by subject, and below a sequence; readers end where the last was removed.
func TestMessagesAreRemovedOverHTTP(t *testing.T) {
	dir := t.TempDir()
	s := startSite(t, BrokerConfig{Dir: dir})
	for i := range 12 {
		s.publish(fmt.Sprintf("/streams/a/a.%d.x", i%3), "x")
	}
	for _, row := range []struct {
		path string
		want uint64
		left string
	}{
		{"messages/5", 1, "1 2 3 4 6 7 8 9 10 11 12"},
		{"messages/5", 0, "1 2 3 4 6 7 8 9 10 11 12"},
		{"messages/12", 1, "1 2 3 4 6 7 8 9 10 11"},
		{"messages?subject=a.0.x&below=5", 2, "2 3 6 7 8 9 10 11"},
		{"messages?subject=a/*/x&keep=6", 2, "6 7 8 9 10 11"},
		{"messages?subject=a.none", 0, "6 7 8 9 10 11"},
		{"messages?below=8", 2, "8 9 10 11"},
		{"messages?below=8", 0, "8 9 10 11"},
		{"messages?subject=a.1.x", 2, "9 10"},
		{"messages?subject=%3E&keep=1", 1, "10"},
		{"messages?subject=%3E", 1, ""},
		{"messages?subject=%3E", 0, ""},
	} {
		if got := s.removes("/streams/a/" + row.path); got != row.want {
			t.Errorf("%s removed %d, want %d", row.path, got, row.want)
		}
		if left := s.sequences("a"); left != row.left {
			t.Errorf("%s left %s, want %s", row.path, left, row.left)
		}
	}
	if next := s.publish("/streams/a/a", "x"); next.Sequence != 13 {
		t.Errorf("sequence %d is used again", next.Sequence)
	}
}

// TestAReaderEndsWhereTheLastMessageWasRemoved, instead of waiting for it, wherever it begins.
func TestAReaderEndsWhereTheLastMessageWasRemoved(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	for range 5 {
		s.publish("/streams/a/a", "x")
	}
	s.removes("/streams/a/messages/5")
	s.removes("/streams/a/messages/4")
	for query, want := range map[string]int{"": 3, "?from=3": 1, "?from=4": 0, "?from=5": 0} {
		if lines := s.read("/streams/a/messages" + query); len(lines) != want {
			t.Errorf("%q gave %d lines, want %d", query, len(lines), want)
		}
	}
}

// TestAStreamOfKeysAndValues keeps the last message of each subject, also when it is opened again.
func TestAStreamOfKeysAndValues(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	if _, err := broker.Create(t.Context(), "kv", 1); err != nil {
		t.Fatal(err)
	}
	stopBroker(t, broker)
	s := startSite(t, BrokerConfig{Dir: dir})
	for i := range 10 {
		s.publish(fmt.Sprintf("/streams/kv/kv.key%d", i%2), fmt.Sprint(i))
	}
	if left := s.sequences("kv"); left != "9 10" {
		t.Errorf("%s are there, want the last of each subject", left)
	}
	value := func(key string) (int, string) {
		response, content := s.do("GET", "/streams/kv/last/kv/"+key, "")
		var line messageLine
		if err := json.Unmarshal([]byte(content), &line); err != nil {
			t.Fatalf("%s: %v", content, err)
		}
		if line.Payload == nil {
			return response.StatusCode, ""
		}
		return response.StatusCode, *line.Payload
	}
	if status, got := value("key1"); status != http.StatusOK || got != "9" {
		t.Errorf("%d %q, want the last value of the key", status, got)
	}
	s.removes("/streams/kv/messages?subject=kv.key1")
	if status, _ := value("key1"); status != http.StatusNotFound {
		t.Errorf("%d, want that the key is gone", status)
	}
}

// TestStreamsAreMadeOnce: whoever makes one that is there learns whether it is what they want.
func TestStreamsAreMadeOnce(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	for _, row := range []struct {
		path   string
		status int
		says   string
	}{
		{"/streams/kv?maxMsgsPer=3", 201, `"maxMsgsPer":3`},
		{"/streams/kv?maxMsgsPer=3", 200, `"maxMsgsPer":3`},
		{"/streams/kv?maxMsgsPer=4", 409, "3 messages of each"},
		{"/streams/kv", 409, "3 messages of each"},
		{"/streams/plain", 201, `"subjects":0`},
		{"/streams/plain?maxMsgsPer=1", 409, "any number"},
		{"/streams/other?maxMsgsPer=0", 400, "from 1 on"},
		{"/streams/other?maxMsgsPer=1&maxMsgsPer=2", 400, "2 times"},
		{"/streams/other?limit=1", 400, "no parameter"},
		{"/streams/..%2fother", 400, "bad name"},
	} {
		response, content := s.do("PUT", row.path, "")
		if response.StatusCode != row.status || !strings.Contains(content, row.says) {
			t.Errorf("PUT %s: %s %s, want %d and %q", row.path, response.Status, content, row.status, row.says)
		}
	}
	if _, content := s.do("GET", "/streams/other", ""); !strings.Contains(content, "no such stream") {
		t.Errorf("a refused request made a stream: %s", content)
	}
}

// TestBadRemovalsAreToldWhatIsWrong, and remove nothing.
func TestBadRemovalsAreToldWhatIsWrong(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	s.publish("/streams/a/a", "x")
	s.publish("/streams/a/a", "x")
	for _, row := range []struct {
		path   string
		status int
		says   string
	}{
		{"/streams/a/messages", 400, "say what is to go"},
		{"/streams/a/messages?keep=1", 400, "say what is to go"},
		{"/streams/a/messages?subject=", 400, "empty"},
		{"/streams/a/messages?subject=b.x", 400, "begin with"},
		{"/streams/a/messages?subject=%3E.a", 400, "wildcard"},
		{"/streams/a/messages?subject=*.a", 400, "begin with"},
		{"/streams/a/messages?subject=a&below=x", 400, "below="},
		{"/streams/a/messages?below=4611686018427387904", 400, "below="},
		{"/streams/a/messages?subject=a&keep=0", 400, "keep="},
		{"/streams/a/messages?subject=%3E&keep=1&below=2", 400, "together"},
		{"/streams/a/messages?subjects=a", 400, "no parameter"},
		{"/streams/a/messages?subject=a&subject=b", 400, "2 times"},
		{"/streams/a/messages/x", 400, "no sequence"},
		{"/streams/a/messages/0", 400, "no sequence"},
		{"/streams/a/messages/3", 404, "above the last"},
		{"/streams/none/messages/1", 404, "no such stream"},
		{"/streams/a/last/b", 405, ""},
	} {
		response, content := s.do("DELETE", row.path, "")
		if response.StatusCode != row.status || !strings.Contains(content, row.says) {
			t.Errorf("DELETE %s: %s %s, want %d and %q", row.path, response.Status, content, row.status, row.says)
		}
	}
	if response, _ := s.do("DELETE", "/streams/a/messages/1", "", "Sec-Fetch-Site", "cross-site"); response.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another origin may remove: %s", response.Status)
	}
	for path, status := range map[string]int{"/streams/a/last/b": 400, "/streams/a/last/a.x": 404, "/streams/none/last/none": 404} {
		if response, content := s.do("GET", path, ""); response.StatusCode != status {
			t.Errorf("GET %s: %s %s, want %d", path, response.Status, content, status)
		}
	}
	if left := s.sequences("a"); left != "1 2" {
		t.Errorf("%s are left", left)
	}
}

// TestRemovalsAreBounded like messages that are under way.
func TestRemovalsAreBounded(t *testing.T) {
	broker := startBroker(t, BrokerConfig{MaxPending: -1})
	topic := openTopic(t, broker, "a")
	if _, err := topic.Remove(t.Context(), removal{sequence: 1}); statusOf(err) != http.StatusTooManyRequests {
		t.Errorf("%v, want that too much is under way", err)
	}
}

// TestAMessageGoesByItsTTL, which its publisher has set.
func TestAMessageGoesByItsTTL(t *testing.T) {
	broker := startBroker(t, BrokerConfig{})
	s := siteOf(t, broker)
	topic, err := broker.Topic(t.Context(), "a", true)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan uint64, 1)
	if _, err := topic.Store.Notices(t.Context(), func(list []actors.Notice) {
		for _, n := range list {
			if n.Reason == actors.NoticeTTL {
				gone <- n.Sequence
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, ttl := range []string{"1", "1h", "never"} {
		if response, content := s.do("POST", "/streams/a/a", "x", headerTTL, ttl, headerEventID, "id "+ttl); response.StatusCode != 201 {
			t.Fatalf("%s %s", response.Status, content)
		}
	}
	if _, content := s.do("GET", "/streams/a/messages?from=2&limit=1", ""); !strings.Contains(content, `"Nats-TTL":["1h"]`) ||
		!strings.Contains(content, `"Nats-Msg-Id":["id 1h"]`) {
		t.Errorf("%s, want the headers of the request", content)
	}
	if sequence := <-gone; sequence != 1 {
		t.Errorf("message %d has gone, want the first", sequence)
	}
	if left := s.sequences("a"); left != "2 3" {
		t.Errorf("%s are left", left)
	}
}
