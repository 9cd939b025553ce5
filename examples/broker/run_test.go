package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

func shortRun(dir string) runOptions {
	return runOptions{dir: dir, duration: 200 * time.Millisecond, publishers: 8, window: 4, maxBytes: 64 << 20, stream: quakeStream}
}

func TestRunTwice(t *testing.T) {
	dir := t.TempDir()
	var lastSequence uint64
	for round, found := range []string{"found     nothing", "going on at sequence"} {
		var out bytes.Buffer
		options := shortRun(dir)
		options.maxBytes = 1 << 30 // more than any machine stores in that time
		if err := runMainJob(t.Context(), options, &out, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatalf("run %d: %v\n%s", round+1, err, out.String())
		}
		for _, want := range []string{
			found, "acknowledgement  p50", "mean group size", "replay rate", "recovered state", "subscriber 3",
			"byte for byte equal to its source",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("run %d does not say %q:\n%s", round+1, want, out.String())
			}
		}
		state := stateIn(t, dir)
		if state.LastSequence <= lastSequence || state.FirstSequence != 1 || state.Messages != state.LastSequence {
			t.Errorf("run %d left %s after sequence %d", round+1, describeState(state), lastSequence)
		}
		lastSequence = state.LastSequence
	}
}

func TestRunsDoNotFillTheDisk(t *testing.T) {
	dir := t.TempDir()
	options := shortRun(dir)
	options.maxBytes = 16 << 20
	options.duration = 30 * time.Second // the bytes end it
	for round := range 3 {
		var out bytes.Buffer
		if err := runMainJob(t.Context(), options, &out, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatalf("run %d: %v\n%s", round+1, err, out.String())
		}
		if state := stateIn(t, dir); state.Bytes > uint64(options.maxBytes) {
			t.Errorf("run %d left %s, the limit is %s", round+1, size(state.Bytes), size(options.maxBytes))
		}
	}
	if state := stateIn(t, dir); state.FirstSequence == 1 {
		t.Error("nothing made room: the test shows nothing")
	}
}

func stateIn(t *testing.T, dir string) actors.State {
	t.Helper()
	broker := startBroker(t, BrokerConfig{Dir: dir, AsStored: true})
	state, err := openTopic(t, broker, quakeStream).Store.FastState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopBroker(t, broker)
	return state
}

func TestMetricsCommandChangesNothing(t *testing.T) {
	dir := t.TempDir()
	options := shortRun(dir)
	options.maxBytes = 16 << 20
	if err := runMainJob(t.Context(), options, io.Discard, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, quakeStream, "meta.inf"))
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := command(t.Context(), []string{"metrics", "-dir", dir}, strings.NewReader(""), &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), `stream="quakes"`) || stderr.Len() > 0 {
		t.Errorf("printed %q, complained %q", stdout.String(), stderr.String())
	}
	after, err := os.ReadFile(filepath.Join(dir, quakeStream, "meta.inf"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the stream's limits were %s and are %s, %v", before, after, err)
	}
}

func TestInterruptedRunStopsCleanly(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	loaded, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	options := shortRun(dir)
	options.duration = time.Minute
	job := &mainJob{options: options, out: io.Discard, logger: slog.New(slog.DiscardHandler), week: loaded, system: testSystem()}
	job.onAck = func(acknowledgement) { cancel() }
	if err := job.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want the end of the context", err)
	}
	if state := stateIn(t, dir); state.LastSequence < uint64(len(job.ingest.acks)) {
		t.Errorf("%s are there, %d were acknowledged", describeState(state), len(job.ingest.acks))
	}
}

func TestAFolderThatVanishesEndsTheRunWithOneSentence(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be removed there")
	}
	for _, row := range []struct {
		name   string
		repeat uint64
		says   *regexp.Regexp
	}{
		{"while there is more to store than the open block takes", 0, regexp.MustCompile("publishers were told so")},
		{"unnoticed until the stream is stopped, or opened again", 1, regexp.MustCompile("was removed|has not kept the stream")},
	} {
		t.Run(row.name, func(t *testing.T) {
			options := shortRun(filepath.Join(t.TempDir(), "data"))
			options.duration, options.repeat = time.Minute, row.repeat
			loaded, err := loadWeek()
			if err != nil {
				t.Fatal(err)
			}
			job := &mainJob{options: options, out: io.Discard, logger: slog.New(slog.DiscardHandler), week: loaded, system: testSystem()}
			var once sync.Once
			job.onAck = func(acknowledgement) {
				once.Do(func() {
					if err := os.RemoveAll(options.dir); err != nil {
						t.Error(err)
					}
				})
			}
			err = job.run(t.Context())
			if err == nil || !row.says.MatchString(err.Error()) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q", err, row.says)
			}
		})
	}
}

