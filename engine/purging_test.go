package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// inPieces opens a stream of small blocks with ten messages each of a and b, all in the files, in which a purge of
// more than three messages is carried out two by two.
func inPieces(t *testing.T, limits engine.Limits) *shell {
	t.Cleanup(engine.SetPurgePieces(3, 64, 2))
	t.Cleanup(engine.SetKeepRecords(0))
	cfg := testConfig()
	cfg.BlockSize, cfg.Limits = 400, limits
	s := newShell(cfg, newDisk(), engine.NewPublished(), start)
	for range 10 {
		s.must(t, store("a", 69), store("b", 69))
	}
	s.reopen()
	s.replies = nil
	return s
}

// goOn runs one operation, and returns the tags of the replies that come meanwhile.
func (s *shell) goOn() (tags []any) {
	s.turn()
	s.runAny()
	s.turn()
	for _, r := range s.replies {
		tags = append(tags, r.Tag)
	}
	s.replies = nil
	return tags
}

// TestStoresPassAPurge: what is stored behind a purge of many messages does not wait for it, but for a message that
// the purge would remove, had it come before: that waits for the first piece.
func TestStoresPassAPurge(t *testing.T) {
	s := inPieces(t, engine.Limits{})
	require.Zero(t, s.e.Purging())
	s.step(purgeOf("a", 0, 0))
	s.turn()
	require.Equal(t, 1, s.e.Purging())
	other, same := store("b", 69), store("a", 69)
	other.tag, same.tag = "other", "same"
	s.step(other)
	s.step(same)
	var order []any
	left := map[any]uint64{}
	for len(order) < 3 {
		for _, tag := range s.goOn() {
			order = append(order, tag)
			left[tag] = s.pub.State().Messages
		}
		require.NoError(t, s.e.CheckInvariants())
	}
	require.Equal(t, []any{"other", "same", "purge"}, order)
	require.Zero(t, s.e.Purging())
	require.Equal(t, uint64(21), left["other"], "nothing is removed before all of it is found, or enough for a piece")
	require.Equal(t, uint64(20), left["same"])
	require.Equal(t, uint64(12), left["purge"])
	s.settle()
	require.Equal(t, []uint64{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 21, 22}, s.live())
	s.reopen()
	require.Equal(t, []uint64{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 21, 22}, s.live())
}

// TestCommandsThatWaitForAPurge: those that ask for what it changes, or that it makes room for.
func TestCommandsThatWaitForAPurge(t *testing.T) {
	rollup := store("b", 0)
	rollup.command.(*engine.Store).Rollup = engine.RollupSubject
	expecting := store("b", 0)
	expecting.command.(*engine.Store).Expect = []engine.ExpectedLast{{Sequence: 20}}
	for _, row := range []struct {
		name   string
		limits engine.Limits
		do     sent
		waits  bool
	}{
		{"store", engine.Limits{}, store("b", 0), false},
		{"raw store", engine.Limits{}, raw(21, start), false},
		{"remove", engine.Limits{}, sent{1, &engine.Remove{Sequence: 2}}, false},
		{"erase", engine.Limits{}, sent{1, &engine.Erase{Sequence: 2}}, false},
		{"skip", engine.Limits{}, sent{1, &engine.Skip{Count: 3}}, false},
		{"flush", engine.Limits{}, sent{1, &engine.Flush{}}, false},
		{"purge of another subject", engine.Limits{}, sent{1, purgeOf("c", 0, 0).command}, false},
		{"store of the subject", engine.Limits{}, store("a", 0), true},
		{"batch with the subject", engine.Limits{}, sent{1, &engine.StoreBatch{Messages: []engine.Message{{Subject: "b"}, {Subject: "a"}}}}, true},
		{"roll-up", engine.Limits{}, rollup, true},
		{"store that expects the last of a subject", engine.Limits{}, expecting, true},
		{"store that MaxMsgs would make room for", engine.Limits{MaxMsgs: 20}, store("b", 0), true},
		{"store that MaxMsgs would refuse", engine.Limits{MaxMsgs: 20, Discard: engine.DiscardNew}, store("b", 0), true},
		{"store that MaxBytes would make room for", engine.Limits{MaxBytes: 2000}, store("b", 0), true},
		{"store with room", engine.Limits{MaxMsgs: 21, MaxBytes: 2100}, store("b", 0), false},
		{"purge of everything", engine.Limits{}, sent{1, &engine.Purge{}}, true},
		{"compact", engine.Limits{}, sent{1, &engine.Compact{Sequence: 5}}, true},
		{"truncate", engine.Limits{}, sent{1, &engine.Truncate{Sequence: 19}}, true},
		{"change of limits", engine.Limits{}, sent{1, &engine.SetLimits{Limits: engine.Limits{MaxMsgs: 100}}}, true},
		{"stop", engine.Limits{}, sent{1, &engine.Stop{}}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := inPieces(t, row.limits)
			s.step(purgeOf("a", 0, 0))
			require.Len(t, s.e.Purges(), 1)
			s.step(row.do)
			if row.waits {
				require.Equal(t, 1, s.e.Parked())
			} else if s.e.Parked() > 0 { // but for a table
				for s.turn(); s.e.Parked() > 0 && s.runWork(); s.turn() {
				}
				require.Zero(t, s.e.Parked())
				require.NotEmpty(t, s.e.Purges())
			}
			s.settle()
			require.Zero(t, s.e.Parked())
			require.Empty(t, s.e.Purges())
		})
	}
}

