package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/duplicates"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// idAge is for how long ids are remembered in the model, which knows no end of it.
const idAge = 365 * 24 * time.Hour

// withID gives some messages an id, and some of them one that others have, too.
func withID(t *rapid.T, m engine.Message) engine.Message {
	if n := rapid.IntRange(-8, 4).Draw(t, "id"); n >= 0 {
		m.Header = idHeader(fmt.Sprint("id", n))
	}
	return m
}

func idHeader(id string) []byte {
	return []byte("NATS/1.0\r\nA: b\r\nNats-Msg-Id: " + id + "\r\n\r\n")
}

func idOf(header []byte) string {
	id, _ := msgheader.Find(header, msgheader.MsgID)
	return string(id)
}

// duplicates answers messages of which some were stored already.
func (m *model) duplicates(messages []engine.Message, r *engine.Reply) bool {
	var hits []uint64
	seen := map[string]bool{}
	for _, msg := range messages {
		id := idOf(msg.Header)
		if id == "" || m.ids == nil {
			continue
		}
		if seen[id] {
			r.Err = engine.ErrDuplicateInBatch
			return true
		}
		seen[id] = true
		if sequence, known := m.ids[id]; known {
			hits = append(hits, sequence)
		}
	}
	if len(hits) == 0 {
		return false
	}
	for i, sequence := range hits {
		if len(hits) < len(messages) || sequence != hits[0]+uint64(i) {
			r.Err = engine.ErrDuplicateInBatch
			return true
		}
	}
	r.Sequence, r.Count, r.Duplicate = hits[len(hits)-1], len(messages), true
	return true
}

// remember remembers the id of a message.
func (m *model) remember(msg engine.Message, sequence uint64, time int64) {
	id := idOf(msg.Header)
	if _, known := m.ids[id]; m.ids != nil && id != "" && !known && time > start-int64(idAge)/2 {
		m.ids[id] = sequence
	}
}

// reopenIDs forgets all ids but those of these messages.
func (m *model) reopenIDs(found []entry) {
	clear(m.ids)
	for _, e := range found {
		m.remember(engine.Message{Header: []byte(e.header)}, e.sequence, e.time)
	}
}

func storeID(id string) sent {
	return sent{"store " + id, &engine.Store{Message: engine.Message{Subject: "a", Header: idHeader(id), Payload: payload(100)}}}
}

func remembers(entries int, age time.Duration) func(*engine.Config) {
	return func(cfg *engine.Config) { cfg.Duplicates = duplicates.Limits{Entries: entries, Age: age} }
}

// TestADuplicateIsAnsweredWithTheFirstSequence, whatever has become of that message, ahead of limits and
// preconditions, and after a restart as long as the message is there.
func TestADuplicateIsAnsweredWithTheFirstSequence(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(cfg *engine.Config) {
		remembers(100, time.Minute)(cfg)
		cfg.Limits = engine.Limits{MaxMsgs: 3, Discard: engine.DiscardNew}
	})
	again := func(id string, sequence uint64) {
		t.Helper()
		c := storeID(id)
		c.command.(*engine.Store).Precondition = engine.Precondition{HasExpectLast: true, ExpectLast: 77}
		r := s.must(t, c)[0]
		require.True(t, r.Duplicate)
		require.Equal(t, sequence, r.Sequence)
	}
	s.must(t, storeID("one"), storeID("two"), storeID("three"))
	again("two", 2)
	require.ErrorIs(t, s.do(storeID("four"))[0].Err, engine.ErrMaxMsgs)
	s.must(t, removal(2))
	again("two", 2)
	s.must(t, storeID("four"))
	s.reopen()
	again("one", 1)
	again("three", 3)
	again("four", 4)
	require.ErrorIs(t, s.do(storeID("two"))[0].Err, engine.ErrMaxMsgs, "its message is gone, and the id with it")
}