// The comparison is the point of the run: a table of what it must not let pass.
func TestCheckerFindsPlantedDifferences(t *testing.T) {
	w, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	const base, count = 10, 20
	f := newFeed(w, base, count)
	message := func(sequence, number uint64) actors.Message {
		block, err := f.header(number).AppendBlock(nil)
		if err != nil {
			t.Fatal(err)
		}
		event := f.event(number)
		return actors.Message{Sequence: sequence, Subject: event.subject, HeaderBlock: block, Payload: bytes.Clone(event.line)}
	}
	for _, row := range []struct {
		name  string
		plant func(messages []actors.Message, acks []acknowledgement) ([]actors.Message, []acknowledgement)
		wrong string
	}{
		{"nothing", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) { return m, a }, ""},
		{"a flipped bit", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			m[3].Payload[100] ^= 1
			return m, a
		}, "differs from its source"},
		{"a cut payload", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			m[3].Payload = m[3].Payload[:10]
			return m, a
		}, "differs from its source"},
		{"another subject", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			m[3].Subject = "quakes.x"
			return m, a
		}, "subject"},
		{"a message left out", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			return append(m[:3], m[4:]...), a
		}, "was due"},
		{"a message twice", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			return append(m[:4], m[3:]...), a
		}, "was due"},
		{"the last one lost", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			return m[:len(m)-1], a
		}, "did not come"},
		{"one that nobody stored", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			return append(m, message(base+count+1, count)), a
		}, "were acknowledged"},
		{"two exchanged", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			a[2].sequence, a[3].sequence = a[3].sequence, a[2].sequence
			return m, a
		}, "another event"},
		{"no header", func(m []actors.Message, a []acknowledgement) ([]actors.Message, []acknowledgement) {
			m[3].HeaderBlock = nil
			return m, a
		}, "id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var messages []actors.Message
			var acks []acknowledgement
			for i := range uint64(count) {
				messages = append(messages, message(base+1+i, i))
				acks = append(acks, acknowledgement{sequence: base + 1 + i, number: i})
			}
			messages, acks = row.plant(messages, acks)
			c := newChecker(w, base)
			for i := range messages {
				c.check(&messages[i])
			}
			c.matches(acks, base+1)
			err := c.err()
			if row.wrong == "" && err != nil || row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong)) {
				t.Errorf("%v, want a finding that names %q", err, row.wrong)
			}
		})
	}
}

func TestLinesFromStandardInput(t *testing.T) {
	dir := t.TempDir()
	options := shortRun(dir)
	options.stdin, options.stream, options.subject = true, "logs", "logs.{{.level}}"
	input := strings.Repeat("{\"level\":\"info\",\"n\":1}\n\n  {\"level\":\"bad news\"}\n", 2000)
	for range 2 {
		var out bytes.Buffer
		if err := runLines(t.Context(), options, strings.NewReader(input), &out, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "4,000") {
			t.Errorf("the table does not tell the 4,000 lines:\n%s", out.String())
		}
	}
	topic := openTopic(t, startBroker(t, BrokerConfig{Dir: dir}), "logs")
	message, err := topic.Store.LoadMsg(t.Context(), 8000)
	if err != nil || message.Subject != "logs.bad-news" || string(message.Payload) != `{"level":"bad news"}` {
		t.Errorf("%+v, %v", message, err)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	for _, row := range []struct{ name, input, wrong string }{
		{"no JSON", "{\"level\":\"a\"}\nlevel=b\n", "line 2"},
		{"a missing field", "{\"level\":\"a\"}\n{}\n", "line 2"},
		{"too long", "{\"level\":\"a\"}\n" + strings.Repeat("x", defaultMaxMsgSize+1), "line 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			options := shortRun(t.TempDir())
			options.stdin, options.stream, options.subject = true, "logs", "logs.{{.level}}"
			err := runLines(t.Context(), options, strings.NewReader(row.input), io.Discard, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), row.wrong) || !strings.Contains(err.Error(), "1 lines before it are durable") {
				t.Errorf("%v, want it to name %s and what is durable", err, row.wrong)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	for _, row := range []struct {
		name      string
		arguments []string
		says      string
	}{
		{"nothing", nil, "usage"},
		{"unknown command", []string{"jog"}, `no command "jog"`},
		{"unknown flag", []string{"run", "-fast"}, "-fast"},
		{"an argument that is no flag", []string{"run", "fast"}, `"fast" is no flag`},
		{"all problems at once", []string{"run", "-duration", "0s", "-publishers", "0", "-subject", "x"}, "-publishers"},
		{"a stream that is a path", []string{"run", "-stdin", "-stream", "../x"}, "bad name"},
		{"messages as large as a stream", []string{"serve", "-max-bytes", "1048576", "-max-message", "1048576"}, "twice -max-message"},
		{"an address that is none", []string{"serve", "-listen", "here"}, "-listen"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := command(t.Context(), row.arguments, strings.NewReader(""), &stdout, &stderr)
			if !errors.Is(err, errUsage) || !strings.Contains(stderr.String(), row.says) {
				t.Errorf("%v, %q, want %q", err, stderr.String(), row.says)
			}
			if _, err := os.Stat("data/quakes"); err == nil {
				t.Error("a refused command left a stream behind")
			}
		})
	}
	var stdout, stderr bytes.Buffer
	if err := command(t.Context(), []string{"run", "-h"}, strings.NewReader(""), &stdout, &stderr); err != nil || !strings.Contains(stderr.String(), "-duration") {
		t.Errorf("help: %v, %q", err, stderr.String())
	}
}
