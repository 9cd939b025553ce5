package actors_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestATruncationThatFails at each of its file operations has happened or not, and the store goes on: what was
// begun is carried out when it recovers.
func TestATruncationThatFails(t *testing.T) {
	for name, from := range map[string]int64{"with indexes": 1, "without": -1} {
		t.Run(name, func(t *testing.T) { truncationsThatFail(t, actors.Config{BlockSize: 4 << 10, IndexFrom: from}) })
	}
}

func truncationsThatFail(t *testing.T, config actors.Config) {
	errDisk := errors.New("the disk is on fire")
	reached := true
	for at := 0; reached; at++ {
		s, files := faulty(t, config)
		for i := range 18 {
			mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
		}
		_, err := s.RemoveMsg(t.Context(), 3)
		require.NoError(t, err)
		if config.IndexFrom > 0 {
			eventually(t, func() bool { return filesEnding(t, files, ".bix") == filesEnding(t, files, ".blk")-1 })
		}
		var n atomic.Int64
		var failed atomic.Bool
		var what atomic.Value
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if n.Add(1) != int64(at)+1 {
				return blocktest.Fault{}
			}
			failed.Store(true)
			what.Store(op)
			return blocktest.Fault{Err: &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: errDisk}}
		})
		_, err = s.Truncate(t.Context(), 10)
		files.SetHook(nil)
		reached = failed.Load()
		if err != nil && !errors.Is(err, actors.ErrUnreadable) {
			require.ErrorIs(t, err, actors.ErrOutcomeUnknown, "%v", what.Load())
			eventually(t, recovered(s))
		}
		last := stateOf(t, s).LastSequence
		if err == nil {
			require.Equal(t, uint64(10), last, "%v", what.Load())
		}
		want := []uint64{1, 2, 4, 5, 6, 7, 8, 9, 10}
		if last != 10 {
			require.Equal(t, uint64(18), last)
			want = append(want, 11, 12, 13, 14, 15, 16, 17, 18)
		}
		got, _ := collect(t, s)
		require.Equal(t, want, got, "%v", what.Load())
		require.Equal(t, last+1, mustStore(t, s, "new", "x").Sequence)
		require.NoError(t, s.Stop(t.Context()))
		again := config
		again.FS, again.Dir, again.Name = files, "streams", "ORDERS"
		s = open(t, again)
		got, _ = collect(t, s)
		require.Equal(t, append(want, last+1), got, "%v", what.Load())
	}
}

// TestReadsOfATruncationThatFailed: what it has cut off is neither damaged nor there. The rest is read as ever, and
// nothing is told as lost.
func TestReadsOfATruncationThatFailed(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	config := actors.Config{Dir: "streams", FS: files, BlockSize: 4 << 10, IndexFrom: -1, NoRecovery: true}
	s := openToFail(t, config)
	for i := range 18 {
		mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
	}
	before := stateOf(t, s)
	errDisk := errors.New("the disk is on fire")
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRename && strings.Contains(op.Name, ".rewrite.") {
			return blocktest.Fault{Err: &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: errDisk}}
		}
		return blocktest.Fault{}
	})
	_, err := s.Truncate(t.Context(), 6)
	require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
	files.SetHook(nil)
	m, err := s.LoadMsg(t.Context(), 6)
	require.NoError(t, err)
	require.Equal(t, uint64(6), m.Sequence)
	_, err = s.LoadMsg(t.Context(), 11)
	require.ErrorIs(t, err, actors.ErrUnreadable)
	_, skip, err := s.LoadNextMsg(t.Context(), 10)
	require.ErrorIs(t, err, actors.ErrUnreadable)
	require.Zero(t, skip)
	var got []uint64
	for m, err := range s.Messages(t.Context()) {
		if err != nil {
			require.ErrorIs(t, err, actors.ErrUnreadable)
			break
		}
		got = append(got, m.Sequence)
	}
	require.Subset(t, got, sequences(1, 6))
	require.Equal(t, before, stateOf(t, s))
	_ = s.Stop(t.Context())
	s = open(t, config)
	got, _ = collect(t, s)
	require.Equal(t, sequences(1, 6), got)
	require.Zero(t, stateOf(t, s).LostMessages)
}
