package pubsub

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The variables that make the test binary a child: the folder, and what its messages are called by.
const (
	killDirVariable  = "MILLRACE_PUBSUB_DIR"
	killNameVariable = "MILLRACE_PUBSUB_NAME"
)

// TestAGroupThatIsKilledMissesNothing kills a process that publishes, and consumes as a group, again and again. What was
// published and not consumed by then is consumed in the end: nothing is missing.
func TestAGroupThatIsKilledMissesNothing(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	dir, random := t.TempDir(), rand.New(rand.NewSource(1))
	published, consumed := map[string]bool{}, map[string]int{}
	for kill := range kills {
		require.NoError(t, killOnce(dir, fmt.Sprint(kill), random.Intn(400), published, consumed), "kill %d", kill)
	}
	p := openTest(t, nil, dir, nil)
	publish(t, p, "a", "the end")
	_, messages := subscribe(t, p, "group", "a")
	left := 0
	for {
		m := receive(t, messages)
		require.True(t, m.Ack())
		if m.UUID == "the end" {
			break
		}
		consumed[m.UUID]++
		left++
	}
	twice := 0
	for id := range published {
		require.Positive(t, consumed[id], "%s was published, and never came", id)
		if consumed[id] > 1 {
			twice++
		}
	}
	t.Logf("%d kills, %d published, %d of them came in the end, %d came twice", kills, len(published), left, twice)
	require.Less(t, left, len(published), "the cursor is not kept")
}

// killOnce runs a child until it has reported so often, kills it, and notes what was published and consumed.
func killOnce(dir, name string, count int, published map[string]bool, consumed map[string]int) error {
	reports, child, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	command.Env = append(os.Environ(), killDirVariable+"="+dir, killNameVariable+"="+name)
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return errors.Join(err, child.Close())
	}
	if err := child.Close(); err != nil { // the pipe ends with the child
		return err
	}
	killed, lines := false, bufio.NewReader(reports)
	for n := 0; ; n++ {
		if n == count {
			killed = true
			if err := command.Process.Kill(); err != nil {
				return err
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			waited := command.Wait()
			if !killed || !errors.Is(err, io.EOF) {
				return fmt.Errorf("the child ended by itself: %v, %v", waited, err)
			}
			return nil
		}
		var what, id string
		if _, err := fmt.Sscan(line, &what, &id); err != nil {
			return err
		}
		if what == "published" {
			published[id] = true
		} else {
			consumed[id]++
		}
	}
}

// TestKillChild is what a child does: it publishes and consumes until it is killed. Without the environment it does
// nothing.
func TestKillChild(t *testing.T) {
	dir, name := os.Getenv(killDirVariable), os.Getenv(killNameVariable)
	if dir == "" {
		return
	}
	ctx := context.Background()
	open := func(stream string) *actors.Store {
		store, err := actors.Open(ctx, testSystem, actors.Config{Dir: dir, Name: stream})
		require.NoError(t, err)
		return store
	}
	p, err := New(Config{Messages: open("MESSAGES"), Cursors: open("CURSORS")})
	require.NoError(t, err)
	report := func(what, id string) {
		if _, err := os.Stdout.WriteString(what + " " + id + "\n"); err != nil {
			t.Error(err)
		}
	}
	go func() {
		for publisher, i := p.Publisher(), 0; ; i++ {
			id := fmt.Sprintf("%s-%d", name, i)
			if err := publisher.Publish("a", message.NewMessage(id, []byte(id))); err != nil {
				t.Error(err)
			}
			report("published", id)
		}
	}()
	s, err := p.Subscriber("group")
	require.NoError(t, err)
	messages, err := s.Subscribe(ctx, "a")
	require.NoError(t, err)
	for m := range messages {
		report("consumed", m.UUID) // before it is acknowledged: it may come again, and must not be missing
		m.Ack()
	}
	<-time.After(time.Minute)
}
