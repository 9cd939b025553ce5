package actors_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// backedUp makes a stream with messages of every kind, gaps at both ends and between, and returns a backup of it.
func backedUp(t *testing.T, config actors.Config) (s *actors.Store, backup []byte) {
	t.Helper()
	s = open(t, config)
	for i := range 120 {
		var header actors.Header
		if i%3 == 0 {
			header = actors.Header{"A": {fmt.Sprint(i)}}
		}
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("orders.", i%9), header, bytes.Repeat([]byte{byte(i)}, i*3))
		require.NoError(t, err)
	}
	for _, sequence := range []uint64{1, 2, 50, 51, 119, 120} {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	var w bytes.Buffer
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	info, err := s.Backup(t.Context(), &w, actors.BackupOptions{})
	require.NoError(t, err)
	require.Equal(t, actors.BackupInfo{FirstSequence: 3, LastSequence: 120, Messages: 114, Bytes: state.Bytes, Size: int64(w.Len())}, info)
	return s, w.Bytes()
}

// TestBackupsAreRestored as they were, also of compressed blocks and for other limits, under another name.
func TestBackupsAreRestored(t *testing.T) {
	s, backup := backedUp(t, actors.Config{BlockSize: 4 << 10, Compression: actors.On})
	mem := blocktest.NewMemFS()
	config := actors.Config{FS: mem, Dir: "data", Name: "COPY", MaxMsgs: 1000}
	info, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
	require.NoError(t, err)
	require.Equal(t, actors.RestoreBackupInfo{FirstSequence: 3, LastSequence: 120, Messages: 114, Expected: 114}, info)
	entries, err := mem.ReadDir("data")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	mem = mem.CrashImage(blocktest.DropUnsynced, nil)
	config.FS = mem
	restored := open(t, config)
	require.Equal(t, everything(t, s), everything(t, restored))
	_, err = actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(backup), actors.RestoreBackupOptions{})
	require.ErrorIs(t, err, fs.ErrExist)
	ack, err := restored.StoreMsg(t.Context(), "a", nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 121, ack.Sequence)
}

// TestBackupsOfEmptyStreams.
func TestBackupsOfEmptyStreams(t *testing.T) {
	for _, first := range []uint64{0, 1000} {
		s := open(t, actors.Config{FS: blocktest.NewMemFS(), Dir: "data", FirstSequence: first})
		var w bytes.Buffer
		_, err := s.Backup(t.Context(), &w, actors.BackupOptions{})
		require.NoError(t, err)
		config := actors.Config{FS: blocktest.NewMemFS(), Dir: "data", Name: "COPY"}
		_, err = actors.RestoreBackup(t.Context(), quiet, config, &w, actors.RestoreBackupOptions{})
		require.NoError(t, err)
		require.Equal(t, everything(t, s), everything(t, open(t, config)))
	}
}

// TestBackupsGoOnBehindDamage, whether it is known already or not, and say what is missing; without somebody to tell, damage
// that is not known yet is an error.
func TestBackupsGoOnBehindDamage(t *testing.T) {
	for _, known := range []bool{false, true} {
		mem := blocktest.NewMemFS()
		config := actors.Config{FS: mem, Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1}
		if known {
			config.IndexFrom = -1 // so that the block is read when the stream is opened
		}
		s, _ := backedUp(t, config)
		eventually(t, func() bool { return s.Stats().Unindexed == 0 })
		require.NoError(t, s.Stop(t.Context()))
		require.NoError(t, mem.Rot("data/ORDERS/msgs/1.blk", func(data []byte) []byte { data[len(data)/2] ^= 1; return data }))
		config.ReadOnly = true
		s = open(t, config)
		state, err := s.FastState(t.Context())
		require.NoError(t, err)
		require.Equal(t, known, state.LostMessages == 1)
		var w bytes.Buffer
		if _, err = s.Backup(t.Context(), &w, actors.BackupOptions{}); !known {
			require.ErrorIs(t, err, actors.ErrCorrupt)
		} else {
			require.NoError(t, err)
		}
		w.Reset()
		told := 0
		info, err := s.Backup(t.Context(), &w, actors.BackupOptions{Damage: func(*blockio.CorruptionError) { told++ }})
		require.NoError(t, err)
		require.Equal(t, known, told == 0)
		require.EqualValues(t, 1, info.Lost)
		require.EqualValues(t, 113, info.Messages)
		config = actors.Config{FS: blocktest.NewMemFS(), Dir: "data", Name: "COPY"}
		restored, err := actors.RestoreBackup(t.Context(), quiet, config, &w, actors.RestoreBackupOptions{})
		require.NoError(t, err)
		require.EqualValues(t, 113, restored.Messages)
	}
}

