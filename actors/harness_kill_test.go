package actors

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

const (
	killRounds  = 24
	killWriters = 6
	killAcks    = 1000 // acknowledgements after which a child is killed, at most
	// The variables that make the test binary a child.
	killDirVariable   = "MILLRACE_KILL_DIR"
	killRoundVariable = "MILLRACE_KILL_ROUND"
)

// TestKilledProcessLosesNothingAcknowledged kills a process that stores, again and
// again: when it has acknowledged some number of messages, and when it begins to open the
// stream that the one before has left. All that was reported to be acknowledged, in this
// and in earlier rounds, is there byte for byte.
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
		before, count := len(acked), 1+rng.Intn(killAcks)
		if round%4 == 3 {
			count = 0
		}
		if err := killOnce("TestKillChild", dir, level, round, count, acked); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := len(acked) - before; n < count {
			t.Fatalf("round %d: %d acknowledgements, the child was to be killed after %d", round, n, count)
		}
		if err := verifyKilled(killConfig(dir, level), acked); err != nil {
			t.Fatalf("round %d, after %d acknowledgements: %v", round, len(acked)-before, err)
		}
	}
	t.Logf("%d kills, %d messages acknowledged (seed %d)", killRounds, len(acked), *crashSeed)
}

// killOnce runs a child, which is a test of this name, until it has acknowledged count messages, or begins to open the
// stream when count is 0, and kills it. The test waits for that however long it takes: how fast the machine is, is not
// its business.
func killOnce(name, dir string, level SyncLevel, round, count int, acked map[uint64]string) error {
	reports, child, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^"+name+"$")
	command.Env = append(os.Environ(), killDirVariable+"="+dir,
		killRoundVariable+"="+strconv.Itoa(round)+" "+strconv.Itoa(int(level)))
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return errors.Join(err, child.Close())
	}
	closed := child.Close() // the pipe ends with the child
	killed, err := readReports(reports, count, command.Process.Kill, acked)
	waited := command.Wait()
	if !killed {
		err = errors.Join(fmt.Errorf("the child ended by itself: %v", waited), err)
	}
	return errors.Join(err, closed)
}

// beKilled is what a child does: it opens the stream of its environment, and has writers store and report until it is
// killed. Each gets what its ids begin with. Without the environment it does nothing.
func beKilled(t *testing.T, config func(dir string, level SyncLevel) Config, writers int, write func(store *Store, writer int, prefix string) error) {
	dir := os.Getenv(killDirVariable)
	if dir == "" {
		return
	}
	var round, level int
	if _, err := fmt.Sscan(os.Getenv(killRoundVariable), &round, &level); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(killOpening); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), faultSystem, config(dir, SyncLevel(level)))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			if err := write(store, writer, fmt.Sprintf("%d-%d-", round, writer)); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
}

// killOpening is what the child reports before it opens the stream.
const killOpening = "opening\n"

// readReports takes the child's reports, a line each, to their end, and kills it when it has
// acknowledged count messages.
func readReports(from io.Reader, count int, kill func() error, acked map[uint64]string) (killed bool, err error) {
	lines := bufio.NewReader(from)
	for {
		line, readErr := lines.ReadString('\n')
		if readErr != nil {
			return killed, err // the last line may be cut short: it was not reported
		}
		if line != killOpening && err == nil {
			err = noteReport(line, acked)
			count--
		}
		if count <= 0 && !killed || err != nil {
			killed = true
			err = errors.Join(err, kill())
		}
	}
}

func noteReport(line string, acked map[uint64]string) error {
	var sequence uint64
	var id string
	if _, err := fmt.Sscanf(line, "acked %d %s\n", &sequence, &id); err != nil {
		return fmt.Errorf("the child says %q", line)
	}
	if other, ok := acked[sequence]; ok {
		return fmt.Errorf("sequence %d was given to %s and to %s", sequence, other, id)
	}
	acked[sequence] = id
	return nil
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

// TestKillChild is the child.
func TestKillChild(t *testing.T) {
	beKilled(t, killConfig, killWriters, func(store *Store, _ int, prefix string) error {
		for n := 0; ; n++ {
			if err := storeAndReport(store, prefix+strconv.Itoa(n), n%7 == 0); err != nil {
				return err
			}
		}
	})
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
