package streamstate_test

import (
	"encoding/hex"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

func zeros(n int) string { return strings.Repeat("00", n) }

// Encoded states as a nats-server writes them.
var replicas = []struct {
	name, encoded string
	want          streamstate.Replica
	ours          bool // Append writes the same bytes
}{
	{"empty", "2a01000000000900", streamstate.Replica{Failed: 9}, true},
	{"a block that was dropped", "2a010aa604010f0005210605", streamstate.Replica{
		Messages: 10, Bytes: 550, First: 1, Last: 15, Deleted: []streamstate.Range{{6, 10}},
	}, true},
	{"a run, and a set", "2a0109ef030114070b21060a" + "16020100000001000000" + zeros(8) + zeros(2) + "02" + zeros(253) + "0100", streamstate.Replica{
		Messages: 9, Bytes: 495, First: 1, Last: 20, Failed: 7, Deleted: []streamstate.Range{{6, 15}, {17, 17}},
	}, false},
	{"a set", "2a01024a020a0007" + "16020100000007000000" + zeros(8) + "d807" + zeros(254) + "0100", streamstate.Replica{
		Messages: 2, Bytes: 74, First: 2, Last: 10, Deleted: []streamstate.Range{{3, 4}, {6, 10}},
	}, false},
	{"of 2.15, with a source", "2a020aa604010f0005" + "01" + "0141" + "07" + "026964" + "210605", streamstate.Replica{
		Messages: 10, Bytes: 550, First: 1, Last: 15, Deleted: []streamstate.Range{{6, 10}},
	}, false},
	{"out of order, and twice", "2a010aa604010f0005" + "210a01" + "210604" + "210601", streamstate.Replica{
		Messages: 10, Bytes: 550, First: 1, Last: 15, Deleted: []streamstate.Range{{6, 10}},
	}, false},
}

func TestReplicasOfAServer(t *testing.T) {
	for _, row := range replicas {
		t.Run(row.name, func(t *testing.T) {
			data, err := hex.DecodeString(row.encoded)
			require.NoError(t, err)
			r, err := streamstate.DecodeReplica(data)
			require.NoError(t, err)
			require.Equal(t, &row.want, r)
			if row.ours {
				require.Equal(t, row.encoded, hex.EncodeToString(r.Append(nil)))
			}
			again, err := streamstate.DecodeReplica(r.Append(nil))
			require.NoError(t, err)
			require.Equal(t, r, again)
			for n := range data {
				switch _, err := streamstate.DecodeReplica(data[:n]); {
				case n < 2:
					require.ErrorIs(t, err, streamstate.ErrNoReplica)
				case err != nil: // it is none where the cut is between two items
					require.ErrorIs(t, err, streamstate.ErrBadReplica)
				}
			}
		})
	}
}

// TestReplicasThatAreRefused, each by the error that says what it is.
func TestReplicasThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		name, encoded string
		want          error
	}{
		{"nothing", "", streamstate.ErrNoReplica},
		{"another magic", "2b01000000000000", streamstate.ErrNoReplica},
		{"version 0", "2a00000000000000", streamstate.ErrNoReplica},
		{"version 3", "2a03000000000000", streamstate.ErrNoReplica},
		{"an unknown item", "2a010aa604010f0005220605", streamstate.ErrBadReplica},
		{"an empty run", "2a010aa604010f0005210600", streamstate.ErrBadReplica},
		{"a run that wraps", "2a010aa604010f00052106ffffffffffffffffff01", streamstate.ErrBadReplica},
		{"a run beyond all sequences", "2a010aa604010f000521ffffffffffffffff7f01", streamstate.ErrBadReplica},
		{"more behind it", "2a01000000000000210605", streamstate.ErrBadReplica},
		{"very many sources", "2a020aa604010f0005" + "ffffffffffffffff7f", streamstate.ErrBadReplica},
		{"a set of version 9", "2a010aa604010f0005" + "1609", streamstate.ErrBadReplica},
	} {
		data, err := hex.DecodeString(row.encoded)
		require.NoError(t, err)
		_, err = streamstate.DecodeReplica(data)
		require.ErrorIs(t, err, row.want, row.name)
	}
}

// TestReplicasAreSmall: what is deleted in one piece takes a few bytes, and what is deleted here and there no more than
// a bit for each sequence.
func TestReplicasAreSmall(t *testing.T) {
	ends := streamstate.Replica{Messages: 2, First: 1, Last: 20_000, Deleted: []streamstate.Range{{2, 19_999}}}
	require.Less(t, len(ends.Append(nil)), 20)
	skips := streamstate.Replica{Messages: 2, First: 1, Last: 5_000_002, Deleted: []streamstate.Range{{2, 5_000_001}}}
	require.LessOrEqual(t, len(skips.Append(nil)), 20)
	every := streamstate.Replica{Messages: 500_000, First: 1, Last: 1_000_000}
	for s := uint64(2); s < every.Last; s += 2 {
		every.Deleted = append(every.Deleted, streamstate.Range{First: s, Last: s})
	}
	require.Less(t, len(every.Append(nil)), 140_000)
}

// TestRandomReplicas are what they were when they are decoded.
func TestRandomReplicas(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 300 {
		r := &streamstate.Replica{Bytes: rng.Uint64(), Failed: rng.Uint64(), First: 1 + rng.Uint64()%5000}
		at, deleted := r.First, uint64(0)
		for range rng.Intn(2000) {
			d := streamstate.Range{First: at + 1 + rng.Uint64()%3}
			if d.Last = d.First; rng.Intn(3) == 0 {
				d.Last += rng.Uint64() % 5
			}
			if rng.Intn(100) == 0 {
				d.Last += rng.Uint64() % 10_000
			}
			r.Deleted, at, deleted = append(r.Deleted, d), d.Last+1, deleted+d.Last-d.First+1
		}
		r.Last = at + 1
		r.Messages = r.Last - r.First + 1 - deleted
		again, err := streamstate.DecodeReplica(r.Append(nil))
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
}

// FuzzReplica: no bytes make DecodeReplica panic or take much memory, and what it accepts is the same when it is
// written and read again.
func FuzzReplica(f *testing.F) {
	for _, row := range replicas {
		f.Add(unhex(f, row.encoded))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r *streamstate.Replica
		var err error
		limit, most := uint64(400*len(data)+mostBeside), uint64(0)
		for range 3 {
			if most = allocates(func() { r, err = streamstate.DecodeReplica(data) }); most <= limit {
				break
			}
		}
		require.LessOrEqual(t, most, limit)
		if err != nil {
			return
		}
		for i, d := range r.Deleted {
			require.LessOrEqual(t, d.First, d.Last)
			if i > 0 {
				require.Greater(t, d.First, r.Deleted[i-1].Last+1)
			}
		}
		again, err := streamstate.DecodeReplica(r.Append(nil))
		require.NoError(t, err)
		if len(again.Deleted) > 0 {
			require.Equal(t, r, again)
		}
	})
}
