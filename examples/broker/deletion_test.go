package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// follow begins to follow a stream, and returns its lines when the first is there.
func (s site) follow(query string) *bufio.Reader {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		content, _ := io.ReadAll(response.Body)
		s.t.Fatalf("GET %s: %s %s", query, response.Status, content)
	}
	return bufio.NewReader(response.Body)
}

// TestAStreamIsDeleted: it is gone, for its readers as well, leaves no folder, does not come back, and can be made anew.
func TestAStreamIsDeleted(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	s := siteOf(t, broker)
	s.publish("/streams/a/a", "1")
	s.publish("/streams/b/b", "1")
	lines := s.follow("/streams/a/messages?follow=true")
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	response, content := s.do("DELETE", "/streams/a", "")
	if response.StatusCode != http.StatusOK || content != "{\"deleted\":\"a\"}\n" {
		t.Fatalf("%s %s", response.Status, content)
	}
	if end, err := io.ReadAll(lines); err != nil || string(end) != "{\"deleted\":\"a\"}\n" {
		t.Errorf("who follows got %q, %v", end, err)
	}
	for _, path := range []string{"/streams/a", "/streams/a/messages", "/streams/a/last/a"} {
		if response, content := s.do("GET", path, ""); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s %s", path, response.Status, content)
		}
	}
	if entries, err := streamFolders(dir); err != nil || len(entries) != 1 || entries[0].Name() != "b" {
		t.Errorf("%v, %v are left", entries, err)
	}
	if response, content := s.do("DELETE", "/streams/a", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("deleted twice: %s %s", response.Status, content)
	}
	for path, status := range map[string]int{"/streams/b?now=1": 400, "/streams/..%2fb": 400, "/streams/none": 404} {
		if response, content := s.do("DELETE", path, ""); response.StatusCode != status {
			t.Errorf("%s: %s %s", path, response.Status, content)
		}
	}
	if ack := s.publish("/streams/a/a", "new"); ack.Sequence != 1 {
		t.Errorf("%+v, want a new stream", ack)
	}
	s.do("DELETE", "/streams/a", "")
	stopBroker(t, broker)
	if list := siteOf(t, startBroker(t, BrokerConfig{Dir: dir})).list(); len(list.Streams) != 1 {
		t.Errorf("%+v", list)
	}
}

// TestADeletionAnswersEverybody who has a message under way, and the stream ends with all that it had acknowledged.
func TestADeletionAnswersEverybody(t *testing.T) {
	broker := startBroker(t, BrokerConfig{})
	topic := openTopic(t, broker, "a")
	started := make(chan struct{}, 32)
	var publishing sync.WaitGroup
	for range 32 {
		publishing.Go(func() {
			for n := 0; ; n++ {
				if _, err := topic.Publish(t.Context(), "a", nil, nil); err != nil {
					if !errors.Is(err, errDeleted) {
						t.Errorf("%v, want %v", err, errDeleted)
					}
					return
				}
				if n == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 32 {
		<-started
	}
	if err := broker.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	publishing.Wait()
	if _, err := broker.Topic(t.Context(), "a", false); !errors.Is(err, errNoStream) {
		t.Error(err)
	}
	if _, err := topic.Subscribe(t.Context(), reading{}); !errors.Is(err, errDeleted) {
		t.Errorf("reading: %v", err)
	}
	if _, err := topic.Remove(t.Context(), removal{sequence: 1}); !errors.Is(err, errDeleted) {
		t.Errorf("removing: %v", err)
	}
}

// TestAStreamIsMadeAnewWhenItsDeletionIsDone: a PUT that meets the deletion of the stream waits for it, and consumers that
// are made then are none of those that went with it.
func TestAStreamIsMadeAnewWhenItsDeletionIsDone(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir})
	s := siteOf(t, broker)
	s.jobs(1, "")
	if err := broker.consumers.enter(t.Context()); err != nil { // holds up what a deletion does for consumers
		t.Fatal(err)
	}
	goOn := sync.OnceFunc(broker.consumers.leave)
	defer goOn()
	deleted := make(chan error, 1)
	go func() { deleted <- broker.Delete(t.Context(), "jobs") }()
	for gone := false; !gone; {
		_, err := os.Lstat(filepath.Join(dir, "jobs"))
		gone = errors.Is(err, fs.ErrNotExist)
	}
	for range 1000 {
		if _, err := broker.Topic(t.Context(), "jobs", false); !errors.Is(err, errDeleted) {
			t.Fatalf("%v, and its consumers are there yet", err)
		}
	}
	made := make(chan int, 1)
	go func() {
		response, _ := s.do("PUT", "/streams/jobs", "")
		made <- response.StatusCode
	}()
	for range 100 {
		if _, err := broker.Topic(t.Context(), "jobs", false); !errors.Is(err, errDeleted) {
			t.Fatal(err)
		}
	}
	goOn()
	if err := <-deleted; err != nil {
		t.Error(err)
	}
	if status := <-made; status != http.StatusCreated {
		t.Errorf("PUT: %d", status)
	}
	s.json("GET", "/consumers/jobs/c", "", http.StatusNotFound, nil)
	s.json("PUT", "/consumers/jobs/c", "", http.StatusCreated, nil)
	if _, err := os.Lstat(filepath.Join(dir, "jobs", "meta.inf")); err != nil {
		t.Error(err)
	}
}

// TestWhoMakesAStreamAnewIsAnsweredAtTheEnd of the broker, too.
func TestWhoMakesAStreamAnewIsAnsweredAtTheEnd(t *testing.T) {
	broker := startBroker(t, BrokerConfig{})
	openTopic(t, broker, "a")
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() { _ = broker.Delete(t.Context(), "a") })
		asking.Go(func() {
			if _, err := broker.Create(t.Context(), "a", 0); err != nil && !errors.Is(err, errClosing) {
				t.Error(err)
			}
		})
	}
	stopBroker(t, broker)
	asking.Wait()
}

