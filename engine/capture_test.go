package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// captureOf returns what an engine says of its stream.
func captureOf(t *testing.T, s *shell) *engine.Capture {
	t.Helper()
	c, ok := s.e.Capture()
	require.True(t, ok)
	require.NotNil(t, c)
	return restorable(c)
}

func TestAStreamOpensFromACapture(t *testing.T) {
	s := lostWorld(t)
	s.do(sent{1, &engine.Remove{Sequence: 9}}, sent{2, &engine.Remove{Sequence: 35}}, sent{3, &engine.Skip{Count: 3}})
	before, live := s.pub.State(), s.live()
	s.resumes = true
	s.reopen()
	require.Equal(t, 1, s.restored)
	require.NoError(t, s.e.CheckInvariants())
	require.Equal(t, before, s.pub.State())
	require.Equal(t, live, s.live())
	require.Equal(t, uint64(39), s.must(t, store("a", 10))[0].Sequence)
}

func TestWhatACaptureHasStaysAsItIs(t *testing.T) {
	s := open(func(c *engine.Config) { sevenABlock(c); c.Limits.MsgTTL = engine.TTLOn })
	message := engine.Message{Subject: "a", Header: withTTL(nil, "1h"), Payload: make([]byte, 50)}
	for range 9 {
		s.must(t, sent{"store", &engine.Store{Message: message}})
	}
	s.must(t, sent{"remove", &engine.Remove{Sequence: 2}})
	c, ok := s.e.Capture()
	require.True(t, ok)
	want := restorable(c)
	s.do(sent{1, &engine.Remove{Sequence: 4}}, sent{2, &engine.Store{Message: message}}, sent{3, &engine.Purge{}})
	got := restorable(c)
	require.Equal(t, want, got)
	require.Equal(t, 1, c.Subjects.Len())
	require.Len(t, got.Blocks[0].Ends, int(got.Blocks[0].Messages))
	require.Equal(t, int64(start+int64(time.Hour)), got.Blocks[0].Ends[0].Due)
}

func TestACaptureWaitsForRest(t *testing.T) {
	s := open(func(*engine.Config) {})
	s.step(store("a", 10))
	_, ok := s.e.Capture()
	require.False(t, ok, "staged")
	s.turn()
	_, ok = s.e.Capture()
	require.False(t, ok, "in flight")
	s.step(store("a", 10))
	s.e.HoldCommands(true)
	s.step(store("a", 10))
	s.settle()
	require.Len(t, s.replies, 2, "the third waits")
	c, ok := s.e.Capture()
	require.True(t, ok)
	require.Equal(t, uint64(2), c.LastSequence)
	s.e.HoldCommands(false)
	s.settle()
	require.Len(t, s.replies, 3)
}

func TestNothingIsCapturedOfAStreamWithLosses(t *testing.T) {
	s := lostWorld(t)
	s.lose(t, 2, 10, 10, nil)
	c, ok := s.e.Capture()
	require.True(t, ok)
	require.Nil(t, c)
}

func TestACaptureThatContradictsItselfIsRefused(t *testing.T) {
	s := lostWorld(t)
	s.must(t, sent{"remove", &engine.Remove{Sequence: 9}})
	for name, spoil := range map[string]func(c *engine.Capture){
		"messages":             func(c *engine.Capture) { c.Messages++ },
		"bytes":                func(c *engine.Capture) { c.Bytes-- },
		"last":                 func(c *engine.Capture) { c.LastSequence++ },
		"no time":              func(c *engine.Capture) { c.LastTime = engine.NoTime },
		"floor":                func(c *engine.Capture) { c.Floor = 100 },
		"a block twice":        func(c *engine.Capture) { c.Blocks[1].ID = 1 },
		"blocks that overlap":  func(c *engine.Capture) { c.Blocks[1].First = 7 },
		"messages of a block":  func(c *engine.Capture) { c.Blocks[1].Messages++ },
		"removed":              func(c *engine.Capture) { c.Blocks[1].Removed[0].Last++ },
		"the first is removed": func(c *engine.Capture) { c.Blocks[1].Removed[0] = engine.SequenceRange{First: 8, Last: 8} },
		"removed behind":       func(c *engine.Capture) { c.Blocks[1].Removed[0] = engine.SequenceRange{First: 15, Last: 15} },
		"size":                 func(c *engine.Capture) { c.Blocks[1].Size = -1 },
		"first live":           func(c *engine.Capture) { c.Blocks[1].FirstLive = 7 },
		"first message":        func(c *engine.Capture) { c.Blocks[1].FirstMessage = 9 },
		"last record":          func(c *engine.Capture) { c.Blocks[1].LastRecord = 15 },
		"proves":               func(c *engine.Capture) { c.Blocks[1].Proves = 15 },
		"a life":               func(c *engine.Capture) { c.Blocks[1].Ends = []engine.LifeCapture{{Sequence: 15}} },
		"lives out of order":   func(c *engine.Capture) { c.Blocks[1].Ends = []engine.LifeCapture{{Sequence: 9}, {Sequence: 9}} },
		"an empty block has bytes": func(c *engine.Capture) {
			c.Blocks[1].Messages = 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := captureOf(t, s)
			names := []string{"a", "b"}
			next := func() *engine.SubjectCapture {
				defer func() { names = names[1:] }()
				return &engine.SubjectCapture{Name: []byte(names[0]), Info: engine.SubjectInfo{Count: 17, First: 1, Last: 35}}
			}
			r := engine.NewRecovery(s.cfg, engine.NewPublished())
			require.True(t, r.Restore(c, 2, next), "as it is")
			names = []string{"a", "b"}
			spoil(c)
			require.False(t, engine.NewRecovery(s.cfg, engine.NewPublished()).Restore(c, 2, next))
		})
	}
	t.Run("more messages in the subjects", func(t *testing.T) {
		r := engine.NewRecovery(s.cfg, engine.NewPublished())
		require.False(t, r.Restore(captureOf(t, s), 1, func() *engine.SubjectCapture {
			return &engine.SubjectCapture{Name: []byte("a"), Info: engine.SubjectInfo{Count: 35, First: 1, Last: 35}}
		}))
	})
}
