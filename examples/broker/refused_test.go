package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// makeStreams makes streams of one message each, and stops the broker.
func makeStreams(t *testing.T, dir string, names ...string) {
	t.Helper()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	for _, name := range names {
		if _, err := openTopic(t, broker, name).Publish(t.Context(), name, nil, []byte("kept")); err != nil {
			t.Fatal(err)
		}
	}
	stopBroker(t, broker)
}

// hideMeta takes the configuration of a stream away, and returns how to put it back.
func hideMeta(t *testing.T, dir, name string) (mend func()) {
	t.Helper()
	meta := filepath.Join(dir, name, "meta.inf")
	content, err := os.ReadFile(meta)
	if err == nil {
		err = os.Remove(meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(meta, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (s site) list() (list streamList) {
	s.t.Helper()
	response, content := s.do("GET", "/streams", "")
	if err := json.Unmarshal([]byte(content), &list); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %v", response.Status, content, err)
	}
	return list
}

// TestOneBadStreamKeepsNobodyFromTheOthers: it is shown with what to do, requests to it get a sentence, the log has one
// line about it, and when it is mended a write opens it.
func TestOneBadStreamKeepsNobodyFromTheOthers(t *testing.T) {
	dir := t.TempDir()
	makeStreams(t, dir, "bad", "good")
	mend := hideMeta(t, dir, "bad")
	log := &logBuffer{}
	broker := startBroker(t, BrokerConfig{Dir: dir, RetryOpen: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
	s := siteOf(t, broker)
	if lines := s.read("/streams/good/messages"); len(lines) != 1 {
		t.Errorf("%d messages of the other stream, want 1", len(lines))
	}
	list := s.list()
	if len(list.Streams) != 2 || list.Streams[0].Refused == nil || list.Streams[1].Refused != nil {
		t.Fatalf("%+v", list)
	}
	if r := list.Streams[0].Refused; !strings.Contains(r.Reason, "meta.inf") || !strings.Contains(r.Todo, "-recreate-meta") || r.Since.IsZero() {
		t.Errorf("%+v", r)
	}
	for range 3 {
		for _, row := range [][3]string{
			{"GET", "/streams/bad", ""}, {"GET", "/streams/bad/messages", ""}, {"GET", "/streams/bad/last/bad", ""}, {"POST", "/streams/bad/bad", "x"},
			{"PUT", "/streams/bad", ""}, {"DELETE", "/streams/bad/messages/1", ""},
		} {
			response, content := s.do(row[0], row[1], row[2])
			if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" ||
				!strings.Contains(content, "cannot be opened: its configuration, meta.inf, is lost") || strings.Contains(content, dir) {
				t.Errorf("%v: %s %s", row, response.Status, content)
			}
		}
	}
	if n := log.count("a stream cannot be opened"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, log.text.String())
	}
	if _, content := s.do("GET", "/metrics", ""); !strings.Contains(content, `millrace_stream_refused{stream="bad"} 1`) ||
		!strings.Contains(content, `millrace_stream_refused{stream="good"} 0`) {
		t.Error("the metrics do not tell the two apart")
	}
	mend()
	if response, _ := s.do("GET", "/streams/bad", ""); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a read opened it: %s", response.Status)
	}
	if ack := s.publish("/streams/bad/bad", "x"); ack.Sequence != 2 {
		t.Errorf("%+v", ack)
	}
	if list := s.list(); list.Streams[0].Refused != nil || list.Streams[0].Messages != 2 {
		t.Errorf("%+v", list.Streams[0])
	}
}

// TestABadStreamIsNotTriedAtEveryWrite: opening reads the disk.
func TestABadStreamIsNotTriedAtEveryWrite(t *testing.T) {
	dir := t.TempDir()
	makeStreams(t, dir, "bad")
	mend := hideMeta(t, dir, "bad")
	broker := startBroker(t, BrokerConfig{Dir: dir, RetryOpen: time.Hour})
	mend()
	var refused *refusal
	if _, err := broker.Topic(t.Context(), "bad", true); !errors.As(err, &refused) || !errors.Is(err, actors.ErrMetaLost) {
		t.Errorf("%v, want what it was at the start", err)
	}
}

// TestAStreamThatEndedByItself is shown, and opened by the next write; the broker's end tells of it.
func TestAStreamThatEndedByItself(t *testing.T) {
	broker, err := StartBroker(t.Context(), testSystem(), BrokerConfig{Dir: t.TempDir(), RetryOpen: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, broker)
	topic := openTopic(t, broker, "a")
	s.publish("/streams/a/a", "x")
	if err := topic.Store.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-topic.gone
	for { // the broker hears of it next
		response, content := s.do("GET", "/streams/a", "")
		if response.StatusCode == http.StatusServiceUnavailable && strings.Contains(content, "ended by itself") {
			break
		}
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", response.Status, content)
		}
	}
	if ack := s.publish("/streams/a/a", "x"); ack.Sequence != 2 {
		t.Errorf("%+v", ack)
	}
	if err := broker.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Error(err)
	}
}

// TestEveryReasonHasWordsOfItsOwn, without the way to the data folder.
func TestEveryReasonHasWordsOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, cause := range []error{
		errEnded, actors.ErrKey, actors.ErrMetaLost, actors.ErrLocked, actors.ErrUnsupported, actors.ErrConfig, errFullDisk, errOutOfFiles,
		&os.PathError{Op: "open", Path: "/secret/place/meta.inf", Err: os.ErrPermission}, actors.ErrCorrupt, errors.New("anything else"),
	} {
		r := &refusal{stream: "a", cause: cause}
		if seen[r.sentence()] || strings.Contains(r.sentence(), "secret") || !strings.HasSuffix(r.sentence(), ".") {
			t.Errorf("%v: %s", cause, r.sentence())
		}
		seen[r.sentence()] = true
	}
}