// TestADuplicateWaitsForTheFirst: the answer leaves with that to the first one, not before it.
func TestADuplicateWaitsForTheFirst(t *testing.T) {
	s := open(remembers(100, time.Minute))
	s.step(storeID("one"))
	s.turn() // it is on its way to the disk
	s.step(storeID("one"))
	s.turn()
	require.Empty(t, s.replies)
	s.settle()
	require.Len(t, s.replies, 2)
	require.EqualValues(t, 1, s.replies[1].Sequence)
	require.EqualValues(t, 1, s.pub.Last())
}

// TestIdsAreForgotten after their time, beyond their number, and with a truncate; and none is remembered by
// default.
func TestIdsAreForgotten(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		t.Run(fmt.Sprint("reopened ", reopened), func(t *testing.T) {
			s := open(remembers(2, time.Minute))
			reopen := func() {
				if reopened {
					s.reopen()
				}
			}
			s.must(t, storeID("one"), storeID("two"), storeID("three"))
			reopen()
			require.False(t, s.must(t, storeID("one"))[0].Duplicate, "two others came after it")
			require.True(t, s.must(t, storeID("three"))[0].Duplicate)
			s.tick(start + 60*second)
			reopen()
			require.False(t, s.must(t, storeID("three"))[0].Duplicate, "a minute has passed")
			require.True(t, s.must(t, storeID("three"))[0].Duplicate)
			s.must(t, truncateTo(4))
			require.False(t, s.must(t, storeID("three"))[0].Duplicate)
		})
	}
	s := open(nil)
	s.must(t, storeID("one"))
	require.False(t, s.must(t, storeID("one"))[0].Duplicate)
}

// TestIdsOfWhatIsTruncated are forgotten: their messages can be stored again. Those of the messages that are left
// are known as before, also of ones that were removed; and after a restart those that are there.
func TestIdsOfWhatIsTruncated(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(cfg *engine.Config) {
			remembers(100, time.Minute)(cfg)
			cfg.Level = level
		})
		s.must(t, storeID("one"), storeID("two"), storeID("three"), storeID("four"), removal(2))
		s.step(truncateTo(2))
		s.step(storeID("three")) // it waits for the truncation
		s.step(storeID("two"))
		s.settle()
		r := s.replies[len(s.replies)-3:]
		require.Equal(t, 2, r[0].Count)
		require.False(t, r[1].Duplicate)
		require.EqualValues(t, 3, r[1].Sequence)
		require.True(t, r[2].Duplicate, "its message was removed while the stream is open")
		require.EqualValues(t, 2, r[2].Sequence)
		for _, id := range []string{"one", "three"} {
			require.True(t, s.must(t, storeID(id))[0].Duplicate)
		}
		s.must(t, truncateTo(3))
		s.reopen()
		for _, id := range []string{"one", "three"} {
			require.True(t, s.must(t, storeID(id))[0].Duplicate)
		}
		for i, id := range []string{"four", "two"} {
			r := s.must(t, storeID(id))[0]
			require.False(t, r.Duplicate, id)
			require.EqualValues(t, 4+i, r.Sequence)
		}
		require.Len(t, s.live(), 4)
		s.must(t, truncateTo(0))
		require.False(t, s.must(t, storeID("one"))[0].Duplicate)
		require.EqualValues(t, 1, s.pub.Last())
	}
}

// TestIdsGrowOldBehindATruncation as they did before it.
func TestIdsGrowOldBehindATruncation(t *testing.T) {
	s := open(remembers(100, time.Minute))
	s.must(t, storeID("one"), storeID("two"))
	s.tick(start + 59*second)
	s.must(t, truncateTo(1))
	require.True(t, s.must(t, storeID("one"))[0].Duplicate)
	s.tick(start + 60*second)
	require.False(t, s.must(t, storeID("one"))[0].Duplicate)
}

