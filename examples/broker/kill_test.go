package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// childVariable makes the test binary the process that is to be killed; it holds the data folder.
const childVariable = "MILLRACE_BROKER_TEST_CHILD"

// kills is how often the process is killed, each time after a random number of acknowledgements, killAfter
// at most. The test waits for them however slow the machine is.
const (
	kills     = 24
	killAfter = 6000
)

// ingestForParent is the child: it takes in events until it is killed, and writes a line to standard
// output for each acknowledgement as it gets it: base, sequence, number.
func ingestForParent(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	loaded, err := loadWeek()
	if err != nil {
		fail(err)
	}
	job := &mainJob{
		options: runOptions{dir: dir, duration: time.Hour, publishers: 32, window: 4, maxBytes: 8 << 30},
		out:     os.Stderr, logger: newLogger(os.Stderr, false), week: loaded,
	}
	job.system = newSystem(job.logger)
	var lock sync.Mutex
	var line []byte
	job.onAck = func(ack acknowledgement) {
		lock.Lock()
		defer lock.Unlock()
		line = strconv.AppendUint(line[:0], job.found.LastSequence, 10)
		line = strconv.AppendUint(append(line, ' '), ack.sequence, 10)
		line = strconv.AppendUint(append(line, ' '), ack.number, 10)
		if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
			fail(err) // the parent has gone
		}
	}
	fail(job.run(context.Background()))
}

// reported is what the parent holds the store to.
type reported struct {
	base, number uint64
}

func TestKilledProcessLosesNoAcknowledgedEvent(t *testing.T) {
	loaded, err := loadWeek()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged := map[uint64]reported{}
	for round := range kills {
		before := len(acknowledged)
		after := 1 + random.IntN(killAfter)
		killOnce(t, dir, after, acknowledged)
		if n := len(acknowledged) - before; n < after {
			t.Fatalf("round %d: %d acknowledgements, the child was to be killed after %d", round, n, after)
		}
		verifyAcknowledged(t, loaded, dir, acknowledged)
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
	t.Logf("%d events were acknowledged by %d processes, all of them killed", len(acknowledged), kills)
}

// killOnce runs a child and kills it when it has acknowledged so many events. It takes every line that the
// child wrote into acknowledged; a line that was cut off is an acknowledgement that nobody got.
func killOnce(t *testing.T, dir string, after int, acknowledged map[uint64]reported) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childVariable+"="+dir)
	var complaints bytes.Buffer
	child.Stderr = &complaints
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the end of what the child could write
		}
		var sequence uint64
		var one reported
		if _, err := fmt.Sscan(line, &one.base, &sequence, &one.number); err != nil {
			t.Fatalf("the child wrote %q: %v", line, err)
		}
		if _, twice := acknowledged[sequence]; twice {
			t.Fatalf("sequence %d was acknowledged twice", sequence)
		}
		acknowledged[sequence] = one
		if after--; after == 0 {
			killed = true
			_ = child.Process.Kill()
		}
	}
	err = child.Wait()
	if !killed {
		t.Fatalf("the child ended by itself: %v\n%s", err, complaints.String())
	}
}

// verifyAcknowledged reopens the stream and compares every acknowledged event with its source.
func verifyAcknowledged(t *testing.T, loaded *week, dir string, acknowledged map[uint64]reported) {
	t.Helper()
	store, err := actors.Open(t.Context(), testSystem(), streamConfig(BrokerConfig{
		Dir: dir, MaxBytes: 8 << 30, MaxMsgSize: defaultMaxMsgSize, Logger: slog.New(slog.DiscardHandler),
	}, quakeStream))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	found := 0
	next := uint64(1)
	for message, err := range store.Messages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if message.Sequence != next {
			t.Errorf("sequence %d stands where %d was due", message.Sequence, next)
		}
		next = message.Sequence + 1
		one, known := acknowledged[message.Sequence]
		if !known {
			continue // durable, and killed before the word was out
		}
		found++
		event := newFeed(loaded, one.base, 0)
		header, err := message.Header()
		if err != nil || header.Get(headerEventID) != event.id(one.number) ||
			message.Subject != event.event(one.number).subject || !bytes.Equal(message.Payload, event.event(one.number).line) {
			t.Errorf("sequence %d is not the event that was acknowledged", message.Sequence)
		}
	}
	if found != len(acknowledged) {
		t.Errorf("%d of %d acknowledged events are there", found, len(acknowledged))
	}
}
