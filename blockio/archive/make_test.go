package archive_test

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

const stream = "ORDERS"

var when = time.Unix(1_700_000_000, 0)

// entry is a file of an archive that no Writer would write.
type entry struct {
	name string
	data []byte
	kind byte   // tar.TypeReg if 0
	link string // of a link
	size int64  // what the header says, if it is not the length of data
	pax  map[string]string
}

// metaOf returns meta.inf of a stream.
func metaOf(t testing.TB, name string) []byte {
	t.Helper()
	data, err := blockio.NewStreamMeta(name, when).Bytes()
	require.NoError(t, err)
	return data
}

func metaSumOf(t testing.TB, name string) string { return blockio.MetaSum(name, metaOf(t, name)) }

// block returns a block of n messages from a sequence on.
func block(id uint32, first uint64, n int) []byte {
	codec := blockio.NewRecordCodec(stream, id)
	var data []byte
	for i := range uint64(n) {
		data = codec.AppendMessage(data, first+i, when.UnixNano(), "a", nil, bytes.Repeat([]byte{byte(i)}, int(i)*7%90))
	}
	return data
}

// state returns what nats-server's state looks like from outside: anything, and a checksum.
func state() []byte {
	data := []byte("state of a stream")
	sum := blockio.NameSum(stream)
	_, _ = sum.Write(data)
	return sum.Sum(data)
}

// plain returns the files of a small archive.
func plain(t testing.TB) []entry {
	meta := metaOf(t, stream)
	consumer := []byte(`{"Name":"C"}`)
	return []entry{
		{name: "meta.inf", data: meta}, {name: "meta.sum", data: []byte(blockio.MetaSum(stream, meta))},
		{name: "msgs/1.blk", data: block(1, 1, 5)}, {name: "msgs/3.blk", data: block(3, 6, 4)}, {name: "msgs/index.db", data: state()},
		{name: "obs/C/meta.inf", data: consumer}, {name: "obs/C/meta.sum", data: []byte(blockio.MetaSum(stream+"/C", consumer))},
		{name: "obs/C/o.dat", data: []byte("anything")},
	}
}

// tarOf returns the tar of files.
func tarOf(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Size: int64(len(e.data)), Mode: 0o600, Linkname: e.link, Format: tar.FormatPAX, PAXRecords: e.pax}
		switch e.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			h.Mode, h.Format = 0, tar.FormatUnknown
		}
		if e.size > 0 {
			h.Size = e.size
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := w.Write(e.data)
		require.NoError(t, err)
		if e.size > 0 {
			return append(b.Bytes(), make([]byte, 2048)...)
		}
	}
	require.NoError(t, w.Close())
	// The attributes of holes, which no writer of Go's writes. They have no checksum.
	return bytes.ReplaceAll(b.Bytes(), []byte("XNU.sparse"), []byte("GNU.sparse"))
}

// s2Of puts bytes into S2 framing.
func s2Of(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := s2.NewWriter(&b, s2.WriterConcurrency(1))
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func archiveOf(t testing.TB, entries []entry) []byte { return s2Of(t, tarOf(t, entries)) }

// written returns what a Writer writes of two blocks.
func written(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(t.Context(), &b, stream, when)
	require.NoError(t, w.Meta(metaOf(t, stream), archive.Totals{Messages: 9, Last: 9}))
	require.NoError(t, w.Block(1, block(1, 1, 5)))
	require.NoError(t, w.Block(3, block(3, 6, 4)))
	require.NoError(t, w.Consumer("C", []byte(`{"Name":"C"}`), []byte("anything")))
	require.NoError(t, w.Close())
	require.Equal(t, int64(b.Len()), w.Written())
	return b.Bytes()
}

// files keeps what is read of an archive.
type files struct {
	names []string
	data  map[string][]byte
}

func (f *files) Begin(*blockio.StreamMeta) error {
	f.data = make(map[string][]byte)
	return nil
}

func (f *files) Create(name string) (io.WriteCloser, error) {
	return &keeper{files: f, name: name}, nil
}

type keeper struct {
	bytes.Buffer
	files *files
	name  string
}

func (k *keeper) Close() error {
	k.files.names = append(k.files.names, k.name)
	k.files.data[k.name] = k.Bytes()
	return nil
}
