package actors

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// countedAs says of every error of the package under which reason an operation is counted that ends with it. "" is for
// those with which none ends.
var countedAs = map[string]struct {
	err    error
	reason string
}{
	"ErrCrashLoop":              {ErrCrashLoop, "gave_up"},
	"ErrUnreadable":             {ErrUnreadable, "unreadable"},
	"ErrPredicate":              {ErrPredicate, "filter"},
	"ErrOverloaded":             {ErrOverloaded, "overloaded"},
	"ErrConfig":                 {ErrConfig, "config"},
	"ErrBadSubject":             {ErrBadSubject, "subject"},
	"ErrBadFilter":              {ErrBadFilter, "filter"},
	"ErrBadTime":                {ErrBadTime, "time"},
	"ErrBadHeader":              {ErrBadHeader, "header"},
	"ErrBadMsgID":               {ErrBadMsgID, "msg_id"},
	"ErrDuplicateInBatch":       {ErrDuplicateInBatch, "batch"},
	"ErrRollupInBatch":          {ErrRollupInBatch, "batch"},
	"ErrEmptyBatch":             {ErrEmptyBatch, "batch"},
	"ErrStopped":                {ErrStopped, "stopped"},
	"ErrReadOnly":               {ErrReadOnly, "read_only"},
	"ErrFailed":                 {ErrFailed, "failed"},
	"ErrOutcomeUnknown":         {ErrOutcomeUnknown, "outcome_unknown"},
	"ErrNoDescriptors":          {fmt.Errorf("%w: %w", ErrOutcomeUnknown, ErrNoDescriptors), "no_descriptors"},
	"ErrNoSpace":                {ErrNoSpace, "no_space"},
	"ErrMaxMsgs":                {ErrMaxMsgs, "max_msgs"},
	"ErrMaxBytes":               {ErrMaxBytes, "max_bytes"},
	"ErrMaxMsgsPerSubject":      {ErrMaxMsgsPerSubject, "max_msgs_per_subject"},
	"ErrTooLarge":               {ErrTooLarge, "size"},
	"ErrSequenceMismatch":       {ErrSequenceMismatch, "sequence"},
	"ErrNotFound":               {ErrNotFound, "not_found"},
	"ErrEOF":                    {ErrEOF, "not_found"},
	"ErrCorrupt":                {ErrCorrupt, "unreadable"},
	"ErrSector":                 {ErrSector, "unreadable"},
	"ErrChanged":                {fmt.Errorf("%w: %w", ErrFailed, ErrChanged), "failed"},
	"ErrTooManyResults":         {}, // a read
	"ErrUnknownRequest":         {}, // no operation
	"ErrUnsupported":            {}, // Open
	"ErrKey":                    {},
	"ErrLocked":                 {},
	"ErrMetaLost":               {},
	"ErrNoStream":               {}, // Delete
	"ErrArchive":                {}, // Restore
	"ErrArchiveLimit":           {},
	"ErrIsBackup":               {},
	"ErrIsSnapshot":             {},
	"ErrSnapshotStale":          {}, // Snapshot
	"ErrBadStreamStateEncoding": {}, // DecodeStreamState
	"ErrCorruptStreamState":     {},
}

// TestEveryErrorOfARefusalHasACounter: an error that is new to the package has to be counted as something.
func TestEveryErrorOfARefusalHasACounter(t *testing.T) {
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	found := 0
	for _, entry := range files {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						found++
						require.Contains(t, countedAs, name.Name, "which reason has it in refusalReasons?")
					}
				}
			}
		}
	}
	require.Len(t, countedAs, found)
	for name, row := range countedAs {
		if row.reason != "" {
			require.Equal(t, row.reason, refusalReasons[reasonOf(fmt.Errorf("wrapped: %w", row.err))].word, name)
		}
	}
	require.Equal(t, "no_space", refusalReasons[reasonOf(fmt.Errorf("%w: %w", ErrFailed, ErrNoSpace))].word)
	require.Equal(t, "outcome_unknown", refusalReasons[reasonOf(fmt.Errorf("%w: %w: %w", ErrOutcomeUnknown, ErrFailed, ErrNoSpace))].word)
	require.Equal(t, "other", refusalReasons[reasonOf(errors.New("news"))].word)
}

// counted returns the reasons of which a store has counted any since the last call.
type counted map[string]uint64

func (c counted) since(s *Store) map[string]uint64 {
	more := make(map[string]uint64)
	for _, r := range s.Stats().Refusals {
		if r.Count > c[r.Reason] {
			more[r.Reason] = r.Count - c[r.Reason]
		}
		c[r.Reason] = r.Count
	}
	return more
}

// askRefused asks a store by PID, and returns the reply.
func askRefused(t *testing.T, s *Store, request any) any {
	t.Helper()
	reply, err := faultSystem.Root.RequestFuture(s.PID(), request, time.Hour).Result()
	require.NoError(t, err)
	return reply
}

