package streamstate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// bounded decodes, and requires that this takes memory in proportion to the input. The fuzzer allocates beside it, so
// only what is too much each time is.
func bounded(t *testing.T, data []byte, decode func() error) bool {
	t.Helper()
	var err error
	limit, most := uint64(mostPerByte*len(data)+mostBeside), uint64(0)
	for range 3 {
		if most = allocates(func() { err = decode() }); most <= limit {
			break
		}
	}
	require.LessOrEqual(t, most, limit)
	if err != nil {
		require.ErrorIs(t, err, streamstate.ErrInvalid)
	}
	return err == nil
}

// FuzzIndex: no body makes DecodeBody panic or take much memory, and what it accepts is read again as it is
// written.
func FuzzIndex(f *testing.F) {
	for _, row := range indexes {
		file := unhex(f, row.file)
		f.Add(file[:len(file)-8])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var x *streamstate.Index
		ok := bounded(t, body, func() (err error) { x, err = streamstate.DecodeBody(body); return err })
		few, err := streamstate.DecodeBlocks(body)
		require.Equal(t, ok, err == nil)
		if !ok {
			return
		}
		require.Equal(t, x.Blocks, few.Blocks)
		_ = x.Check() // any answer, without a panic
		again, err := streamstate.DecodeBody(x.AppendBody(nil))
		require.NoError(t, err)
		require.Equal(t, x.Head, again.Head)
		require.Equal(t, len(x.Subjects), len(again.Subjects))
		require.Equal(t, len(x.Blocks), len(again.Blocks))
		for i := range x.Blocks {
			require.Equal(t, x.Blocks[i].Messages(), again.Blocks[i].Messages())
		}
	})
}

// FuzzSet is FuzzIndex for sets of sequences.
func FuzzSet(f *testing.F) {
	f.Add(unhex(f, deletedSet))
	f.Add(streamstate.NewSet(single(1, 2048, 4096)).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *streamstate.Set
		n := 0
		if !bounded(t, data, func() (err error) { s, n, err = streamstate.DecodeSet(data); return err }) {
			return
		}
		count, before := uint64(0), uint64(0)
		for first, last := range s.Ranges() {
			require.LessOrEqual(t, first, last)
			require.True(t, count == 0 || before < first)
			require.True(t, s.Contains(first) && s.Contains(last) && !s.Contains(last+1))
			count, before = count+last-first+1, last
		}
		require.Equal(t, s.Len(), count)
		if data[1] == 2 {
			require.Equal(t, data[:n], s.Append(nil))
		}
	})
}

// FuzzTTLs is FuzzIndex for thw.db.
func FuzzTTLs(f *testing.F) {
	f.Add(unhex(f, "01 0200000000000000 2d01000000000000 8090afa391c0ce972f 07 80c09ad6cbe2d0972f ac02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ttls *streamstate.TTLs
		if bounded(t, data, func() (err error) { ttls, err = streamstate.DecodeTTLs(data); return err }) {
			again, err := streamstate.DecodeTTLs(ttls.Append(nil))
			require.NoError(t, err)
			require.Equal(t, ttls, again)
		}
	})
}

// FuzzSchedules is FuzzIndex for sched.db.
func FuzzSchedules(f *testing.F) {
	f.Add(unhex(f, "01 0100000000000000 0a00000000000000 0700 73636865642e61 80a08ee4dbc0ce972f 09"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *streamstate.Schedules
		if bounded(t, data, func() (err error) { s, err = streamstate.DecodeSchedules(data); return err }) {
			again, err := streamstate.DecodeSchedules(s.Append(nil))
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	})
}

// FuzzOwn: no body makes DecodeOwn panic, go on for ever or take much memory.
func FuzzOwn(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		var own *streamstate.OwnState
		if !bounded(t, body, func() (err error) { own, err = streamstate.DecodeOwn(body); return err }) || own == nil {
			return
		}
		for range own.Subjects {
			var s streamstate.OwnSubject
			if !own.Next(&s) {
				return
			}
			require.LessOrEqual(t, s.First, s.Last)
			require.NotEmpty(t, s.Name)
		}
	})
}
