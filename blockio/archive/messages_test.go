package archive_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// serverArchive is what package server/archive of nats-server 2.15.2 has written for the entries of serverEntries, which
// ends as a backup does, without its S2 framing. docs/backups.md has the program.
const serverArchive = "4e415453415243310a8080d0dfbd94b9863100008d0173746174652e6a736f6e7b226d65737361676573223a322c22627974657322" +
	"3a3130302c2266697273745f736571223a332c2266697273745f7473223a22323032362d30312d30315430303a30303a30305a222c226c6173745f" +
	"736571223a3330302c226c6173745f7473223a22323032362d30312d30325430303a30303a30305a222c22636f6e73756d65725f636f756e74223a" +
	"317d0b8080d0dfbd94b98631000002636f6e73756d6572732f437b7d0a090316026f72646572732e6e65774e4154532f312e300d0a4162633a2064" +
	"65660d0a0d0a6869018080c8f4cfb9e08631ac020000610000000000"

var serverEntries = []archive.Entry{
	{Name: "state.json", Time: 1767225600000000000, Payload: []byte(`{"messages":2,"bytes":100,"first_seq":3,"first_ts":"2026-01-01T00:00:00Z",` +
		`"last_seq":300,"last_ts":"2026-01-02T00:00:00Z","consumer_count":1}`)},
	{Name: "consumers/C", Time: 1767225600000000000, Payload: []byte("{}")},
	{Name: "orders.new", Time: -5, Sequence: 3, Header: []byte("NATS/1.0\r\nAbc: def\r\n\r\n"), Payload: []byte("hi")},
	{Name: "a", Time: 1767312000000000000, Sequence: 300},
}

// framedMessages puts an archive into S2 framing.
func framedMessages(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := s2.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

func readMessages(data []byte) (entries []archive.Entry, err error) {
	r := archive.NewMessageReader(context.Background(), bytes.NewReader(data), 0)
	for {
		e, err := r.Next()
		if err != nil {
			return entries, err
		}
		e.Header, e.Payload = bytes.Clone(e.Header), bytes.Clone(e.Payload)
		entries = append(entries, e)
	}
}

// TestMessagesAreThoseOfAServer, byte for byte.
func TestMessagesAreThoseOfAServer(t *testing.T) {
	plain, err := hex.DecodeString(serverArchive)
	require.NoError(t, err)
	entries, err := readMessages(framedMessages(t, plain))
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, entries, len(serverEntries))
	var b bytes.Buffer
	w := archive.NewMessageWriter(t.Context(), &b)
	for i := range serverEntries {
		want := serverEntries[i]
		require.Equal(t, want.Name, entries[i].Name)
		require.Equal(t, want.Time, entries[i].Time)
		require.Equal(t, want.Sequence, entries[i].Sequence)
		require.Equal(t, string(want.Header), string(entries[i].Header))
		require.Equal(t, string(want.Payload), string(entries[i].Payload))
		require.NoError(t, w.Write(&want))
	}
	require.NoError(t, w.Close())
	require.EqualValues(t, b.Len(), w.Written())
	written, err := io.ReadAll(s2.NewReader(&b))
	require.NoError(t, err)
	require.Equal(t, plain, written)
}

// TestMessagesThatAreNone are refused.
func TestMessagesThatAreNone(t *testing.T) {
	plain, err := hex.DecodeString(serverArchive)
	require.NoError(t, err)
	for cut := range plain {
		_, err := readMessages(framedMessages(t, plain[:cut]))
		require.ErrorIs(t, err, archive.ErrArchive, "cut at %d", cut)
	}
	for _, more := range [][]byte{{0}, plain} {
		_, err = readMessages(framedMessages(t, append(bytes.Clone(plain), more...)))
		require.ErrorIs(t, err, archive.ErrArchive)
	}
	for name, data := range map[string]string{
		"another magic":   "NATSARC2",
		"a name":          "NATSARC1\xff\xff\xff\x7f",
		"a long number":   "NATSARC1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"an entry":        "NATSARC1\x01\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a",
		"more than there": "NATSARC1\x01\x00\x01\x00\xff\xff\xff\xff\x7fa",
	} {
		_, err := readMessages(framedMessages(t, []byte(data)))
		require.ErrorIs(t, err, archive.ErrArchive, name)
	}
}

// fuzzMessages bounds what FuzzMessages may take of memory in all, in bytes: twice what may come, for it may be one entry,
// and the reader of S2.
const fuzzMessages = 24 << 20

// FuzzMessages: no archive makes the reader panic, or take much memory, and what it reads is written and read again.
func FuzzMessages(f *testing.F) {
	plain, err := hex.DecodeString(serverArchive)
	require.NoError(f, err)
	f.Add(plain, false)
	f.Add(framedMessages(f, plain), true)
	f.Fuzz(func(t *testing.T, data []byte, framed bool) {
		if !framed {
			data = framedMessages(t, data)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := archive.NewMessageReader(context.Background(), bytes.NewReader(data), 1<<20)
		err := error(nil)
		for err == nil {
			_, err = r.Next()
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(fuzzMessages))
		require.True(t, err == io.EOF || errors.Is(err, archive.ErrArchive) || errors.Is(err, archive.ErrLimit), "%v", err)
		if err != io.EOF {
			return
		}
		entries, err := readMessages(data)
		require.ErrorIs(t, err, io.EOF)
		var b bytes.Buffer
		w := archive.NewMessageWriter(context.Background(), &b)
		for i := range entries {
			if entries[i].TooLarge > 0 {
				return
			}
			require.NoError(t, w.Write(&entries[i]))
		}
		require.NoError(t, w.Close())
		again, err := readMessages(b.Bytes())
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, entries, again)
	})
}
