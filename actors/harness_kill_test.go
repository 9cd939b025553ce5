package actors

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	killRounds  = 24
	killWriters = 6
	// The variables that make the test binary a child.
	killDirVariable   = "MILLRACE_KILL_DIR"
	killRoundVariable = "MILLRACE_KILL_ROUND"
)

// TestKilledProcessLosesNothingAcknowledged kills a process that stores, again and
// again and at any moment, its start among them. All that it had reported to be
// acknowledged, in this and in earlier rounds, is there byte for byte.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	for _, level := range []SyncLevel{SyncAlways, SyncInterval} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			killAgainAndAgain(t, level)
		})
	}
}

// killConfig describes the stream that child and parent open.
func killConfig(dir string, level SyncLevel) Config {
	return Config{Dir: dir, Name: "KILL", Sync: level, BlockSize: 256 << 10, Runtime: NewRuntime(RuntimeConfig{})}
}

func killAgainAndAgain(t *testing.T, level SyncLevel) {
	dir := t.TempDir()
	acked := make(map[uint64]string) // id by sequence
	rng := randomOf(*crashSeed, int64(level))
	for round := range killRounds {
		before := len(acked)
		if err := killOnce(dir, level, round, rng, acked); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := verifyKilled(killConfig(dir, level), acked); err != nil {
			t.Fatalf("round %d, after %d acknowledgements: %v", round, len(acked)-before, err)
		}
	}
	t.Logf("%d kills, %d messages acknowledged (seed %d)", killRounds, len(acked), *crashSeed)
	if len(acked) == 0 {
		t.Fatal("nothing was ever acknowledged")
	}
}

// killOnce runs a child until it has acknowledged some messages, or for a while,
// and kills it.
func killOnce(dir string, level SyncLevel, round int, rng *rand.Rand, acked map[uint64]string) error {
	reports, child, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	command.Env = append(os.Environ(), killDirVariable+"="+dir,
		killRoundVariable+"="+strconv.Itoa(round)+" "+strconv.Itoa(int(level)))
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return errors.Join(err, child.Close())
	}
	if err := child.Close(); err != nil {
		return err
	}
	enough := make(chan struct{})
	var reading sync.WaitGroup
	var readErr error
	reading.Go(func() { readErr = readReports(reports, 1+rng.Intn(3000), enough, acked) })
	patience := time.NewTimer(time.Duration(5+round*15) * time.Millisecond)
	defer patience.Stop()
	select {
	case <-enough:
	case <-patience.C:
	}
	err = command.Process.Kill()
	reading.Wait()
	if waitErr := command.Wait(); waitErr == nil {
		err = errors.Join(err, errors.New("the child ended by itself"))
	}
	return errors.Join(err, readErr)
}

// readReports takes the child's acknowledgements, a line each, to its end.
func readReports(from io.Reader, count int, enough chan struct{}, acked map[uint64]string) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // the last line may be cut short: it was not reported
		}
		var sequence uint64
		var id string
		if _, err := fmt.Sscanf(line, "acked %d %s\n", &sequence, &id); err != nil {
			return fmt.Errorf("the child says %q", line)
		}
		if other, ok := acked[sequence]; ok {
			return fmt.Errorf("sequence %d was given to %s and to %s", sequence, other, id)
		}
		acked[sequence] = id
		if count--; count == 0 {
			close(enough)
		}
	}
}

// killPayload makes the payload that belongs to an id.
func killPayload(id string) []byte {
	sum := 0
	for _, c := range []byte(id) {
		sum = sum*31 + int(c)
	}
	return append([]byte(id+":"), bytes.Repeat([]byte{byte(sum)}, sum&1023)...)
}

// verifyKilled opens the stream and compares it with what was reported.
func verifyKilled(config Config, acked map[uint64]string) (err error) {
	ctx := context.Background()
	store, err := Open(ctx, faultSystem, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Stop(ctx)) }()
	if state, err := store.FastState(ctx); err != nil || state.LostMessages != 0 {
		return fmt.Errorf("%+v, %w", state, err)
	}
	found := 0
	for m, err := range store.Messages(ctx, Borrowed()) {
		if err != nil {
			return err
		}
		id, _, _ := bytes.Cut(m.Payload, []byte(":"))
		if !bytes.Equal(m.Payload, killPayload(string(id))) || m.Subject != "kill."+string(id) {
			return fmt.Errorf("message %d is not as it was stored", m.Sequence)
		}
		if want, ok := acked[m.Sequence]; ok {
			if want != string(id) {
				return fmt.Errorf("message %d is %s, not %s", m.Sequence, id, want)
			}
			found++
		}
	}
	if found != len(acked) {
		return fmt.Errorf("%d of %d acknowledged messages are there", found, len(acked))
	}
	return nil
}

// TestKillChild is the child. Without its environment there is nothing to do.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDirVariable)
	if dir == "" {
		return
	}
	var round, level int
	if _, err := fmt.Sscan(os.Getenv(killRoundVariable), &round, &level); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), faultSystem, killConfig(dir, SyncLevel(level)))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for writer := range killWriters {
		running.Go(func() {
			for n := 0; ; n++ {
				if err := storeAndReport(store, fmt.Sprintf("%d-%d-%d", round, writer, n), n%7 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// storeAndReport stores a message, or a batch of two, and reports its
// acknowledgement in one write, which the pipe takes whole.
func storeAndReport(store *Store, id string, batch bool) error {
	ctx := context.Background()
	var report []byte
	if batch {
		a, b := id+"-a", id+"-b"
		ack, err := store.StoreBatch(ctx, []BatchMessage{
			{Subject: "kill." + a, Payload: killPayload(a)}, {Subject: "kill." + b, Payload: killPayload(b)},
		})
		if err != nil {
			return err
		}
		report = fmt.Appendf(nil, "acked %d %s\nacked %d %s\n", ack.First, a, ack.Last, b)
	} else {
		ack, err := store.StoreMsg(ctx, "kill."+id, nil, killPayload(id))
		if err != nil {
			return err
		}
		report = fmt.Appendf(nil, "acked %d %s\n", ack.Sequence, id)
	}
	_, err := os.Stdout.Write(report)
	return err
}
