package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// waitABit lets a moment pass, in a synctest bubble: time is not real there.
func waitABit() { waitFor(10 * time.Millisecond) }

func waitFor(d time.Duration) { <-time.After(d) }

// inMemory is a configuration over a file system in memory, as synctest needs it.
func inMemory() actors.Config {
	return actors.Config{Dir: "data", FS: blocktest.NewMemFS(), BlockSize: 4 << 10}
}

func TestOldMessagesMakeRoom(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, row := range []struct {
			name string
			set  func(*actors.Config)
		}{
			{"for MaxMsgs", func(c *actors.Config) { c.MaxMsgs = 10 }},
			{"for MaxBytes", func(c *actors.Config) { c.MaxBytes = 10 * (30 + 1 + 500) }},
		} {
			t.Run(row.name, func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10, Discard: actors.DiscardOld}
				row.set(&config)
				s := open(t, config)
				payload := string(make([]byte, 500))
				for i := range 100 {
					mustStore(t, s, "a", payload)
					state := stateOf(t, s)
					require.Equal(t, uint64(min(i+1, 10)), state.Messages)
					require.Equal(t, state.Messages*(30+1+500), state.Bytes)
					require.Equal(t, uint64(max(1, i+1-9)), state.FirstSequence)
				}
				require.NoError(t, s.Stop(t.Context()))
				require.LessOrEqual(t, len(blockFiles(t, config)), 3, "seven messages in a block")
				s = open(t, config)
				got, _ := collect(t, s)
				require.Equal(t, sequences(91, 100), got)
			})
		}
	})
}

// TestMessageLargerThanMaxBytesIsRefused: it would be acknowledged, and be gone. What a leader has accepted a
// replica takes all the same.
func TestMessageLargerThanMaxBytesIsRefused(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), MaxBytes: 100, Discard: actors.DiscardOld}
	s := open(t, config)
	mustStore(t, s, "a", "small")
	large := make([]byte, 100)
	_, err := s.StoreMsg(t.Context(), "a", nil, large)
	require.ErrorIs(t, err, actors.ErrMaxBytes)
	_, err = s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: "a", Payload: large}})
	require.ErrorIs(t, err, actors.ErrMaxBytes)
	state := stateOf(t, s)
	require.Equal(t, uint64(1), state.Messages)
	require.Equal(t, uint64(1), state.LastSequence)
	ack, err := s.StoreRaw(t.Context(), actors.RawMessage{Subject: "a", Payload: large, Time: state.LastTime})
	require.NoError(t, err)
	require.Equal(t, uint64(2), ack.Sequence)
	check := func() {
		state := stateOf(t, s)
		require.Zero(t, state.Messages)
		require.Zero(t, state.Bytes)
		require.Equal(t, uint64(3), state.FirstSequence)
		require.Equal(t, uint64(2), state.LastSequence)
		require.True(t, state.FirstTime.IsZero())
		require.False(t, state.LastTime.IsZero())
	}
	check()
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	check()
}

