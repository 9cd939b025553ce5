package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

var (
	errFullDisk   = fmt.Errorf("writing: %w", syscall.ENOSPC)
	errOutOfFiles = fmt.Errorf("opening: %w", syscall.EMFILE)
)

// A fullDisk is a file system whose writes fail while it is full.
func fullDisk(full *atomic.Bool) blockio.FS {
	fsys := blocktest.NewFaultFS(blockio.OS)
	fsys.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch op.Kind {
		case blocktest.OpWrite, blocktest.OpCreate, blocktest.OpTruncate, blocktest.OpSync:
			if full.Load() {
				return blocktest.Fault{Err: blocktest.ErrNoSpace}
			}
		}
		return blocktest.Fault{}
	})
	return fsys
}

// forUs is what no answer over HTTP may have: it is for whoever reads the log.
var forUs = regexp.MustCompile(`/|\[\d+,|\.\.\)|engine:|actors:|blockio|injected`)

// TestAFullDisk is 507 in one sentence, with a line in the log for the first of many; a stream that cannot be made leaves
// no folder; when there is room again it goes on, and the list says all of that.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	var full atomic.Bool
	log := &logBuffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	broker := startBroker(t, BrokerConfig{Dir: dir, fs: fullDisk(&full), Logger: logger})
	s := siteOf(t, broker)
	s.handler.logger = logger
	s.publish("/streams/a/a", "x")
	s.publish("/streams/c/c", "x")
	full.Store(true)
	response, content := s.do("POST", "/streams/a/a", "x")
	if response.StatusCode != http.StatusGatewayTimeout || !strings.Contains(content, "the disk became full meanwhile") {
		t.Errorf("%s %s, want that it is not known", response.Status, content)
	}
	refusals := 0
	for range 20 {
		response, content = s.do("POST", "/streams/a/a", "x")
		if response.StatusCode == http.StatusInsufficientStorage && strings.Contains(content, "the disk is full, and nothing was changed") {
			refusals++
		}
		if forUs.MatchString(content) {
			t.Errorf("%s is for us", content)
		}
	}
	if refusals < 10 {
		t.Errorf("%d of 20 requests were told that the disk is full; the last: %s %s", refusals, response.Status, content)
	}
	if n := log.count("requests fail"); n > 3 {
		t.Errorf("%d lines for 21 requests:\n%s", n, log.text.String())
	}
	if info := s.list().Streams[0]; !strings.Contains(info.Full, "the disk ") {
		t.Errorf("%+v", info)
	}
	response, content = s.do("PUT", "/streams/b", "")
	if response.StatusCode != http.StatusInsufficientStorage || forUs.MatchString(content) {
		t.Errorf("%s %s", response.Status, content)
	}
	if entries, err := streamFolders(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v are there", entries, err)
	}
	if response, content = s.do("DELETE", "/streams/c", ""); response.StatusCode != http.StatusOK {
		t.Errorf("a stream cannot be deleted to make room: %s %s", response.Status, content)
	}
	full.Store(false)
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for { // the store has to notice
		if response, content = s.do("POST", "/streams/a/a", "x"); response.StatusCode == http.StatusCreated {
			break
		}
		if limited.Err() != nil {
			t.Fatal(content)
		}
	}
	if info := s.list().Streams[0]; info.Full != "" || info.Failed {
		t.Errorf("%+v", info)
	}
}

// TestNoErrorIsForUs: whatever goes wrong has a sentence without paths, places and packages.
func TestNoErrorIsForUs(t *testing.T) {
	for _, one := range meanings {
		err := fmt.Errorf("reading /secret/a/msgs/1.blk [17..40): %w", one.is)
		if _, words := explain(err); one.words != "" && forUs.MatchString(words) {
			t.Errorf("%v: %s", one.is, words)
		}
		if status, words := explain(one.is); status != one.status || words == "" {
			t.Errorf("%v: %d %s", one.is, status, words)
		}
	}
	for _, err := range []error{fmt.Errorf("%w: %w", actors.ErrFailed, errFullDisk), errOutOfFiles, os.ErrPermission, fmt.Errorf("%w: %w", actors.ErrOutcomeUnknown, errFullDisk)} {
		if _, words := explain(err); forUs.MatchString(words) {
			t.Errorf("%v: %s", err, words)
		}
	}
}