// TestEveryRefusalIsCounted once, under its reason, however it was asked for.
func TestEveryRefusalIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		config := Config{
			Dir: "data", Name: "S", FS: files, MaxMsgs: 3, Discard: DiscardNew, MaxMsgSize: 1000, RetryMin: time.Hour, RetryMax: time.Hour,
		}
		s, err := Open(ctx, faultSystem, config)
		require.NoError(t, err)
		count := counted{}
		is := func(what string, want map[string]uint64) {
			t.Helper()
			synctest.Wait()
			require.Equal(t, want, count.since(s), what)
		}
		is("opening", map[string]uint64{})
		store := func(ctx context.Context, opts ...StoreOption) error {
			_, err := s.StoreMsg(ctx, "a", nil, []byte("x"), opts...)
			return err
		}
		require.NoError(t, store(ctx))
		is("a store", map[string]uint64{})

		p := s.Pipeline(10, nil)
		inAllWays := func(what, reason string, byPID any, by func() error, opts ...StoreOption) {
			t.Helper()
			require.Error(t, by(), what)
			is(what+" by handle", map[string]uint64{reason: 1})
			if byPID != nil {
				askRefused(t, s, byPID)
				is(what+" by PID", map[string]uint64{reason: 1})
			}
			if opts != nil {
				_, _ = p.Store(ctx, "a", nil, []byte("x"), opts...)
				require.NoError(t, p.Wait(ctx))
				is(what+" by pipeline", map[string]uint64{reason: 1})
			}
		}
		bad := Header{"A": {"x\r\ny"}}
		inAllWays("a header", "header", &StoreRequest{Subject: "a", Header: bad}, func() error {
			_, err := s.StoreMsg(ctx, "a", bad, nil)
			return err
		})
		inAllWays("an id", "msg_id", &StoreRequest{Subject: "a", Options: []StoreOption{MsgID("x")}},
			func() error { return store(ctx, MsgID("x")) }, MsgID("x"))
		inAllWays("a sequence", "sequence", &StoreRequest{Subject: "a", Options: []StoreOption{ExpectLast(9)}},
			func() error { return store(ctx, ExpectLast(9)) }, ExpectLast(9))
		inAllWays("an empty batch", "batch", &StoreBatchRequest{}, func() error {
			_, err := s.StoreBatch(ctx, nil)
			return err
		})
		inAllWays("a time", "time", nil, func() error {
			_, err := s.StoreRaw(ctx, RawMessage{Subject: "a", Sequence: 2, Time: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)})
			return err
		})
		inAllWays("a size", "size", &StoreRequest{Subject: "a", Payload: make([]byte, 64<<20)}, func() error {
			_, err := s.StoreMsg(ctx, "a", nil, make([]byte, 64<<20))
			return err
		})
		inAllWays("a removal", "not_found", &RemoveRequest{Sequence: 9}, func() error {
			_, err := s.RemoveMsg(ctx, 9)
			return err
		})
		inAllWays("a configuration", "config", nil, func() error { return s.UpdateConfig(ctx, Config{Name: "T"}) })
		require.NoError(t, store(ctx))
		require.NoError(t, store(ctx))
		inAllWays("a limit", "max_msgs", &StoreRequest{Subject: "a"}, func() error { return store(ctx) }, []StoreOption{}...)

		// A context that ends while a sync hangs: before the operation was accepted, and after.
		release := make(chan struct{})
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpSync {
				return blocktest.Fault{Wait: func() { <-release }, Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		_, err = s.RemoveMsg(endsSoon(ctx, errors.New("enough")), 1)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		is("a context that ends", map[string]uint64{"outcome_unknown": 1})
		close(release)
		synctest.Wait()
		inAllWays("a failure", "failed", &StoreRequest{Subject: "a"}, func() error { return store(ctx) }, ExpectLast(1))
		files.SetHook(nil)
		require.Error(t, s.Stop(ctx))
		inAllWays("a stop", "stopped", nil, func() error { return store(ctx) })
	})
}

// endsSoon returns a context that ends in a second.
func endsSoon(ctx context.Context, cause error) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	time.AfterFunc(time.Second, func() { cancel(cause) })
	return ctx
}

// TestRefusalsForNoRoomAndNoCredit: what comes while a disk is full is counted as that, and what comes too fast is.
func TestRefusalsForNoRoomAndNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		config := Config{Dir: "data", Name: "S", FS: files, MaxInFlight: 1}
		s, err := Open(ctx, faultSystem, config)
		require.NoError(t, err)
		count := counted{}
		release := make(chan struct{})
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpWrite {
				return blocktest.Fault{Wait: func() { <-release }, Err: blocktest.ErrNoSpace}
			}
			return blocktest.Fault{}
		})
		first := faultSystem.Root.RequestFuture(s.PID(), &StoreRequest{Subject: "a"}, time.Hour)
		synctest.Wait()
		require.ErrorIs(t, askRefused(t, s, &StoreRequest{Subject: "a"}).(*StoreReply).Err, ErrOverloaded)
		require.Equal(t, map[string]uint64{"overloaded": 1}, count.since(s))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = s.StoreMsg(short, "a", nil, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, map[string]uint64{"context": 1}, count.since(s))
		close(release)
		_, err = first.Result()
		require.NoError(t, err)
		require.Equal(t, map[string]uint64{"outcome_unknown": 1}, count.since(s))
		for range 100 {
			_, err = s.StoreMsg(ctx, "a", nil, nil)
			require.ErrorIs(t, err, ErrNoSpace)
		}
		require.Equal(t, map[string]uint64{"no_space": 100}, count.since(s))
		files.SetHook(nil)
		require.NoError(t, s.Ready(ctx))
		require.NoError(t, s.Stop(ctx))
	})
}