// TestManyDeleteAtOnce, also a stream that cannot be opened, while others ask for it.
func TestManyDeleteAtOnce(t *testing.T) {
	dir := t.TempDir()
	makeStreams(t, dir, "bad", "good")
	hideMeta(t, dir, "bad")
	broker := startBroker(t, BrokerConfig{Dir: dir})
	var asking sync.WaitGroup
	for _, name := range []string{"bad", "good"} {
		for range 8 {
			asking.Go(func() {
				if err := broker.Delete(t.Context(), name); err != nil && !errors.Is(err, errNoStream) {
					t.Error(err)
				}
			})
			asking.Go(func() {
				var refused *refusal
				if _, err := broker.Topic(t.Context(), name, false); err != nil && !errors.Is(err, errNoStream) && !errors.Is(err, errDeleted) && !errors.As(err, &refused) {
					t.Error(err)
				}
			})
		}
	}
	asking.Wait()
	if entries, err := streamFolders(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v are left", entries, err)
	}
}

// TestADeletionThatACrashCutShort is finished by the next start, wherever it was cut.
func TestADeletionThatACrashCutShort(t *testing.T) {
	dir := t.TempDir()
	makeStreams(t, dir, "a", "b")
	// It has another name, and perhaps some of its files are gone.
	if err := errors.Join(blockio.HideStream(blockio.OS, filepath.Join(dir, "a")), os.Remove(filepath.Join(dir, hiddenPrefix+"a", "meta.inf"))); err != nil {
		t.Fatal(err)
	}
	broker := startBroker(t, BrokerConfig{Dir: dir})
	if _, err := broker.Topic(t.Context(), "a", false); !errors.Is(err, errNoStream) {
		t.Errorf("%v, want that it is gone", err)
	}
	if entries, err := streamFolders(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v are left", entries, err)
	}
}

// TestAStreamIsMadeByPutAlone, unless the broker was told otherwise: a misspelt name would make one for ever.
func TestAStreamIsMadeByPutAlone(t *testing.T) {
	dir := t.TempDir()
	broker := startBroker(t, BrokerConfig{Dir: dir, CreateOnWrite: true}) // which turns it off here
	s := siteOf(t, broker)
	for range 2 {
		response, content := s.do("POST", "/streams/a/a", "x")
		if response.StatusCode != http.StatusNotFound || !strings.Contains(content, "PUT /streams/a makes it") {
			t.Errorf("%s %s", response.Status, content)
		}
		response, content = s.do("POST", "/streams/a", `{"subject":"a"}`, "Content-Type", batchType)
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s", response.Status, content)
		}
	}
	if entries, err := streamFolders(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
	if response, content := s.do("PUT", "/streams/a", ""); response.StatusCode != http.StatusCreated {
		t.Errorf("%s %s", response.Status, content)
	}
	if ack := s.publish("/streams/a/a", "x"); ack.Sequence != 1 {
		t.Errorf("%+v", ack)
	}
	var info streamInfo
	if _, content := s.do("GET", "/streams/a", ""); json.Unmarshal([]byte(content), &info) != nil || info.Messages != 1 {
		t.Error(content)
	}
	if _, err := broker.Topic(t.Context(), "b", false); !errors.Is(err, errNoStream) || errors.Is(err, actors.ErrStopped) {
		t.Error(err)
	}
}

// TestAllFollowersHearOfADeletion: their sessions end with the topic, and that must not overtake why.
func TestAllFollowersHearOfADeletion(t *testing.T) {
	broker := startBroker(t, BrokerConfig{Dir: t.TempDir()})
	for round := range 8 {
		name := fmt.Sprint("s", round)
		topic, err := broker.Topic(t.Context(), name, true)
		if err != nil {
			t.Fatal(err)
		}
		var subscriptions []*Subscription
		for range 50 {
			subscription, err := topic.Subscribe(t.Context(), reading{follow: true})
			if err != nil {
				t.Fatal(err)
			}
			subscriptions = append(subscriptions, subscription)
		}
		if err := broker.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		for _, subscription := range subscriptions {
			for range subscription.Batches {
			}
			if err := subscription.Err(); !errors.Is(err, errDeleted) {
				t.Fatalf("a follower was told %v", err)
			}
		}
	}
}

// streamFolders lists what is in the data folder of a running broker, but for its own lock.
func streamFolders(dir string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	return slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == folderLockName }), err
}
