package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// lineLog keeps the lines of a log.
type lineLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lineLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// take returns the lines with a text since the last call.
func (l *lineLog) take(text string) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestALineThatRepeatsIsCounted: the first at once, then one a minute with the number of those that were left out, and
// the rest at the stop. A kind that was quiet for a minute begins anew.
func TestALineThatRepeatsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lineLog{}
		s := openToFail(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), Logger: log.logger()})
		const line = "unknown request"
		ask := func(n int) {
			for range n {
				quiet.Root.Send(s.PID(), "hello")
			}
			synctest.Wait()
		}
		ask(1000)
		require.Len(t, log.take(line), 1)
		require.NotContains(t, log.take(line)[0], "repeated")
		<-time.After(time.Minute)
		synctest.Wait()
		lines := log.take(line)
		require.Len(t, lines, 2)
		require.Contains(t, lines[1], "repeated=999")
		require.Contains(t, lines[1], "stream="+s.Name())
		ask(7)
		require.Len(t, log.take(line), 2)
		<-time.After(time.Minute)
		synctest.Wait()
		require.Contains(t, log.take(line)[2], "repeated=7")
		<-time.After(2 * time.Minute)
		synctest.Wait()
		require.Len(t, log.take(line), 3, "nothing is logged of a kind that is quiet")
		ask(3)
		require.Len(t, log.take(line), 4, "it begins anew")
		require.NoError(t, s.Stop(t.Context()))
		require.Len(t, log.take(line), 5)
		require.Contains(t, log.take(line)[4], "repeated=2")
	})
}

// TestAnOpenDoesNotFillTheLog: whatever lies in the folder, the first lines of a kind are logged, and the last of the others with
// their number, also of an open that fails.
func TestAnOpenDoesNotFillTheLog(t *testing.T) {
	const line = "a name that looks like a block"
	files := blocktest.NewMemFS()
	config := actors.Config{Dir: "data", Name: "orders", FS: files}
	require.NoError(t, open(t, config).Stop(t.Context()))
	for i := range 1000 {
		name := fmt.Sprintf("data/orders/msgs/%d.blk", uint64(1)<<40+uint64(i))
		require.NoError(t, files.MkdirAll(name))
	}
	check := func(log *lineLog) {
		t.Helper()
		lines := log.take(line)
		require.Len(t, lines, 17)
		require.NotContains(t, lines[15], "repeated")
		require.Regexp(t, `name=1099511628775.blk repeated=98[0-9]`, lines[16])
	}
	for _, readOnly := range []bool{false, true} {
		log := &lineLog{}
		config.Logger, config.ReadOnly = log.logger(), readOnly
		s := open(t, config)
		check(log)
		require.NoError(t, s.Stop(t.Context()))
	}
	log := &lineLog{}
	config.Logger, config.ReadOnly, config.FirstSequence = log.logger(), false, 0
	ended, cancel := context.WithCancel(t.Context())
	faults := blocktest.NewFaultFS(files)
	faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpReadDir {
			cancel() // it is listed, and then given up
		}
		return blocktest.Fault{}
	})
	config.FS = faults
	_, err := actors.Open(ended, quiet, config)
	require.ErrorIs(t, err, context.Canceled)
	check(log)
}

// TestADiskThatFailsDoesNotFillTheLog: every kind of line that it can repeat is logged twice a minute at most.
func TestADiskThatFailsDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lineLog{}
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := openToFail(t, actors.Config{
			Dir: "data", FS: files, Logger: log.logger(), RetryMin: 100 * time.Millisecond, RetryMax: 100 * time.Millisecond, BlockSize: 4096, MaxMsgs: 5,
		})
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			now := time.Now()
			if op.Kind == blocktest.OpSync && now.Second()%2 == 0 || op.Kind == blocktest.OpRemove && now.Second()%4 == 1 {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		const minutes = 3
		for begin := time.Now(); time.Since(begin) < minutes*time.Minute; <-time.After(100 * time.Millisecond) {
			_, _ = s.StoreMsg(t.Context(), "a", nil, make([]byte, 500))
		}
		require.Greater(t, s.Stats().Failures, uint64(30), "or there was nothing to repeat")
		kinds := make(map[string]int)
		for _, line := range log.take("msg=") {
			if strings.Contains(line, "level=INFO") && !strings.Contains(line, "will try") {
				continue
			}
			_, text, _ := strings.Cut(line, "msg=")
			text, _, _ = strings.Cut(text, " stream=")
			kinds[text]++
		}
		require.GreaterOrEqual(t, len(kinds), 3, kinds)
		for kind, n := range kinds {
			require.LessOrEqual(t, n, minutes+1, kind)
		}
		files.SetHook(nil)
		require.NoError(t, s.Ready(t.Context()))
		require.NoError(t, s.Stop(context.Background()))
	})
}
