package actors_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestErrorsAreSentencesForWhoCalls: what is wrong, and with what, and no name of a package.
func TestErrorsAreSentencesForWhoCalls(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := open(t, actors.Config{Dir: dir, Name: "S", MaxMsgs: 2, Discard: actors.DiscardNew})
	mustStore(t, s, "a", "x")
	mustStore(t, s, "a", "x")
	store := func(subject string, header actors.Header, payload string, options ...actors.StoreOption) error {
		return onlyErr(s.StoreMsg(ctx, subject, header, []byte(payload), options...))
	}
	free := open(t, actors.Config{MaxMsgSize: 5})
	mustStore(t, free, "a", "x")
	stopped := open(t, actors.Config{})
	require.NoError(t, stopped.Stop(ctx))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for want, err := range map[string]error{
		"the stream has as many messages as it may have: messages 3, at most 2":                    store("a", nil, "x"),
		"too large: bytes of header and payload 6, at most 5":                                      onlyErr(free.StoreMsg(ctx, "a", nil, []byte("123456"))),
		"the sequence does not fit: expected last sequence 7, and the stream has 1":                onlyErr(free.StoreMsg(ctx, "a", nil, nil, actors.ExpectLast(7))),
		`the sequence does not fit: expected last sequence of subject "a" 7, and the stream has 1`: onlyErr(free.StoreMsg(ctx, "a", nil, nil, actors.ExpectLastOfSubject("a", 7))),
		`invalid subject "a b": it holds ' '`:                                                      store("a b", nil, "x"),
		`invalid header: "A" has no value`:                                                         store("a", actors.Header{"A": nil}, "x"),
		`invalid message id: it is empty or begins with a space`:                                   store("a", nil, "x", actors.MsgID("")),
		"the batch has no message":                                                                 onlyErr(s.StoreBatch(ctx, nil)),
		"the sequence is above the last one: 9, last is 2":                                         onlyErr(s.LoadMsg(ctx, 9)),
		"the sequence is above the last one: 9, the last is 2":                                     onlyErr(s.RemoveMsg(ctx, 9)),
		`invalid filter "a..b": it has an empty token, which no subject has`:                       onlyErr(s.LoadLastMsg(ctx, actors.Filter("a..b"))),
		"there is no such message: no subject matches":                                             onlyErr(s.LoadLastMsg(ctx, actors.Filter("b"))),
		"filters of Where are for queries, and cannot decide what is changed": onlyErr(s.PurgeEx(ctx,
			actors.Where(func(string) bool { return true }), 0, 0)),
		"the time is out of range: 1000-01-01 00:00:00 +0000 UTC": onlyErr(s.StoreRaw(ctx, actors.RawMessage{Time: time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)})),
		"the store is stopped":                  onlyErr(stopped.StoreMsg(ctx, "a", nil, nil)),
		"nothing was changed: context canceled": onlyErr(s.StoreMsg(ended, "a", nil, nil)),
		"invalid configuration: name is empty":  onlyErr(actors.Open(ctx, quiet, actors.Config{Dir: dir})),
		"open stream S: " + filepath.Join(dir, "S") + " is in use, held by this process": onlyErr(actors.Open(ctx, quiet, actors.Config{Dir: dir, Name: "S"})),
	} {
		require.Error(t, err, want)
		text := err.Error()
		if strings.Contains(want, "in use") { // and since when
			text, _, _ = strings.Cut(text, ", process ")
		}
		require.Equal(t, want, text)
	}
}

// TestAFailureInTwoTexts: who calls reads what it means and the reason of the system; the log has the file and the place.
func TestAFailureInTwoTexts(t *testing.T) {
	faults := blocktest.NewFaultFS(blocktest.NewMemFS())
	var text bytes.Buffer
	s := openToFail(t, actors.Config{
		Dir: "data", Name: "S", FS: faults, NoRecovery: true, Logger: slog.New(slog.NewTextHandler(&text, nil)),
	})
	mustStore(t, s, "a", "x")
	faults.SetHook(refusedCause(blocktest.OpWrite, &os.PathError{Op: "write", Path: "data/S/msgs/1.blk", Err: syscall.ENOSPC}))
	_, err := s.StoreMsg(t.Context(), "a", nil, []byte("x"))
	require.EqualError(t, err, "it is not known whether this was done, as the store failed meanwhile: no space left on device")
	for _, is := range []error{actors.ErrOutcomeUnknown, actors.ErrFailed, actors.ErrNoSpace, syscall.ENOSPC} {
		require.ErrorIs(t, err, is)
	}
	_, err = s.StoreMsg(t.Context(), "a", nil, []byte("x"))
	require.EqualError(t, err, "writes are refused until the store has recovered: no space left on device")
	require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
	require.Error(t, s.Stop(t.Context()))
	require.Regexp(t, regexp.MustCompile(`storage failed.*write.*1\.blk`), text.String())
}
