package actors_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// aSnapshot returns one of a stream of a few blocks, and what the stream shows.
func aSnapshot(t *testing.T) ([]byte, picture) {
	t.Helper()
	s := open(t, actors.Config{BlockSize: 4096})
	for i := range 150 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	_, err := s.RemoveMsg(t.Context(), 70)
	require.NoError(t, err)
	snapshot, _ := snapshotOf(t, s, actors.SnapshotOptions{})
	return snapshot, pictureOf(t, s)
}

// TestRestoreRefusesWhatItShould with the error that says so, and leaves nothing.
func TestRestoreRefusesWhatItShould(t *testing.T) {
	snapshot, _ := aSnapshot(t)
	named := func(name string) []byte {
		meta := []byte(`{"name":"` + name + `"}`)
		var b bytes.Buffer
		framed := s2.NewWriter(&b)
		w := tar.NewWriter(framed)
		for name, data := range map[string][]byte{"meta.inf": meta} {
			require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600}))
			_, err := w.Write(data)
			require.NoError(t, err)
		}
		sum := blockio.MetaSum(name, meta)
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "meta.sum", Size: int64(len(sum)), Mode: 0o600}))
		_, err := w.Write([]byte(sum))
		require.NoError(t, err)
		require.NoError(t, errors.Join(w.Close(), framed.Close()))
		return b.Bytes()
	}
	for _, row := range []struct {
		name    string
		archive []byte
		options actors.RestoreOptions
		want    error
	}{
		{"nothing", nil, actors.RestoreOptions{}, actors.ErrArchive},
		{"a cut archive", snapshot[:len(snapshot)-1], actors.RestoreOptions{}, actors.ErrArchive},
		{"another name", snapshot, actors.RestoreOptions{Name: "OTHER"}, actors.ErrConfig},
		{"a limit", snapshot, actors.RestoreOptions{MaxBytes: 10_000}, actors.ErrArchiveLimit},
		{"a name above", named(".."), actors.RestoreOptions{}, actors.ErrArchive},
		{"a name that is a path", named("a/b"), actors.RestoreOptions{}, actors.ErrArchive},
		{"no name", named(""), actors.RestoreOptions{}, actors.ErrArchive},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			info, err := actors.Restore(t.Context(), dir, bytes.NewReader(row.archive), row.options)
			require.ErrorIs(t, err, row.want)
			require.Zero(t, info)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
	_, err := actors.Restore(t.Context(), "", bytes.NewReader(snapshot), actors.RestoreOptions{})
	require.ErrorIs(t, err, actors.ErrConfig)
}

// TestRestoreTakesNoPlaceOfAStream, open or closed.
func TestRestoreTakesNoPlaceOfAStream(t *testing.T) {
	snapshot, _ := aSnapshot(t)
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	s := open(t, config)
	mustStore(t, s, "a", "mine")
	for range 2 {
		_, err := actors.Restore(t.Context(), config.Dir, bytes.NewReader(snapshot), actors.RestoreOptions{})
		require.ErrorIs(t, err, fs.ErrExist)
		require.NoError(t, s.Stop(t.Context()))
	}
	s = open(t, config)
	require.Equal(t, uint64(1), stateOf(t, s).Messages)
}

// TestRestoredStreamIsDurable: a power loss right after Restore takes nothing.
func TestRestoredStreamIsDurable(t *testing.T) {
	snapshot, want := aSnapshot(t)
	mem := blocktest.NewMemFS()
	_, err := actors.Restore(t.Context(), "data", bytes.NewReader(snapshot), actors.RestoreOptions{FS: mem})
	require.NoError(t, err)
	for _, mode := range blocktest.CrashModes {
		image := mem.CrashImage(mode, rand.New(rand.NewSource(1)))
		s := open(t, actors.Config{Dir: "data", FS: image})
		require.Equal(t, want, pictureOf(t, s))
	}
}

