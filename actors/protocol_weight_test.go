package actors

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// TestWhatReadsCountFor is what their comments say, whatever they ask for.
func TestWhatReadsCountFor(t *testing.T) {
	const most = math.MaxInt
	for _, row := range []struct {
		request reading
		weight  int64
	}{
		{&LoadRequest{}, 64 << 10},
		{&LoadNextRequest{}, 64 << 10},
		{&LoadLastRequest{}, 64 << 10},
		{&SubjectRequest{}, 64 << 10},
		{&FirstSequenceRequest{}, 128},
		{&SequenceAtRequest{}, 128},
		{&FilteredStateRequest{}, 128},
		{&PendingRequest{}, 128},
		{&ReadRequest{}, 128 + 1<<20 + 1000*128},
		{&ReadRequest{Max: 1, MaxBytes: 10}, 128 + 10 + 128},
		{&ReadRequest{Max: most, MaxBytes: most}, 128 + 8<<20 + 65536*128},
		{&ReadRequest{Max: -1, MaxBytes: math.MinInt}, 128 + 1<<20 + 1000*128},
		{&LastMessagesRequest{}, 128 + 1<<20 + 1000*128},
		{&LastMessagesRequest{Max: most, MaxBytes: most}, 128 + 8<<20 + 65536*128},
		{&SubjectsRequest{}, 128 + 1<<20 + 10_000*128},
		{&SubjectsRequest{Max: 1, MaxBytes: 10}, 128 + 10 + 128},
		{&SubjectsRequest{Max: most, MaxBytes: most}, 128 + 64<<20 + 1048576*128},
		{&LastSequencesRequest{}, 128 + 65536*16},
		{&LastSequencesRequest{MaxAllowed: 3}, 128 + 3*16},
		{&LastSequencesRequest{MaxAllowed: most}, 128 + 1048576*16},
		{&FullStateRequest{}, 128 + 65536*16},
		{&FullStateRequest{Max: 3}, 128 + 3*16},
		{&FullStateRequest{Max: most}, 128 + 1048576*16},
	} {
		require.Equal(t, row.weight, row.request.weight(), "%T%+v", row.request, row.request)
	}
}

// TestWhatWritesCountFor is 128 bytes, and as much for each message of a batch, besides
// the bytes of subject, header block and payload.
func TestWhatWritesCountFor(t *testing.T) {
	header := Header{"K": {"v"}}
	block, err := header.AppendBlock(nil)
	require.NoError(t, err)
	for _, row := range []struct {
		request writing
		cost    int
	}{
		{&StoreRequest{Subject: "a"}, 128 + 1},
		{&StoreRequest{Subject: "abc", Header: header, Payload: make([]byte, 100)}, 128 + 3 + len(block) + 100},
		{&StoreRawRequest{Message: RawMessage{Subject: "abc", HeaderBlock: block, Payload: make([]byte, 100)}}, 128 + 3 + len(block) + 100},
		{&StoreBatchRequest{}, 128},
		{
			&StoreBatchRequest{Messages: []BatchMessage{{Subject: "abc", Header: header}, {Subject: "d", Payload: make([]byte, 100)}}},
			128 + 128 + 3 + len(block) + 128 + 1 + 100,
		},
		{&SkipRequest{Count: 1 << 40}, 128},
		{&FlushRequest{}, 128},
	} {
		o := testOps.get()
		require.NoError(t, row.request.fill(o))
		require.EqualValues(t, row.cost, o.cost(), "%T%+v", row.request, row.request)
		o.recycle()
	}
}

// TestFirstFewOfTheLastSequences are found in little memory.
func TestFirstFewOfTheLastSequences(t *testing.T) {
	s, err := Open(t.Context(), faultSystem, Config{Dir: t.TempDir(), Name: "ORDERS", Sync: SyncNever})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(t.Context())) }()
	for i := range 100 {
		_, err := s.StoreMsg(t.Context(), string(rune('a'+i*37%100)), nil, nil)
		require.NoError(t, err)
	}
	for _, row := range []struct {
		from, most uint64
		few        int
		next       uint64
	}{{0, 0, 7, 8}, {1, 0, 99, 100}, {1, 0, 100, 0}, {90, 0, 5, 95}, {1, 50, 49, 50}, {1, 50, 50, 0}, {51, 50, 1, 0}, {101, 0, 9, 0}} {
		err := s.ask(t.Context(), []Filters{Filter(">")}, func(l *read.Lookup) error {
			sequences, next, err := l.LastsFrom(row.from, row.most, row.few)
			require.NoError(t, err)
			require.Equal(t, row.next, next, "%+v", row)
			require.LessOrEqual(t, len(sequences), row.few)
			require.LessOrEqual(t, cap(sequences), 4*row.few+8)
			for i, sequence := range sequences {
				require.Equal(t, max(row.from, 1)+uint64(i), sequence)
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// TestLongRepliesAreNotLogged when nobody is there to take them.
func TestLongRepliesAreNotLogged(t *testing.T) {
	for _, reply := range []any{
		&LoadReply{}, &LoadNextReply{}, &ReadReply{}, &SubjectsReply{}, &LastSequencesReply{}, &FullStateReply{}, &LostReply{}, &StreamConfigReply{},
	} {
		_, ok := reply.(interface{ IgnoreDeadLetterLogging() })
		require.True(t, ok, "%v", reflect.TypeOf(reply))
	}
}
