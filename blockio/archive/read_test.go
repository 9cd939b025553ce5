package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// TestArchiveIsReadBack file by file, in order, however the reader hands the bytes out.
func TestArchiveIsReadBack(t *testing.T) {
	for name, data := range map[string][]byte{"ours": written(t), "of a server": archiveOf(t, plain(t))} {
		var got files
		contents, err := archive.Read(t.Context(), iotest.OneByteReader(bytes.NewReader(data)), 0, &got)
		require.NoError(t, err)
		require.Equal(t, archive.Totals{Messages: 9, Last: 9}, contents.Totals)
		require.Equal(t, name == "ours", contents.Exact)
		require.Equal(t, 2, contents.Blocks)
		require.Equal(t, 1, contents.Consumers)
		require.Equal(t, stream, contents.Stream)
		i := 0
		size := int64(0)
		for _, want := range plain(t) {
			if name == "ours" && want.name == "msgs/index.db" {
				continue
			}
			require.Equal(t, want.name, got.names[i])
			require.Equal(t, want.data, got.data[want.name])
			size += int64(len(want.data))
			i++
		}
		require.Len(t, got.names, i)
		require.Equal(t, size, contents.Unpacked)
	}
}

// TestEveryCutAndEveryFlipIsRefused in the compressed archive, and every cut of what is in it.
func TestEveryCutAndEveryFlipIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{"ours": written(t), "of a server": archiveOf(t, plain(t))} {
		for cut := range len(data) {
			_, err := archive.Read(t.Context(), bytes.NewReader(data[:cut]), 0, &files{})
			require.ErrorIs(t, err, archive.ErrArchive, "%s cut to %d of %d bytes", name, cut, len(data))
		}
		var all files
		holds, err := archive.Read(t.Context(), bytes.NewReader(data), 0, &all)
		require.NoError(t, err)
		flipped, whole, same := bytes.Clone(data), all.data, 0
		step := 1
		if testing.Short() { // one goroutine, in which the race detector finds nothing
			step = 13
		}
		for bit := 0; bit < 8*len(data); bit += step {
			if before := bit - step; before >= 0 {
				flipped[before/8] ^= 1 << (before % 8)
			}
			flipped[bit/8] ^= 1 << (bit % 8)
			var got files
			contents, err := archive.Read(t.Context(), bytes.NewReader(flipped), 0, &got)
			if err == nil { // S2 can say the same in several ways
				require.Equal(t, whole, got.data, "%s, bit %d of %d", name, bit, 8*len(data))
				require.Equal(t, holds, contents)
				same++
				continue
			}
			require.ErrorIs(t, err, archive.ErrArchive, "%s, bit %d of %d", name, bit, 8*len(data))
		}
		require.Less(t, same, 8*len(data)/20)
	}
	whole := tarOf(t, plain(t))
	for cut := 0; cut < len(whole); cut += 16 { // those between the blocks of the tar among them
		_, err := archive.Read(t.Context(), bytes.NewReader(s2Of(t, whole[:cut])), 0, &files{})
		require.ErrorIs(t, err, archive.ErrArchive, "cut to %d of %d bytes", cut, len(whole))
	}
}

// TestMissingBlockIsNoticed although the archive without it is one.
func TestMissingBlockIsNoticed(t *testing.T) {
	meta := metaOf(t, stream)
	var b bytes.Buffer
	w := archive.NewWriter(t.Context(), &b, stream, when)
	require.NoError(t, w.Meta(meta, archive.Totals{Messages: 9, Last: 9}))
	require.NoError(t, w.Block(3, block(3, 6, 4)))
	require.NoError(t, w.Close())
	_, err := archive.Read(t.Context(), &b, 0, &files{})
	require.ErrorIs(t, err, archive.ErrArchive)
	require.ErrorContains(t, err, "4 messages")
}