// TestArchivesOfTheOtherKind are refused by name: who has one file of a stream need not know which of the two it is.
func TestArchivesOfTheOtherKind(t *testing.T) {
	s, backup := backedUp(t, actors.Config{FS: blocktest.NewMemFS(), Dir: "data", BlockSize: 4 << 10})
	mem := blocktest.NewMemFS()
	_, err := actors.Restore(t.Context(), "copy", bytes.NewReader(backup), actors.RestoreOptions{FS: mem})
	require.ErrorIs(t, err, actors.ErrIsBackup)
	require.ErrorIs(t, err, actors.ErrArchive)
	require.NotContains(t, err.Error(), "tar", "what the reader tripped over tells a user nothing")
	var snapshot bytes.Buffer
	_, err = s.Snapshot(t.Context(), &snapshot, actors.SnapshotOptions{})
	require.NoError(t, err)
	config := actors.Config{FS: mem, Dir: "copy", Name: "COPY"}
	for name, data := range map[string][]byte{"of ours": snapshot.Bytes(), "of a server": serverSnapshotHead(t)} {
		_, err = actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(data), actors.RestoreBackupOptions{Partial: true})
		require.ErrorIs(t, err, actors.ErrIsSnapshot, name)
		require.ErrorIs(t, err, actors.ErrArchive, name)
	}
	entries, err := mem.ReadDir("copy")
	require.True(t, errors.Is(err, fs.ErrNotExist) || len(entries) == 0, "%v", entries)
}

// serverSnapshotHead is how a snapshot of a server begins, which has no attributes.
func serverSnapshotHead(t *testing.T) []byte {
	var b bytes.Buffer
	framed := s2.NewWriter(&b)
	w := tar.NewWriter(framed)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "meta.inf", Mode: 0o600, Size: 2, Format: tar.FormatPAX}))
	_, err := w.Write([]byte("{}"))
	require.NoError(t, errors.Join(err, w.Close(), framed.Close()))
	return b.Bytes()
}

// TestBrokenBackupsAreRefused, and nothing is left of them.
func TestBrokenBackupsAreRefused(t *testing.T) {
	_, backup := backedUp(t, actors.Config{FS: blocktest.NewMemFS(), Dir: "data", BlockSize: 4 << 10})
	restore := func(data []byte, o actors.RestoreBackupOptions) (actors.RestoreBackupInfo, error) {
		mem := blocktest.NewMemFS()
		config := actors.Config{FS: mem, Dir: "data", Name: "COPY"}
		info, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(data), o)
		if err != nil {
			entries, listErr := mem.ReadDir("data")
			require.True(t, errors.Is(listErr, fs.ErrNotExist) || len(entries) == 0, "%v", entries)
		}
		return info, err
	}
	for cut := 0; cut < len(backup); cut += 1 + len(backup)/50 {
		_, err := restore(backup[:cut], actors.RestoreBackupOptions{})
		require.ErrorIs(t, err, actors.ErrArchive, "cut at %d", cut)
	}
	for at := 0; at < len(backup); at += 1 + len(backup)/50 {
		flipped := bytes.Clone(backup)
		flipped[at] ^= 0x10
		_, err := restore(flipped, actors.RestoreBackupOptions{})
		require.ErrorIs(t, err, actors.ErrArchive, "flipped at %d", at)
	}
	_, err := restore(append(bytes.Clone(backup), backup...), actors.RestoreBackupOptions{})
	require.ErrorIs(t, err, actors.ErrArchive)
	_, err = restore(backup, actors.RestoreBackupOptions{MaxBytes: 1000})
	require.ErrorIs(t, err, actors.ErrArchiveLimit)

	made := func(state string, entries ...archive.Entry) []byte {
		var w bytes.Buffer
		m := archive.NewMessageWriter(t.Context(), &w)
		require.NoError(t, m.Write(&archive.Entry{Name: "state.json", Payload: []byte(state)}))
		for i := range entries {
			require.NoError(t, m.Write(&entries[i]))
		}
		require.NoError(t, m.Close())
		return w.Bytes()
	}
	one := func(sequence uint64) archive.Entry {
		return archive.Entry{Name: "a", Time: 1, Sequence: sequence, Payload: []byte("x")}
	}
	const state = `{"messages":2,"first_seq":1,"last_seq":3,"consumer_count":0}`
	consumer := archive.Entry{Name: "consumers/C", Payload: []byte(`{}`)}
	large := archive.Entry{Name: string(bytes.Repeat([]byte("s"), 70000)), Sequence: 1}
	for name, row := range map[string]struct {
		data []byte
		want error
	}{
		"twice":               {made(state, one(1), one(1)), actors.ErrArchive},
		"backwards":           {made(state, one(2), one(1)), actors.ErrArchive},
		"behind the last one": {made(state, one(4)), actors.ErrArchive},
		"no state":            {made("null and void"), actors.ErrArchive},
		"impossible state":    {made(`{"messages":5,"first_seq":1,"last_seq":3}`), actors.ErrArchive},
		"hostile state":       {made(`{"first_seq":18446744073709551615,"last_seq":18446744073709551615}`), actors.ErrArchive},
		"another file":        {made(state, archive.Entry{Name: "x"}), actors.ErrArchive},
		"a late consumer":     {made(state, one(1), consumer), actors.ErrArchive},
		"consumers":           {made(state, consumer, one(1)), actors.ErrUnsupported},
		"a long subject":      {made(state, large, one(2)), actors.ErrTooLarge},
	} {
		_, err := restore(row.data, actors.RestoreBackupOptions{})
		require.ErrorIs(t, err, row.want, name)
	}
	var consumers []string
	info, err := restore(made(state, consumer, large, one(2)), actors.RestoreBackupOptions{
		Consumer:   func(name string, state []byte) error { consumers = append(consumers, name, string(state)); return nil },
		PassedOver: func(sequence uint64, err error) { require.ErrorIs(t, err, actors.ErrTooLarge) },
	})
	require.NoError(t, err)
	require.Equal(t, []string{"C", "{}"}, consumers)
	require.Equal(t, actors.RestoreBackupInfo{FirstSequence: 1, LastSequence: 3, Messages: 1, Expected: 2, PassedOver: 1, Consumers: 1}, info)

	var many []archive.Entry
	for sequence := range uint64(60) {
		e := one(sequence + 1)
		e.Payload = make([]byte, 50_000)
		rand.NewChaCha8([32]byte{byte(sequence)}).Read(e.Payload)
		many = append(many, e)
	}
	long := made(`{"messages":60,"first_seq":1,"last_seq":60}`, many...)
	info, err = restore(long[:len(long)-3], actors.RestoreBackupOptions{Partial: true})
	require.NoError(t, err)
	require.ErrorIs(t, info.Damage, actors.ErrArchive)
	require.EqualValues(t, 60, info.LastSequence)
	require.Greater(t, info.Messages, uint64(30))
	require.Less(t, info.Messages, uint64(60))
}