// TestAStoreFindsTheRoomOfAPiece: in a full stream it waits no longer than for the first one, and no message goes
// for it.
func TestAStoreFindsTheRoomOfAPiece(t *testing.T) {
	s := inPieces(t, engine.Limits{MaxMsgs: 20})
	s.step(purgeOf("b", 0, 0))
	s.step(store("c", 69))
	for s.e.Parked() > 0 {
		s.goOn()
	}
	require.Equal(t, 2, s.e.Purges()[0].Removed)
	s.settle()
	require.Equal(t, []uint64{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21}, s.live())
}

// TestAPurgeInPiecesIsOneNotice: with the last piece. One who begins to listen meanwhile is told what there is then,
// and those who were there before what was removed until then.
func TestAPurgeInPiecesIsOneNotice(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := inPieces(t, engine.Limits{})
		s.listen()
		s.settle()
		s.heard(t)
		s.step(purgeOf("a", 0, 0))
		want := []string{"purged -10 -1000 0 "}
		if late {
			for s.pub.State().Messages == 20 {
				s.goOn()
			}
			s.e.Notify()
			want = []string{"purged -4 -400 0 ", "registered +0 +1600 0 ", "purged -6 -600 0 "}
		}
		var told []string
		for range 100 {
			s.goOn()
			for _, n := range s.taker.list {
				told = append(told, inShort(n))
			}
			s.taker.list = nil
		}
		require.Equal(t, want, told)
	}
}

// TestAPurgeInPiecesFails: when the engine fails, the purge is one of which it is not known what became, and what was
// removed until then is told.
func TestAPurgeInPiecesFails(t *testing.T) {
	s := inPieces(t, engine.Limits{})
	s.listen()
	s.settle()
	s.heard(t)
	s.step(purgeOf("a", 0, 0))
	for s.pub.State().Messages == 20 {
		s.goOn()
	}
	s.e.Fail(errDisk)
	s.turn()
	require.ErrorIs(t, s.replies[0].Err, engine.ErrOutcomeUnknown)
	require.Equal(t, []string{"purged -2 -200 0 "}, s.heard(t))
	require.Empty(t, s.e.Purges())
}

// TestAPurgeInPiecesOfWhatALimitReplaces: what MaxMsgsPer has replaced before and meanwhile does not come back.
func TestAPurgeInPiecesOfWhatALimitReplaces(t *testing.T) {
	s := inPieces(t, engine.Limits{MaxMsgsPer: 5})
	s.step(purgeOf("a", 0, 0))
	for s.pub.State().Messages == 10 {
		s.goOn()
	}
	s.must(t, store("a", 69), store("a", 69), store("a", 69))
	require.Equal(t, []uint64{12, 14, 16, 18, 20, 21, 22, 23}, s.live())
	s.reopen()
	require.Equal(t, []uint64{12, 14, 16, 18, 20, 21, 22, 23}, s.live())
}

// TestAPurgeInPiecesLeavesRoomForCommands: while commands come, the next piece waits for some of them, or for some
// time.
func TestAPurgeInPiecesLeavesRoomForCommands(t *testing.T) {
	s := inPieces(t, engine.Limits{})
	s.step(purgeOf("a", 0, 0))
	for s.e.Purges()[0].Removed == 0 {
		s.goOn()
	}
	s.step(store("b", 0))
	for s.turn(); s.runAny(); s.turn() {
	}
	require.Equal(t, 2, s.e.Purges()[0].Removed)
	require.True(t, s.e.PurgeWaits())
	at, ok := s.e.NextTick()
	require.True(t, ok)
	require.LessOrEqual(t, at, s.now+2*millisecond)
	s.tick(at)
	s.turn()
	require.Equal(t, 4, s.e.Purges()[0].Removed)
}

// TestAPurgeInPiecesRemovesWhatOneStepDoes, whatever stays.
func TestAPurgeInPiecesRemovesWhatOneStepDoes(t *testing.T) {
	for _, filter := range []string{"a", "b", "*", ">", "c"} {
		for _, below := range []uint64{0, 1, 2, 9, 20, 30} {
			for _, keep := range []uint64{0, 1, 2, 7, 10, 11} {
				s := inPieces(t, engine.Limits{})
				want := s.purged(t, 100, purgeOf(filter, below, keep))
				one := s.live()
				s = inPieces(t, engine.Limits{})
				got := s.purged(t, 0, purgeOf(filter, below, keep))
				require.Equal(t, want, got, "%s below %d, keep %d", filter, below, keep)
				require.Equal(t, one, s.live(), "%s below %d, keep %d", filter, below, keep)
				s.reopen()
				require.Equal(t, one, s.live(), "%s below %d, keep %d, reopened", filter, below, keep)
			}
		}
	}
}

// purged carries out a purge, in pieces if more than so many messages go, and returns how many it has removed.
func (s *shell) purged(t *testing.T, most int, purge sent) int {
	defer engine.SetPurgePieces(most, 64, 2)()
	return s.must(t, purge)[0].Count
}
