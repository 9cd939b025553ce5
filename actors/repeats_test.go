package actors_test

import (
	"bytes"
	"context"
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