// TestCrashOfARestoreLeavesNoStream that an Open would find, or all of it, and the next Restore leaves only the stream.
func TestCrashOfARestoreLeavesNoStream(t *testing.T) {
	snapshot, want := aSnapshot(t)
	mem := blocktest.NewMemFS()
	faulty := blocktest.NewFaultFS(mem)
	images, stop := takeImages(faulty, mem, rand.New(rand.NewSource(1)), crashImage{})
	_, err := actors.Restore(t.Context(), "data", bytes.NewReader(snapshot), actors.RestoreOptions{FS: faulty})
	require.NoError(t, err)
	stop()
	whole := 0
	for _, image := range *images {
		options := actors.RestoreOptions{FS: image.mem}
		if _, err := actors.Restore(t.Context(), "data", bytes.NewReader(snapshot), options); err != nil {
			require.ErrorIs(t, err, fs.ErrExist)
			whole++
		}
		entries, err := image.mem.ReadDir("data")
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "ORDERS", entries[0].Name)
		s := open(t, actors.Config{Dir: "data", FS: image.mem})
		require.Equal(t, want, pictureOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
	}
	require.Positive(t, whole)
	require.Less(t, whole, len(*images)/4)
	t.Logf("%d crashes", len(*images))
}

// TestSnapshotForAnActor is what the handle writes, and keeps no other request waiting.
func TestSnapshotForAnActor(t *testing.T) {
	s := open(t, actors.Config{Runtime: actors.NewRuntime(actors.RuntimeConfig{Workers: 1})})
	mustStore(t, s, "a", "x")
	want := pictureOf(t, s)
	c := newClient(t, 10)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var b bytes.Buffer
	writer := writerFunc(func(p []byte) (int, error) {
		if b.Len() == 0 {
			close(begun)
			<-goOn
		}
		return b.Write(p)
	})
	quiet.Root.RequestWithCustomSender(s.PID(), &actors.SnapshotRequest{Writer: writer, Tag: 7}, c.pid)
	<-begun
	load := c.ask(t, s, &actors.LoadRequest{Sequence: 1}).(*actors.LoadReply)
	require.NoError(t, load.Err)
	close(goOn)
	reply := (<-c.replies).(*actors.SnapshotReply)
	require.NoError(t, reply.Err)
	require.Equal(t, 7, reply.Tag)
	require.Equal(t, uint64(1), reply.Info.Messages)
	require.Equal(t, want, pictureOf(t, restored(t, b.Bytes(), actors.Config{})))

	reply = c.ask(t, s, &actors.SnapshotRequest{Writer: io.Discard, Context: ended(t), Tag: 8}).(*actors.SnapshotReply)
	require.ErrorIs(t, reply.Err, errSnapshotEnough)
	reply = c.ask(t, s, (*actors.SnapshotRequest)(nil)).(*actors.SnapshotReply)
	require.ErrorContains(t, reply.Err, "nil")
}

// TestSnapshotOnAFailingDisk is an error or whole, and the stream goes on: one read fails, or all from one on.
func TestSnapshotOnAFailingDisk(t *testing.T) {
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{Dir: "data", FS: faulty, BlockSize: 4096, Runtime: actors.NewRuntime(actors.RuntimeConfig{MaxOpenFiles: 1})})
	for i := range 150 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	want := pictureOf(t, s)
	failed := 0
	for n := range 400 {
		left, forEver := n/2, n%2 > 0
		faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
			switch op.Kind {
			case blocktest.OpOpen, blocktest.OpRead, blocktest.OpStat:
			default:
				return blocktest.Fault{}
			}
			if left--; left == -1 || left < 0 && forEver {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		var b bytes.Buffer
		_, err := s.Snapshot(t.Context(), &b, actors.SnapshotOptions{})
		faulty.SetHook(nil)
		if err == nil {
			require.Equal(t, want, pictureOf(t, restored(t, b.Bytes(), actors.Config{})))
		} else {
			require.ErrorIs(t, err, blocktest.ErrIO)
			failed++
		}
		if left > 0 {
			require.Greater(t, failed, 3)
			break
		}
	}
	require.Positive(t, failed)
	require.Equal(t, want, pictureOf(t, s))
	mustStore(t, s, "more", "x")
}
