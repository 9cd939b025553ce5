package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

func mortal(subject, ttl string) sent {
	return sent{"mortal", &engine.Store{Message: engine.Message{Subject: subject, Header: withTTL(nil, ttl)}}}
}

func ttlsOn(age time.Duration) engine.Limits { return engine.Limits{MaxAge: age, MsgTTL: engine.TTLOn} }

// TestLivesAreFoundInTheBlocks when a stream is opened, and only those are looked into that may have some.
func TestLivesAreFoundInTheBlocks(t *testing.T) {
	for _, on := range []engine.TTLMode{engine.TTLOff, engine.TTLOn} {
		s := open(func(c *engine.Config) { c.BlockSize = 100 })
		for range 10 {
			s.must(t, mortal("a", "5"))
		}
		var looked []string
		s.disk.fault = func(_ int, what string) error {
			if strings.HasPrefix(what, "lives") {
				looked = append(looked, what)
			}
			return nil
		}
		s.cfg.Limits.MsgTTL = on
		s.reopen()
		s.passed(t, start+5*second)
		if on == engine.TTLOff {
			require.Len(t, s.live(), 10)
			require.Empty(t, looked)
		} else {
			require.Empty(t, s.live())
			require.Equal(t, []string{"lives 3", "lives 6", "lives 9"}, looked, "scans of the others have said it")
		}
	}
}

// TestABlockThatCannotBeReadKeepsItsMessages: nobody knows which of them live for ever. The stream is opened all the
// same, and what is due goes once the block can be read.
func TestABlockThatCannotBeReadKeepsItsMessages(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits = 200, ttlsOn(time.Minute) })
	s.must(t, mortal("a", "5"), mortal("a", "never"), store("a", 50), store("a", 50), mortal("a", "5"), mortal("a", "never"), store("a", 50))
	require.Len(t, s.disk.current, 4)
	broken := true
	s.disk.fault = func(_ int, what string) error {
		if broken && what == "lives 3" {
			return errDisk
		}
		return nil
	}
	inBroken := func() (n int) {
		for _, sequence := range s.live() {
			if sequence == 5 || sequence == 6 {
				n++
			}
		}
		return n
	}
	s.reopen()
	require.Equal(t, 2, inBroken())
	s.passed(t, start+100*second)
	require.Equal(t, []uint64{2, 5, 6}, s.live())
	broken = false
	s.passed(t, start+200*second)
	require.Equal(t, []uint64{2, 6}, s.live())
}

// TestAClockThatJumpsTakesWhatIsDue, and nothing else when it is right again.
func TestAClockThatJumpsTakesWhatIsDue(t *testing.T) {
	s := open(limits(ttlsOn(0)))
	s.must(t, mortal("a", "5"), mortal("a", "1000000h"), mortal("a", "never"), store("a", 0))
	s.tick(start + 10*year)
	s.settle()
	require.Equal(t, []uint64{2, 3, 4}, s.live())
	s.must(t, mortal("a", "5"))
	s.now = start
	s.e.Tick(start)
	s.must(t, mortal("a", "5"))
	require.Less(t, s.passed(t, start+6*second), 10)
	require.Equal(t, []uint64{2, 3, 4, 5}, s.live(), "a message from ahead of the clock counts from its own time")
	s.reopen()
	require.Less(t, s.passed(t, start+11*year), 10)
	require.Equal(t, []uint64{2, 3, 4}, s.live())
}

// TestWhatIsGoneWakesNobody: when the messages with TTLs are gone, by whatever way, nothing is due any more.
func TestWhatIsGoneWakesNobody(t *testing.T) {
	for name, c := range map[string]engine.Command{
		"remove": &engine.Remove{Sequence: 2}, "erase": &engine.Erase{Sequence: 2}, "purge": &engine.Purge{},
		"compact": &engine.Compact{Sequence: 4}, "truncate": &engine.Truncate{Sequence: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(limits(ttlsOn(0)))
			s.must(t, store("a", 0), mortal("b", "1h"), store("a", 0))
			s.passed(t, start+20*second)
			at, ok := s.e.NextTick()
			require.True(t, ok)
			require.Equal(t, start+3600*second, at)
			s.must(t, sent{name, c})
			s.must(t, store("c", 0), store("c", 0))
			live := s.live()
			s.passed(t, s.now+20*second)
			if at, ok := s.e.NextTick(); ok {
				t.Fatalf("something is due in %d s", (at-s.now)/second)
			}
			s.tick(start + year)
			s.settle()
			require.Equal(t, live, s.live())
		})
	}
}

// TestAMarkerAndItsMessageAreOneFrame, of one block, whatever room is left in the one before.
func TestAMarkerAndItsMessageAreOneFrame(t *testing.T) {
	for n := range 30 {
		s := open(func(c *engine.Config) {
			c.BlockSize = 300
			c.Limits = engine.Limits{MsgTTL: engine.TTLOn, MarkerTTL: time.Minute}
		})
		s.must(t, mortal("a", "1"), mortal("b", "1"))
		s.must(t, store("a", 5*n))
		s.passed(t, start+2*second)
		require.Equal(t, []uint64{3, 4}, s.live())
		blocks := s.disk.blocks()
		last := blocks[len(blocks)-1]
		require.Contains(t, layout(last, s.disk.current[last]), "g(3,169) m4 t1 t2")
		require.LessOrEqual(t, len(s.disk.current[last]), 300)
	}
}

// TestMemoryOfLives: 16 bytes for a message, and those of the wheel.
func TestMemoryOfLives(t *testing.T) {
	perMessage, _ := livesOf(t, 100_000)
	require.Less(t, perMessage, 60.0)
}

// livesOf stores messages whose TTLs are spread over a minute, has the stream find them, and lets them go. It returns
// the bytes that each takes, and how long it takes to go.
func livesOf(t testing.TB, n int) (perMessage float64, each time.Duration) {
	s := open(func(c *engine.Config) { c.Level, c.BlockSize = engine.SyncInterval, 8<<20 })
	var messages []engine.Message
	for i := range n {
		messages = append(messages, engine.Message{Subject: "a", Header: withTTL(nil, fmt.Sprint(1+i*60/n))})
		if len(messages) == 10_000 || i == n-1 {
			s.must(t, sent{"batch", &engine.StoreBatch{Messages: messages}})
			messages = messages[:0]
		}
	}
	messages = nil
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	if err := s.change(ttlsOn(0)); err != nil {
		t.Fatal(err)
	}
	s.settle()
	perMessage = float64(int64(heap())-int64(before)) / float64(n)
	began := time.Now()
	for at, ok := s.e.NextTick(); ok && s.pub.State().Messages > 0; at, ok = s.e.NextTick() {
		s.tick(max(at, s.now))
		s.settle()
	}
	if left := s.pub.State().Messages; left > 0 {
		t.Fatalf("%d messages are left", left)
	}
	return perMessage, time.Since(began) / time.Duration(n)
}

// BenchmarkMillionTTLs is what a million messages with TTLs that are spread over a minute take.
func BenchmarkMillionTTLs(b *testing.B) {
	for range b.N {
		perMessage, each := livesOf(b, 1_000_000)
		b.ReportMetric(perMessage, "B/message")
		b.ReportMetric(float64(each.Nanoseconds()), "ns/removal")
	}
}