func TestNewMessagesAreRefused(t *testing.T) {
	s := open(t, actors.Config{MaxMsgs: 3, MaxBytes: 1000, Discard: actors.DiscardNew})
	for range 3 {
		mustStore(t, s, "a", "x")
	}
	before := stateOf(t, s)
	_, err := s.StoreMsg(t.Context(), "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrMaxMsgs)
	_, err = s.StoreRaw(t.Context(), actors.RawMessage{Sequence: 99, CheckDiscardNew: true})
	require.ErrorIs(t, err, actors.ErrMaxMsgs, "limits come before sequences")
	require.Equal(t, before, stateOf(t, s))
	_, err = s.StoreRaw(t.Context(), actors.RawMessage{Subject: "raw", Payload: make([]byte, 850)})
	require.NoError(t, err, "a replica does not refuse")
	require.Equal(t, uint64(4), stateOf(t, s).Messages)
	stats := s.Stats()
	require.Equal(t, uint64(2), stats.RefusedMsgs)
	s = open(t, actors.Config{MaxBytes: 31 * 2, Discard: actors.DiscardNew})
	mustStore(t, s, "a", "")
	mustStore(t, s, "a", "") // equal is allowed
	_, err = s.StoreRaw(t.Context(), actors.RawMessage{CheckDiscardNew: true})
	require.ErrorIs(t, err, actors.ErrMaxBytes)
}

// TestMessagesExpire at MaxAge, within what the documentation says, whether the
// stream is busy or idle, and when it was closed meanwhile.
func TestMessagesExpire(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		synctest.Test(t, func(t *testing.T) {
			config := inMemory()
			config.Sync, config.MaxAge = level, time.Second
			s := open(t, config)
			for range 40 {
				mustStore(t, s, "a", string(make([]byte, 300)))
			}
			waitFor(900 * time.Millisecond)
			mustStore(t, s, "b", "young")
			require.Equal(t, uint64(41), stateOf(t, s).Messages)
			waitFor(400 * time.Millisecond)
			state := stateOf(t, s)
			require.Equal(t, uint64(1), state.Messages)
			require.Equal(t, uint64(1), state.Subjects)
			require.Equal(t, uint64(41), state.FirstSequence)
			require.Equal(t, uint64(40), s.Stats().RemovedAge)
			_, err := s.LoadMsg(t.Context(), 40)
			require.ErrorIs(t, err, actors.ErrNotFound)
			got, _ := collect(t, s)
			require.Equal(t, []uint64{41}, got)
			waitFor(time.Minute)
			empty := func() {
				state := stateOf(t, s)
				require.Zero(t, state.Messages)
				require.Equal(t, uint64(42), state.FirstSequence)
				require.Equal(t, uint64(41), state.LastSequence)
				require.True(t, state.FirstTime.IsZero())
				require.False(t, state.LastTime.IsZero())
			}
			empty()
			require.NoError(t, s.Stop(t.Context()))
			entries, err := config.FS.ReadDir("data/ORDERS/msgs")
			require.NoError(t, err)
			require.Len(t, entries, 3, "one block keeps the last sequence, and the proof of the end, and the state")
			s = open(t, config)
			empty()
			require.Equal(t, uint64(42), mustStore(t, s, "a", "x").Sequence)
			require.NoError(t, s.Stop(t.Context()))
			waitFor(time.Hour)
			s = open(t, config)
			state = stateOf(t, s)
			require.Zero(t, state.Messages)
			require.Equal(t, uint64(42), state.LastSequence)
			require.NoError(t, s.Stop(t.Context()))
		})
	})
}

