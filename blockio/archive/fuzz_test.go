package archive_test

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// Bounds of FuzzRead, in bytes: what may be unpacked, and what that may take of memory in all.
const (
	fuzzUnpacked  = 1 << 20
	fuzzAllocated = 48 << 20
)

// FuzzRead: no archive, given as it is or as the tar in it, makes Read panic, take much memory, hand out a name that
// is not one of a stream's files, or accept a block that a scan finds damage in.
func FuzzRead(f *testing.F) {
	f.Add(written(f), true)
	f.Add(tarOf(f, plain(f)), false)
	f.Add(three(f)[1], true)
	f.Fuzz(func(t *testing.T, data []byte, framed bool) {
		if !framed {
			data = s2Of(t, data)
		}
		sink := &fuzzSink{t: t}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		contents, err := archive.Read(context.Background(), bytes.NewReader(data), fuzzUnpacked, sink)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(fuzzAllocated))
		catalog, asIncrement := archive.ReadCatalog(context.Background(), bytes.NewReader(data))
		if err != nil {
			return
		}
		require.NoError(t, asIncrement)
		require.Len(t, catalog, contents.Blocks)
		messages := uint64(0)
		for id, block := range sink.blocks {
			scan := blockio.ScanBlock("", id, blockio.NewRecordCodec(contents.Stream, id), block.Bytes(), false,
				func(_ int64, r blockio.Record) {
					if r.Kind == blockio.KindMessage {
						messages++
					}
				})
			require.Zero(t, scan.LostBytes)
		}
		require.LessOrEqual(t, messages, contents.Messages)
	})
}

// fuzzSink looks at names, and keeps blocks.
type fuzzSink struct {
	t      *testing.T
	seen   map[string]bool
	blocks map[uint32]*bytes.Buffer
}

func (s *fuzzSink) Begin(*blockio.StreamMeta) error {
	s.seen, s.blocks = make(map[string]bool), make(map[uint32]*bytes.Buffer)
	return nil
}

func (s *fuzzSink) Create(name string) (io.WriteCloser, error) {
	require.False(s.t, s.seen[name], name)
	s.seen[name] = true
	parts := strings.Split(name, "/")
	for _, part := range parts {
		require.NotEmpty(s.t, part)
		require.NotEqual(s.t, '.', rune(part[0]), name)
	}
	b := new(bytes.Buffer)
	switch parts[0] {
	case "meta.inf", "meta.sum":
		require.Len(s.t, parts, 1)
	case "msgs":
		require.Len(s.t, parts, 2)
		if id, ok := blockio.BlockNumber(parts[1]); ok {
			s.blocks[id] = b
		} else {
			require.Equal(s.t, "index.db", parts[1])
		}
	default:
		require.Equal(s.t, "obs", parts[0])
		require.Len(s.t, parts, 3)
	}
	return nopCloser{b}, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