// TestHostileArchivesAreRefused before anything of the file that is wrong was handed on.
func TestHostileArchivesAreRefused(t *testing.T) {
	at := func(i int, change func(e *entry)) func([]entry) []entry {
		return func(list []entry) []entry {
			change(&list[i])
			return list
		}
	}
	before := func(i int, e entry) func([]entry) []entry {
		return func(list []entry) []entry { return append(list[:i:i], append([]entry{e}, list[i:]...)...) }
	}
	named := func(i int, name string) func([]entry) []entry { return at(i, func(e *entry) { e.name = name }) }
	kind := func(k byte) func([]entry) []entry {
		return at(3, func(e *entry) { e.kind, e.link, e.data = k, "msgs/1.blk", nil })
	}
	meta := func(data string) func([]entry) []entry {
		return func(list []entry) []entry {
			list[0].data, list[1].data = []byte(data), []byte(blockio.MetaSum(stream, []byte(data)))
			return list
		}
	}
	rows := map[string]func([]entry) []entry{
		"no files":                 func([]entry) []entry { return nil },
		"meta.inf alone":           func(l []entry) []entry { return l[:1] },
		"no meta.inf":              func(l []entry) []entry { return l[1:] },
		"no meta.sum":              func(l []entry) []entry { return append(l[:1:1], l[2:]...) },
		"meta.sum of another name": named(1, "meta.SUM"),
		"meta.sum is wrong":        at(1, func(e *entry) { e.data = []byte("0123456789abcdef") }),
		"meta.sum is long":         at(1, func(e *entry) { e.data = append(e.data, '\n') }),
		"meta.inf is no JSON":      meta("{"),
		"meta.inf is of elsewhere": meta(`{"name":"OTHER"}`),
		"meta.inf twice":           before(1, entry{name: "meta.inf", data: []byte("{}")}),
		"meta.inf later again":     before(8, entry{name: "meta.inf", data: []byte("{}")}),
		"absolute":                 named(2, "/msgs/1.blk"),
		"above":                    named(2, "../msgs/1.blk"),
		"above, from within":       named(2, "msgs/../../1.blk"),
		"dotted":                   named(2, "./msgs/1.blk"),
		"doubled slash":            named(2, "msgs//1.blk"),
		"backslashes":              named(2, `msgs\1.blk`),
		"a drive":                  named(2, "c:1.blk"),
		"a directory":              before(2, entry{name: "msgs/", kind: tar.TypeDir}),
		"a symbolic link":          kind(tar.TypeSymlink),
		"a hard link":              kind(tar.TypeLink),
		"a device":                 kind(tar.TypeChar),
		"a pipe":                   kind(tar.TypeFifo),
		"global attributes":        before(2, entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"path": "x"}}),
		"holes": at(2, func(e *entry) {
			e.pax = map[string]string{"XNU.sparse.major": "1", "XNU.sparse.minor": "0", "XNU.sparse.name": e.name,
				"XNU.sparse.realsize": fmt.Sprint(len(e.data))}
			places := make([]byte, 512) // one, with all of it: there is none in fact
			copy(places, fmt.Sprintf("1\n0\n%d\n", len(e.data)))
			e.data = append(places, e.data...)
		}),
		"leading zero":               named(2, "msgs/01.blk"),
		"block 0":                    named(2, "msgs/0.blk"),
		"a block too high":           named(3, "msgs/4294967295.blk"),
		"the same block twice":       named(3, "msgs/1.blk"),
		"blocks out of order":        named(2, "msgs/4.blk"),
		"a block of another number":  named(2, "msgs/2.blk"),
		"a temporary file":           named(2, "msgs/1.blk.tmp"),
		"a key":                      before(3, entry{name: "msgs/1.key", data: []byte("x")}),
		"an index of ours":           before(3, entry{name: "msgs/1.bix", data: []byte("x")}),
		"a lock":                     before(2, entry{name: "millrace.lock"}),
		"a stream's key":             before(2, entry{name: "meta.key", data: []byte("x")}),
		"an empty block in between":  at(2, func(e *entry) { e.data = nil }),
		"a block of zeros":           at(2, func(e *entry) { e.data = make([]byte, 1<<20) }),
		"zeros behind a block":       at(2, func(e *entry) { e.data = append(e.data, 0, 0) }),
		"a block that is cut":        at(2, func(e *entry) { e.data = e.data[:len(e.data)-1] }),
		"a block with a flip":        at(2, func(e *entry) { e.data[40] ^= 1 }),
		"a block that is compressed": at(2, func(e *entry) { e.data = append([]byte("cmp\x01"), e.data...) }),
		"a block that looks compressed": at(2, func(e *entry) {
			e.data = blockio.NewRecordCodec(stream, 1).AppendMessage(nil, 1, 1, "a", nil, make([]byte, 7368035-31))
		}),
		"a huge size":                at(3, func(e *entry) { e.size = 1 << 40 }),
		"a large size":               at(3, func(e *entry) { e.size = 1 << 29 }),
		"a state that is wrong":      at(4, func(e *entry) { e.data[0] ^= 1 }),
		"a state that is cut":        at(4, func(e *entry) { e.data = e.data[:7] }),
		"the state twice":            before(5, entry{name: "msgs/index.db", data: state()}),
		"a block behind the state":   before(5, entry{name: "msgs/4.blk"}),
		"the state behind consumers": before(8, entry{name: "msgs/index.db", data: state()}),
		"a block behind consumers":   before(8, entry{name: "msgs/4.blk"}),
		"a consumer above":           named(5, "obs/../meta.inf"),
		"a consumer without a name":  named(5, "obs//meta.inf"),
		"a consumer that is hidden":  named(5, "obs/.C/meta.inf"),
		"a consumer below one":       named(5, "obs/C/C/meta.inf"),
		"a consumer's other file":    named(7, "obs/C/o.dat.tmp"),
		"a consumer's file twice":    before(8, entry{name: "obs/C/o.dat"}),
		"a consumer's sum is wrong":  at(6, func(e *entry) { e.data = []byte("0123456789abcdef") }),
		"a consumer without a sum":   func(l []entry) []entry { return l[:6] },
		"a consumer's state first":   func(l []entry) []entry { return append(l[:5:5], l[7]) },
		"another one without a sum":  named(6, "obs/D/meta.sum"),
		"a consumer twice": func(l []entry) []entry {
			d := []byte("{}")
			l = append(l, entry{name: "obs/D/meta.inf", data: d}, entry{name: "obs/D/meta.sum", data: []byte(blockio.MetaSum(stream+"/D", d))})
			return append(l, l[5], l[6])
		},
		"a server's failure":    before(8, entry{name: "errors.txt", data: []byte("disk on fire")}),
		"half of the totals":    at(0, func(e *entry) { e.pax = map[string]string{"MILLRACE.messages": "9"} }),
		"totals without digits": at(0, func(e *entry) { e.pax = map[string]string{"MILLRACE.messages": "-9", "MILLRACE.last": "9"} }),
	}
	for name, change := range rows {
		t.Run(name, func(t *testing.T) {
			var got files
			_, err := archive.Read(t.Context(), bytes.NewReader(archiveOf(t, change(plain(t)))), 0, &got)
			require.ErrorIs(t, err, archive.ErrArchive)
			for _, name := range got.names {
				require.NotContains(t, name, "..")
			}
		})
	}
	_, err := archive.Read(t.Context(), bytes.NewReader(archiveOf(t, rows["a server's failure"](plain(t)))), 0, &files{})
	require.ErrorContains(t, err, "disk on fire")
}