// TestBackupOfAServer: what nats-server 2.15.2 has written is restored, and given out again in the same way.
// docs/backups.md has the program that made it.
func TestBackupOfAServer(t *testing.T) {
	data, err := os.ReadFile("testdata/backup/backup-2.15.2.s2")
	require.NoError(t, err)
	config := actors.Config{FS: blocktest.NewMemFS(), Dir: "data", Name: "BACKED"}
	info, err := actors.RestoreBackup(t.Context(), quiet, config, bytes.NewReader(data), actors.RestoreBackupOptions{
		Consumer: func(name string, state []byte) error {
			require.Equal(t, "C", name)
			require.Contains(t, string(state), `"durable_name":"C"`)
			return nil
		},
	})
	require.NoError(t, err)
	require.Equal(t, actors.RestoreBackupInfo{FirstSequence: 2, LastSequence: 20, Messages: 16, Expected: 16, Consumers: 1}, info)
	s := open(t, config)
	var entries []archive.Entry
	var w bytes.Buffer
	_, err = s.Backup(t.Context(), &w, actors.BackupOptions{})
	require.NoError(t, err)
	for _, of := range [][]byte{data, w.Bytes()} {
		r := archive.NewMessageReader(t.Context(), bytes.NewReader(of), 0)
		var found []archive.Entry
		for {
			e, err := r.Next()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			if e.Sequence > 0 {
				e.Header, e.Payload = bytes.Clone(e.Header), bytes.Clone(e.Payload)
				found = append(found, e)
			}
		}
		if entries != nil {
			require.Equal(t, entries, found)
		}
		entries = found
	}
	require.Len(t, entries, 16)
}

// TestSourcesOfAServer: the file in which nats-server 2.15 keeps how far it has got with its sources stays as it is, until
// sequences are used again.
func TestSourcesOfAServer(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/sourcing/streams")))
	path := filepath.Join(dir, "SOURCING", blockio.SourcesFile)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	config := actors.Config{Dir: dir, Name: "SOURCING"}
	s := open(t, config)
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 16, state.Messages)
	require.EqualValues(t, 16, state.LastSequence)
	_, err = s.StoreMsg(t.Context(), "orders.0", nil, []byte("ours"))
	require.NoError(t, err)
	_, err = s.PurgeEx(t.Context(), actors.Filters{}, 5, 0)
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	s = open(t, config)
	_, err = s.Truncate(t.Context(), 10)
	require.NoError(t, err)
	require.NoFileExists(t, path)
}