// TestExpiryFollowsTheTimesOfMessages: raw times decide, also when they are old or
// out of order.
func TestExpiryFollowsTheTimesOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.MaxAge = time.Minute
		s := open(t, config)
		now := time.Now()
		for _, age := range []time.Duration{30 * time.Second, 50 * time.Second, 10 * time.Second, time.Hour} {
			_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: now.Add(-age)})
			require.NoError(t, err)
		}
		waitFor(time.Second)
		require.Equal(t, uint64(3), stateOf(t, s).Messages, "an hour is too old wherever it stands")
		waitFor(8 * time.Second)
		require.Equal(t, uint64(3), stateOf(t, s).Messages)
		waitFor(2 * time.Second)
		require.Equal(t, uint64(2), stateOf(t, s).Messages)
		require.Equal(t, uint64(1), stateOf(t, s).FirstSequence)
		waitFor(20 * time.Second)
		require.Equal(t, uint64(3), stateOf(t, s).FirstSequence)
		waitFor(20 * time.Second)
		require.Zero(t, stateOf(t, s).Messages)
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: now.Add(-time.Hour)})
		require.NoError(t, err)
		waitFor(time.Second)
		require.Zero(t, stateOf(t, s).Messages, "old on arrival")
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestLimitsAreKeptWithTheStream: zero keeps what is stored, a negative value lifts
// it, another one replaces it and is applied at once.
func TestLimitsAreKeptWithTheStream(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10}
	reopen := func(change func(*actors.Config)) *actors.Store {
		c := config
		if change != nil {
			change(&c)
		}
		return open(t, c)
	}
	s := reopen(func(c *actors.Config) {
		c.MaxMsgs, c.MaxBytes, c.MaxMsgSize, c.MaxAge, c.Discard = 20, 1<<20, 100, time.Hour, actors.DiscardNew
	})
	for i := range 20 {
		mustStore(t, s, "a", fmt.Sprint(i))
	}
	require.NoError(t, s.Stop(t.Context()))

	s = reopen(nil)
	_, err := s.StoreMsg(t.Context(), "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrMaxMsgs)
	require.NoError(t, s.Stop(t.Context()))

	s = reopen(func(c *actors.Config) { c.MaxMsgs = actors.Unlimited })
	_, err = s.StoreMsg(t.Context(), "a", nil, make([]byte, 101))
	require.ErrorIs(t, err, actors.ErrTooLarge)
	mustStore(t, s, "a", "20")
	require.NoError(t, s.Stop(t.Context()))

	s = reopen(func(c *actors.Config) { c.MaxMsgSize, c.Discard = actors.Unlimited, actors.DiscardOld })
	_, err = s.StoreMsg(t.Context(), "a", nil, make([]byte, 101))
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))

	s = reopen(func(c *actors.Config) { c.MaxMsgs = 5 })
	require.Equal(t, uint64(5), stateOf(t, s).Messages)
	require.NoError(t, s.Stop(t.Context()))

	s = reopen(func(c *actors.Config) { c.MaxAge, c.MaxBytes = -1, -1 })
	require.Equal(t, uint64(5), stateOf(t, s).Messages)
	mustStore(t, s, "a", string(make([]byte, 1<<20)))
	require.Equal(t, uint64(5), stateOf(t, s).Messages)
	got, _ := collect(t, s)
	require.Equal(t, sequences(19, 23), got)
}

func TestFirstSequenceIsForNewStreamsOnly(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), FirstSequence: 100}
	s := open(t, config)
	check := func() {
		state := stateOf(t, s)
		require.Equal(t, uint64(100), state.FirstSequence)
		require.Equal(t, uint64(99), state.LastSequence)
		require.True(t, state.LastTime.IsZero())
		_, err := s.LoadMsg(t.Context(), 99)
		require.ErrorIs(t, err, actors.ErrNotFound)
	}
	check()
	require.NoError(t, s.Stop(t.Context()))
	for _, first := range []uint64{0, 1, 100, 500} {
		config.FirstSequence = first
		s = open(t, config)
		check()
		require.NoError(t, s.Stop(t.Context()))
	}
	s = open(t, config)
	require.Equal(t, uint64(100), mustStore(t, s, "a", "x").Sequence)
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	require.Equal(t, uint64(1), stateOf(t, s).Messages)
	// A stream that is there, but was never used.
	config = actors.Config{Dir: t.TempDir()}
	s = open(t, config)
	require.NoError(t, s.Stop(t.Context()))
	config.FirstSequence = 500
	s = open(t, config)
	require.Equal(t, uint64(1), mustStore(t, s, "a", "x").Sequence)
}

// TestLimitsOverUncachedBlocks: after a reopen with many blocks the head's table
// has to be read before its messages can go; stores wait for it, in order.
func TestLimitsOverUncachedBlocks(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10}
	s := open(t, config)
	const n = 300
	for i := range n {
		mustStore(t, s, fmt.Sprint("s", i), string(make([]byte, 200)))
	}
	require.NoError(t, s.Stop(t.Context()))
	config.MaxMsgs = n
	s = open(t, config)
	for i := range n {
		ack := mustStore(t, s, "new", fmt.Sprint(i))
		state := stateOf(t, s)
		require.Equal(t, uint64(n), state.Messages)
		require.Equal(t, ack.Sequence, state.LastSequence)
		require.Equal(t, ack.Sequence-n+1, state.FirstSequence)
		require.Equal(t, uint64(n-i), state.Subjects)
	}
	require.NoError(t, s.Flush(t.Context()))
	require.NoError(t, s.Stop(t.Context()))
	require.LessOrEqual(t, len(blockFiles(t, config)), 6, "300 messages of 66 bytes with their marks")
}
