package consumer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

const (
	killRounds      = 50
	killRoundsShort = 5
	killWorkers     = 8
	killKeys        = 30
	// killVariable makes the test binary a child: it is the directory of the streams.
	killVariable = "MILLRACE_CONSUMER_KILL_DIR"
	killOpening  = "opening"
)

// killSeed is drawn from the time no more than anything else: the same rounds each time.
const killSeed = 7

// TestKilledConsumerLosesNothing kills a process with eight workers of a consumer again and again, at any moment. Of what was
// reported to be acknowledged nothing comes again; everything is handled; the messages of a subject are handled in
// their order; and a second consumer, whose workers store a result with each acknowledgement, has one result of each message.
func TestKilledConsumerLosesNothing(t *testing.T) {
	rounds := killRounds
	if testing.Short() {
		rounds = killRoundsShort
	}
	k := &killed{t: t, dir: t.TempDir(), acked: map[uint64]int{}, handled: map[uint64]int{}, latest: map[string]uint64{}}
	rng := rand.New(rand.NewSource(killSeed))
	for round := range rounds {
		k.round = round
		count := 1 + rng.Intn(80)
		if round%5 == 4 {
			count = 0
		}
		before := len(k.acked)
		require.NoError(t, k.once(count), "round %d", round)
		require.GreaterOrEqual(t, len(k.acked)-before, count, "round %d", round)
		k.verify()
	}
	k.drain()
	t.Logf("%d kills, %d messages acknowledged before them, %d handled more than once", rounds, len(k.acked), k.again)
}

// killed is what the parent knows.
type killed struct {
	t       *testing.T
	dir     string
	round   int
	acked   map[uint64]int    // in which round a message was reported to be acknowledged
	handled map[uint64]int    // how often it was handled
	latest  map[string]uint64 // of each subject, the last message that was handled for the first time
	again   int
}

// once runs a child until it has reported so many acknowledgements, or is about to open its streams, and kills it.
func (k *killed) once(count int) error {
	reports, child, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	command.Env = append(os.Environ(), killVariable+"="+k.dir)
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return errors.Join(err, child.Close())
	}
	closed := child.Close() // the pipe ends with the child
	killed, err := k.read(reports, count, command.Process.Kill)
	waited := command.Wait()
	if !killed {
		err = errors.Join(fmt.Errorf("the child ended by itself: %v", waited), err)
	}
	return errors.Join(err, closed)
}

// read takes the child's reports, a line each, to their end, and kills it when it has acknowledged so many messages.
func (k *killed) read(from io.Reader, count int, kill func() error) (killed bool, err error) {
	lines := bufio.NewReader(from)
	for {
		line, readErr := lines.ReadString('\n')
		if readErr != nil {
			return killed, err // the last line may be cut short: it was not reported
		}
		if err == nil {
			var acked bool
			acked, err = k.note(strings.TrimSpace(line))
			if acked {
				count--
			}
		}
		if count <= 0 && !killed || err != nil {
			killed = true
			err = errors.Join(err, kill())
		}
	}
}

// note takes one report.
func (k *killed) note(line string) (acked bool, err error) {
	var what, subject string
	var sequence uint64
	if line == killOpening {
		return false, nil
	}
	if _, err := fmt.Sscan(line, &what, &sequence, &subject); err != nil {
		return false, fmt.Errorf("the child says %q", line)
	}
	if what == "acked" {
		k.acked[sequence] = k.round
		return true, nil
	}
	return false, k.handle(sequence, subject)
}

func (k *killed) handle(sequence uint64, subject string) error {
	if round, ok := k.acked[sequence]; ok && round < k.round {
		return fmt.Errorf("message %d was acknowledged in round %d, and came again in round %d", sequence, round, k.round)
	}
	if k.handled[sequence]++; k.handled[sequence] > 1 {
		k.again++
		return nil
	}
	if k.latest[subject] > sequence {
		return fmt.Errorf("message %d on %s was handled after %d", sequence, subject, k.latest[subject])
	}
	k.latest[subject] = sequence
	return nil
}

// verify reads the state that the child has left: nothing that was acknowledged is to be done.
func (k *killed) verify() {
	w := &world{t: k.t, dir: k.dir}
	source, state := openKilled(k.t, k.dir)
	w.source, w.state = source, state
	defer func() {
		require.NoError(k.t, source.Stop(context.Background()))
		require.NoError(k.t, state.Stop(context.Background()))
	}()
	h, err := loadState(k.t.Context(), state, stateSubject("WORK", "least"))
	require.NoError(k.t, err)
	if h.last == 0 {
		require.Empty(k.t, k.acked)
		return
	}
	core, _, err := h.rebuild()
	require.NoError(k.t, err)
	position, _ := core.Position()
	for sequence := range core.Outstanding() {
		require.NotContains(k.t, k.acked, sequence)
	}
	for sequence := range k.acked {
		require.Less(k.t, sequence, position)
	}
}

