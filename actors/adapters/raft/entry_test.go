package raftstore

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// TestDecodeEntryRefuses has payloads that no entry is written as.
func TestDecodeEntryRefuses(t *testing.T) {
	good := appendEntry(nil, &raft.Log{Index: 9, Term: 1000, Extensions: []byte("extensions"), AppendedAt: time.Unix(3, 4)}, 5)
	for length := range good {
		_, err := decodeEntry(good[:length], 9, new(raft.Log))
		require.ErrorIs(t, err, ErrNoEntry, "cut to %d bytes", length)
	}
	for name, payload := range map[string][]byte{
		"another version":                  append([]byte{2}, good[1:]...),
		"a type of more than a byte":       {entryVersion, 1, 0x80, 2, 0, 0, 0, 0},
		"a commit index below zero":        {entryVersion, 1, 0, 10, 0, 0, 0, 0},
		"a second of nanoseconds":          {entryVersion, 1, 0, 0, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0},
		"a number that does not end":       {entryVersion, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"extensions that are longer":       {entryVersion, 1, 0, 0, 0, 0, 4, 'a', 'b', 'c'},
		"extensions that are far too long": {entryVersion, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		_, err := decodeEntry(payload, 9, new(raft.Log))
		require.ErrorIs(t, err, ErrNoEntry, name)
	}
	committed, err := decodeEntry(good, 9, new(raft.Log))
	require.NoError(t, err)
	require.EqualValues(t, 5, committed)
}

// FuzzDecodeEntry decodes anything: an error, or an entry that is written and read as the same one.
func FuzzDecodeEntry(f *testing.F) {
	for _, seed := range []*raft.Log{
		{Index: 1}, {Index: 1, Term: 1, Type: raft.LogNoop}, {Index: 1, Data: []byte("data")},
		{Index: 1, Extensions: []byte("extensions"), Data: []byte("data")}, {Index: 1, Term: 1 << 63, AppendedAt: time.Unix(1<<40, 999999999)},
	} {
		f.Add(appendEntry(nil, seed, 1), uint64(1))
	}
	f.Fuzz(func(t *testing.T, payload []byte, index uint64) {
		var first, second raft.Log
		committed, err := decodeEntry(payload, index, &first)
		if err != nil {
			return
		}
		if first.Index != index || committed > index {
			t.Fatalf("index %d, committed %d, of index %d", first.Index, committed, index)
		}
		again, err := decodeEntry(appendEntry(nil, &first, committed), index, &second)
		require.NoError(t, err)
		require.Equal(t, committed, again)
		require.Equal(t, first, second)
	})
}