// TestNothingMayFollowAnArchive but what tar writers fill up with.
func TestNothingMayFollowAnArchive(t *testing.T) {
	whole := tarOf(t, plain(t))
	read := func(more []byte) error {
		_, err := archive.Read(t.Context(), bytes.NewReader(s2Of(t, append(bytes.Clone(whole), more...))), 0, &files{})
		return err
	}
	require.NoError(t, read(make([]byte, 9<<10)))
	require.ErrorIs(t, read([]byte("x")), archive.ErrArchive)
	require.ErrorIs(t, read(make([]byte, 1<<20)), archive.ErrArchive)
	require.ErrorIs(t, read(whole), archive.ErrArchive)
}

// TestArchiveHasALimit for all files together, headers included.
func TestArchiveHasALimit(t *testing.T) {
	data := archiveOf(t, plain(t))
	read := func(limit int64) error {
		_, err := archive.Read(t.Context(), bytes.NewReader(data), limit, &files{})
		return err
	}
	require.NoError(t, read(64<<10))
	for limit := int64(1); limit < 8<<10; limit += 97 {
		require.ErrorIs(t, read(limit), archive.ErrLimit)
	}
}

// TestHugeSizesTakeNoMemory: what an archive says of its files makes nobody allocate.
func TestHugeSizesTakeNoMemory(t *testing.T) {
	for i, size := range map[int]int64{0: 8 << 20, 2: 1 << 30, 4: 1 << 50, 7: 32 << 20} {
		list := plain(t)
		list[i].size = size
		data := s2Of(t, tarOf(t, list[:i+1]))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := archive.Read(t.Context(), bytes.NewReader(data), 0, &files{})
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, archive.ErrArchive)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "file %d", i)
	}
}