// drain handles what is left, and looks at all of it.
func (k *killed) drain() {
	t := k.t
	k.round++
	w := &world{t: t, dir: k.dir}
	w.source, w.state = openKilled(t, k.dir)
	defer func() {
		require.NoError(t, w.source.Stop(context.Background()))
		require.NoError(t, w.state.Stop(context.Background()))
	}()
	least, once := w.consumer(killConfig("least")), w.consumer(killConfig("once"))
	for {
		a, b := w.stats(least), w.stats(once)
		if a.Lag+b.Lag+uint64(a.Pending+b.Pending) == 0 {
			break
		}
		list, err := least.Pull(t.Context(), Pull{Batch: 100, Expires: time.Millisecond})
		require.NoError(t, err)
		for _, d := range list {
			require.NoError(t, k.handle(d.Sequence, d.Subject))
			require.NoError(t, least.Ack(t.Context(), d.Token))
		}
		list, err = once.Pull(t.Context(), Pull{Batch: 100, Expires: time.Millisecond})
		require.NoError(t, err)
		for _, d := range list {
			require.NoError(t, result(once, d))
		}
	}
	state, err := w.source.FastState(t.Context())
	require.NoError(t, err)
	totals, err := w.state.SubjectsTotals(t.Context(), actors.Filter("out.*"))
	require.NoError(t, err)
	require.Len(t, totals, int(state.LastSequence))
	for sequence := uint64(1); sequence <= state.LastSequence; sequence++ {
		require.Positive(t, k.handled[sequence], "message %d was never handled", sequence)
		require.Equal(t, uint64(1), totals[fmt.Sprint("out.", sequence)], "results of message %d", sequence)
	}
}

func openKilled(t testing.TB, dir string) (source, state *actors.Store) {
	runtime := actors.NewRuntime(actors.RuntimeConfig{})
	source, err := actors.Open(t.Context(), testSystem, actors.Config{Dir: dir, Name: "WORK", Runtime: runtime})
	require.NoError(t, err)
	state, err = actors.Open(t.Context(), testSystem, actors.Config{Dir: dir, Name: "OUT", Runtime: runtime})
	require.NoError(t, err)
	return source, state
}

// killConfig has messages of those who were killed come again soon.
func killConfig(name string) Config {
	c := Config{Name: name, AckWait: 100 * time.Millisecond, MaxAckPending: 64}
	if name == "least" {
		c.OrderPerSubject = actors.On
	}
	return c
}

// result acknowledges a message with what came of it. That it is not pending any more is an answer, too.
func result(c *Consumer, d Delivery) error {
	_, err := c.AckWith(context.Background(), output(fmt.Sprint("out.", d.Sequence), "done"), d.Token)
	if errors.Is(err, ErrNotPending) {
		return nil
	}
	return err
}

// TestKillChild is the child. Without its environment it does nothing.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killVariable)
	if dir == "" {
		return
	}
	report := func(format string, args ...any) {
		if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
			t.Error(err)
		}
	}
	report(killOpening)
	source, state := openKilled(t, dir)
	w := &world{t: t, dir: dir, source: source, state: state}
	least, once := w.consumer(killConfig("least")), w.consumer(killConfig("once"))
	var running sync.WaitGroup
	more := make(chan struct{}, 1<<20)
	for range 80 {
		more <- struct{}{}
	}
	running.Go(func() {
		for n := 0; ; n++ {
			<-more
			if _, err := source.StoreMsg(t.Context(), fmt.Sprint("k.", n*7%killKeys), nil, []byte("x")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for worker := range killWorkers {
		running.Go(func() {
			for {
				list, err := least.Pull(t.Context(), Pull{Batch: 1 + worker%3, Expires: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range list {
					report("handled %d %s", d.Sequence, d.Subject)
					if err := least.Ack(t.Context(), d.Token); err == nil {
						report("acked %d %s", d.Sequence, d.Subject)
						more <- struct{}{}
					} else if !errors.Is(err, ErrNotPending) {
						t.Error(err)
						return
					}
				}
			}
		})
		running.Go(func() {
			for {
				list, err := once.Pull(t.Context(), Pull{Batch: 1 + worker%3, Expires: time.Minute})
				for _, d := range list {
					err = errors.Join(err, result(once, d))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}
