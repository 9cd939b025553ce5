package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A logBuffer is a log that may be read while it is written.
type logBuffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) count(what string) int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return strings.Count(b.text.String(), what)
}

const (
	lossMessages = 200 // enough for a full block of 32,000 bytes and some more
	lossMaxBytes = 120_000
)

// storeForLoss fills a stream and stops its broker.
func storeForLoss(t *testing.T, dir string) {
	t.Helper()
	broker := startBroker(t, BrokerConfig{Dir: dir, MaxBytes: lossMaxBytes})
	topic := openTopic(t, broker, "a")
	for i := 1; i <= lossMessages; i++ {
		if _, err := topic.Publish(t.Context(), "a", nil, fmt.Appendf(nil, "message-%d;%0200d", i, 0)); err != nil {
			t.Fatal(err)
		}
	}
	stopBroker(t, broker)
}

// spoil flips a bit in the payload of a message, wherever it is.
func spoil(t *testing.T, dir string, sequence int) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "a", "msgs", "*.blk"))
	if err != nil || len(blocks) < 2 {
		t.Fatal(blocks, err)
	}
	for _, block := range blocks {
		file, err := os.OpenFile(block, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(block)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, fmt.Appendf(nil, "message-%d;", sequence))
		if at >= 0 {
			if _, err := file.WriteAt([]byte{data[at] ^ 1}, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if at >= 0 {
			return
		}
	}
	t.Fatalf("message %d is in no block", sequence)
}

// readLines reads messages over HTTP: the sequence of each line, or its range.
func (s site) readLines(query string) (lines []string) {
	s.t.Helper()
	response, content := s.do("GET", "/streams/a/messages"+query, "")
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s", response.Status, content)
	}
	for text := range strings.Lines(content) {
		if line := decodeLine(s.t, text); line.Sequence > 0 {
			lines = append(lines, fmt.Sprint(line.Sequence))
		} else {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return lines
}

// TestReadersGoOnBehindLostMessages: a line stands for what is lost, the log warns once, and the figures, the
// metric and the state have it, whether the damage is found at the start or by a reader.
func TestReadersGoOnBehindLostMessages(t *testing.T) {
	const metric = `millrace_lost_messages_total{stream="a"} `
	for _, row := range []struct {
		name    string
		running bool
		lost    int
	}{{"found at the start, in a full block", false, 40}, {"found at the start, in the last block", false, 190}, {"found by a reader", true, 40}} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			storeForLoss(t, dir)
			if !row.running {
				spoil(t, dir, row.lost)
			}
			log := &logBuffer{}
			s := startSite(t, BrokerConfig{Dir: dir, MaxBytes: lossMaxBytes, Logger: slog.New(slog.NewTextHandler(log, nil))})
			if row.running {
				if _, content := s.do("GET", "/metrics", ""); !strings.Contains(content, metric+"0\n") {
					t.Errorf("nothing is lost yet:\n%s", content)
				}
				spoil(t, dir, row.lost)
			}
			place := fmt.Sprintf(`{"lost":{"first":%d,"last":%d}}`, row.lost, row.lost)
			var want []string
			for i := 1; i <= lossMessages; i++ {
				want = append(want, fmt.Sprint(i))
			}
			want[row.lost-1] = place
			for query, want := range map[string][]string{
				"?limit=1000": want,
				fmt.Sprintf("?follow=true&limit=%d", 200): want,
				fmt.Sprintf("?from=%d&limit=1", row.lost): {place},
				fmt.Sprintf("?from=%d", row.lost+1):       want[row.lost:min(len(want), row.lost+defaultLimit)],
				fmt.Sprintf("?limit=%d", row.lost-1):      want[:row.lost-1],
			} {
				if got := s.readLines(query); strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("%s gave %v, want %v", query, got, want)
				}
			}
			if n := log.count("level=WARN"); n != 1 || log.count("messages are lost; readers go on behind them") != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, log.text.String())
			}
			// What readers have found has reached the store before this does.
			if n := s.publish("/streams/a/a", "more").Sequence; n != lossMessages+1 {
				t.Errorf("stored at %d", n)
			}
			if _, content := s.do("GET", "/metrics", ""); !strings.Contains(content, metric+"1\n") {
				t.Errorf("the metric has not moved:\n%s", content)
			}
			_, content := s.do("GET", "/streams/a", "")
			var info streamInfo
			if err := json.Unmarshal([]byte(content), &info); err != nil || info.LostMessages != 1 || info.Messages != lossMessages {
				t.Errorf("%s %v", content, err)
			}
		})
	}
}

// TestTheLastMessageLost: a reader that has an end in sight comes to it.
func TestTheLastMessageLost(t *testing.T) {
	dir := t.TempDir()
	storeForLoss(t, dir)
	spoil(t, dir, lossMessages)
	s := startSite(t, BrokerConfig{Dir: dir, MaxBytes: lossMaxBytes})
	if lines := s.readLines("?from=199"); strings.Join(lines, " ") != `199 {"lost":{"first":200,"last":200}}` {
		t.Errorf("%v", lines)
	}
}

// TestAStreamWithoutItsConfiguration is not passed over in silence, and can be opened.
func TestAStreamWithoutItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	storeForLoss(t, dir)
	if err := os.Remove(filepath.Join(dir, "a", "meta.inf")); err != nil {
		t.Fatal(err)
	}
	broker := startBroker(t, BrokerConfig{Dir: dir})
	if _, err := broker.Topic(t.Context(), "a", true); !errors.Is(err, actors.ErrMetaLost) {
		t.Fatalf("%v, want %v", err, actors.ErrMetaLost)
	}
	stopBroker(t, broker)
	broker = startBroker(t, BrokerConfig{Dir: dir, MaxBytes: lossMaxBytes, RecreateMeta: true})
	if topic := openTopic(t, broker, "a"); topic.Store.Stats().Messages != lossMessages {
		t.Errorf("%d messages", topic.Store.Stats().Messages)
	}
}

// TestThePageShowsWhatIsLost: it has a place for the count and for the lines.
func TestThePageShowsWhatIsLost(t *testing.T) {
	s := startSite(t, BrokerConfig{})
	_, html := s.do("GET", "/", "")
	_, script := s.do("GET", "/page.js", "")
	for text, part := range map[string]string{html: `id="alerts"`, script: "stream.lostMessages"} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not there", part)
		}
	}
	if !strings.Contains(script, "message.lost") {
		t.Error("a line for what is lost is taken for a message")
	}
}

// TestCheckerPassesWhatIsLost, and fails.
func TestCheckerPassesWhatIsLost(t *testing.T) {
	c := newChecker(&week{}, 10)
	c.check(&actors.Message{Sequence: 1})
	c.miss(LostRange{First: 2, Last: 4})
	c.check(&actors.Message{Sequence: 5})
	err := c.err()
	if err == nil || c.wrong != 1 || c.last != 5 || !strings.Contains(err.Error(), "sequences 2 to 4") {
		t.Error(c.wrong, c.last, err)
	}
}