// TestBadIds are refused, for what they are.
func TestBadIds(t *testing.T) {
	s := open(remembers(10, time.Minute))
	for _, id := range []string{"", strings.Repeat("x", duplicates.MaxID+1)} {
		require.ErrorIs(t, s.do(storeID(id))[0].Err, engine.ErrBadID)
		batch := &engine.StoreBatch{Messages: []engine.Message{{}, {Header: idHeader(id)}}}
		require.ErrorIs(t, s.do(sent{1, batch})[0].Err, engine.ErrBadID)
	}
	s.must(t, storeID(strings.Repeat("x", duplicates.MaxID)))
	require.EqualValues(t, 1, s.pub.Last())
}

// TestBatchesWithIds are answered as duplicates when they were stored as they are, and refused when a part was.
func TestBatchesWithIds(t *testing.T) {
	s := open(remembers(10, time.Minute))
	batch := func(ids ...string) sent {
		c := &engine.StoreBatch{}
		for _, id := range ids {
			m := engine.Message{Subject: "a"}
			if id != "" {
				m.Header = idHeader(id)
			}
			c.Messages = append(c.Messages, m)
		}
		return sent{fmt.Sprint(ids), c}
	}
	s.must(t, store("a", 0), batch("one", "two"))
	r := s.must(t, batch("one", "two"))[0]
	require.True(t, r.Duplicate)
	require.EqualValues(t, 3, r.Sequence)
	require.EqualValues(t, 2, r.Count)
	for _, row := range []struct {
		ids  []string
		want engine.DuplicateError
	}{
		{[]string{"one", "two", "three"}, engine.DuplicateError{Index: 0, Sequence: 2}},
		{[]string{"two", "one"}, engine.DuplicateError{Index: 0, Sequence: 3}},
		{[]string{"", "two"}, engine.DuplicateError{Index: 1, Sequence: 3}},
		{[]string{"three", "three"}, engine.DuplicateError{Index: 1}},
	} {
		r := s.do(batch(row.ids...))[0]
		var got *engine.DuplicateError
		require.ErrorAs(t, r.Err, &got)
		require.ErrorIs(t, r.Err, engine.ErrDuplicateInBatch)
		require.Equal(t, row.want, *got)
	}
	require.EqualValues(t, 3, s.pub.Last())
}

// TestABlockWhoseIdsCannotBeRead is tried again, and in the end the stream is opened without them.
func TestABlockWhoseIdsCannotBeRead(t *testing.T) {
	for failures, known := range map[int]bool{0: true, 2: true, 3: false} {
		t.Run(fmt.Sprint(failures, " failures"), func(t *testing.T) {
			s := open(remembers(10, time.Hour))
			s.must(t, storeID("one"))
			s.disk.fault = func(_ int, what string) error {
				if strings.HasPrefix(what, "ids ") && failures > 0 {
					failures--
					return errNoFile
				}
				return nil
			}
			s.reopen()
			s.disk.fault = nil
			require.Equal(t, known, s.must(t, storeID("one"))[0].Duplicate)
		})
	}
}

// TestARetryAfterACrashIsStoredOnce: after a crash at any moment all is stored again, and every id is there once.
func TestARetryAfterACrashIsStoredOnce(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(cfg *engine.Config) {
			remembers(100, time.Minute)(cfg)
			cfg.Level = level
		})
		const ids = 12
		retry := func(after *shell) {
			for i := range ids {
				after.must(t, storeID(fmt.Sprint(i)))
			}
			seen := map[string]bool{}
			for _, sequence := range after.live() {
				r, _ := after.read(sequence)
				require.False(t, seen[idOf(r.header)], "%s is there twice", r.header)
				seen[idOf(r.header)] = true
			}
			require.Len(t, seen, ids)
		}
		crashes := 0
		s.disk.point = func(string) {
			for _, keep := range []func() bool{dropAll, keepAll, keepSome(1)} {
				crashes++
				retry(newShell(s.cfg, s.disk.crash(keep), engine.NewPublished(), s.now))
			}
		}
		for i := range ids {
			s.step(storeID(fmt.Sprint(i)))
			if i%3 == 0 {
				s.turn()
				s.runAny()
			}
		}
		s.settle()
		s.disk.point = nil
		require.Greater(t, crashes, 10)
		retry(s)
	}
}