// TestLargeRecordsAreRead, one after the other, and so are blocks of many.
func TestLargeRecordsAreRead(t *testing.T) {
	payload := make([]byte, 5<<20)
	rand.New(rand.NewSource(1)).Read(payload)
	codec := blockio.NewRecordCodec(stream, 7)
	var data []byte
	for i, size := range []int{0, len(payload), 128 << 10, 1, 3 << 20, 12} {
		data = codec.AppendMessage(data, uint64(i+1), 1, "a", nil, payload[:size])
	}
	list := append(plain(t)[:2], entry{name: "msgs/7.blk", data: data}, entry{name: "msgs/9.blk", data: block(9, 7, 20_000)})
	var got files
	contents, err := archive.Read(t.Context(), bytes.NewReader(archiveOf(t, list)), 0, &got)
	require.NoError(t, err)
	require.Equal(t, uint64(20_006), contents.Messages)
	require.True(t, bytes.Equal(data, got.data["msgs/7.blk"]))
	require.True(t, bytes.Equal(list[3].data, got.data["msgs/9.blk"]))
}

// TestOtherErrorsAreNotTheArchives: those of the reader, the sink and the context are returned as they are.
func TestOtherErrorsAreNotTheArchives(t *testing.T) {
	data := written(t)
	broken := errors.New("broken pipe")
	for n := range len(data) {
		_, err := archive.Read(t.Context(), io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)), 0, &files{})
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, archive.ErrArchive)
	}
	for n := range 40 {
		sink := &brokenSink{left: n, err: broken}
		if _, err := archive.Read(t.Context(), bytes.NewReader(data), 0, sink); err == nil {
			require.Greater(t, n, 15)
			break
		} else {
			require.Equal(t, broken, err, n)
		}
	}
	ctx, end := context.WithCancelCause(t.Context())
	end(broken)
	_, err := archive.Read(ctx, bytes.NewReader(data), 0, &files{})
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, archive.ErrArchive)
	w := archive.NewWriter(ctx, io.Discard, stream, when)
	err = w.Meta(metaOf(t, stream), archive.Totals{})
	if err == nil {
		err = w.Close()
	}
	require.ErrorIs(t, err, broken)
}

// brokenSink fails after a few operations.
type brokenSink struct {
	left int
	err  error
}

func (s *brokenSink) try() error {
	if s.left--; s.left < 0 {
		return s.err
	}
	return nil
}

func (s *brokenSink) Begin(*blockio.StreamMeta) error       { return s.try() }
func (s *brokenSink) Create(string) (io.WriteCloser, error) { return s, s.try() }
func (s *brokenSink) Write(p []byte) (int, error)           { return len(p), s.try() }
func (s *brokenSink) Close() error                          { return s.try() }

// TestErrorsAreShort, whatever an archive has for names.
func TestErrorsAreShort(t *testing.T) {
	list := append(plain(t), entry{name: strings.Repeat("x", 50_000)})
	_, err := archive.Read(t.Context(), bytes.NewReader(archiveOf(t, list)), 0, &files{})
	require.ErrorIs(t, err, archive.ErrArchive)
	require.Less(t, len(fmt.Sprint(err)), 400)
}
