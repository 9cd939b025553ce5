package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A Sink takes the files of an archive. An error of it ends the reading, and is returned as it is.
type Sink interface {
	// Begin comes first. Of the archive only the configuration was read.
	Begin(*blockio.StreamMeta) error
	// Create begins the next file: its name has one slash or none, for a file of a consumer two, and no part of it is
	// anything but a plain name. The file is complete when it is closed, which is not done after an error.
	Create(name string) (io.WriteCloser, error)
}

// Contents is what an archive holds.
type Contents struct {
	Stream    string
	Blocks    int
	Consumers int
	Unpacked  int64 // bytes of all files
	// Totals are of all messages that have a record, of which tombstones may remove some. In an archive of ours
	// they are those of the stream, and Exact is true.
	Totals
	Exact bool
	// LeftOut has the blocks that an increment leaves out, and is nil for any other archive.
	LeftOut Catalog

	declared Totals // by the archive, if Exact
	// blocks has those of the archive, if they were asked for.
	blocks map[uint32]blockContents
}

// blockContents is what one block holds.
type blockContents struct {
	Totals
	size int64
	sum  uint64 // see Catalog
}

// Read reads an archive, and hands its files to sink. All files are in order and checked by their checksums, and
// the archive is whole, or the error wraps ErrArchive; it is ErrLimit when more than limit bytes would be unpacked,
// if limit is above 0. Errors of from and of the context are returned as they are.
//
// An increment is no whole archive.
func Read(ctx context.Context, from io.Reader, limit int64, sink Sink) (Contents, error) {
	return read(ctx, from, limit, sink, false)
}

// read is Read, and lets increments in: what each block holds is in the contents then.
func read(ctx context.Context, from io.Reader, limit int64, sink Sink, increments bool) (Contents, error) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	source := newSource(ctx, from, limit)
	r := &reader{source: source, tar: tar.NewReader(source), sink: sink, increments: increments}
	if increments {
		r.contents.blocks = make(map[uint32]blockContents)
	}
	err := r.run()
	if err == nil {
		err = source.finish()
	}
	if err == nil && r.contents.LeftOut == nil {
		err = r.contents.checkTotals()
	}
	if sunk := (*sinkError)(nil); errors.As(err, &sunk) {
		return Contents{}, sunk.err
	}
	if err != nil {
		err = source.wrong(err)
		if errors.Is(err, ErrArchive) && string(source.head[:]) == messagesMagic {
			err = ErrIsBackup
		}
		return Contents{}, err
	}
	return r.contents, nil
}

// sinkError marks an error of the sink.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

// reader reads one archive.
type reader struct {
	source   *source
	tar      *tar.Reader
	sink     Sink
	contents Contents
	copy     blockCopy

	increments bool // are let in
	begun      bool // the first entry was read
	listed     bool // the list of what an increment leaves out has come

	last      uint32 // number of the block before
	empty     bool   // which has no records
	state     bool   // nats-server's state has come
	consumer  consumer
	consumers map[string]bool
}

func (r *reader) run() error {
	if err := r.begin(); err != nil {
		return err
	}
	for {
		h, err := r.next()
		if err == io.EOF && r.contents.LeftOut != nil && !r.listed {
			return bad("it is an increment that does not say what it leaves out")
		}
		if err == io.EOF {
			return r.consumer.ended()
		}
		if err == nil {
			err = r.file(h)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the next file.
func (r *reader) next() (*tar.Header, error) {
	h, err := r.tar.Next()
	if err == nil && !r.begun {
		r.begun = true
		h, err = r.increment(h)
	}
	if err != nil {
		return nil, err
	}
	if h.Typeflag != tar.TypeReg {
		return nil, bad("%q is no regular file", clip(h.Name))
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse") {
			return nil, bad("%q has holes", clip(h.Name))
		}
	}
	r.contents.Unpacked += h.Size
	return h, nil
}

// begin reads the files that come first, of the stream itself.
func (r *reader) begin() error {
	meta, h, err := r.named(metaName, blockio.MaxMetaSize)
	if err != nil {
		return err
	}
	if r.contents.declared, r.contents.Exact, err = readTotals(h.PAXRecords); err != nil {
		return err
	}
	parsed, err := blockio.ParseMeta(meta)
	if err != nil {
		return err
	}
	sum, _, err := r.named(sumName, maxSum)
	if err != nil {
		return err
	}
	if string(sum) != blockio.MetaSum(parsed.Name, meta) {
		return bad("meta.inf differs from meta.sum")
	}
	r.contents.Stream = parsed.Name
	if err := r.sink.Begin(parsed); err != nil {
		return &sinkError{err}
	}
	if err := r.put(metaName, meta); err != nil {
		return err
	}
	return r.put(sumName, sum)
}

// named reads the next file, which has to have that name.
func (r *reader) named(name string, most int64) ([]byte, *tar.Header, error) {
	h, err := r.next()
	if err != nil {
		return nil, nil, noEOF(err)
	}
	if h.Name != name {
		return nil, nil, bad("%q where %s is to be", clip(h.Name), name)
	}
	data, err := r.all(h, most)
	return data, h, err
}

// all reads a file into memory, which grows with what there is to read.
func (r *reader) all(h *tar.Header, most int64) ([]byte, error) {
	if h.Size > most {
		return nil, bad("%s has %d bytes, more than %d", clip(h.Name), h.Size, most)
	}
	data, err := io.ReadAll(r.tar)
	return data, noEOF(err)
}

func (r *reader) put(name string, data []byte) error {
	to, err := r.create(name)
	if err != nil {
		return err
	}
	if _, err := to.Write(data); err != nil {
		return err
	}
	return to.Close()
}

// file reads one of the files behind the first ones.
func (r *reader) file(h *tar.Header) error {
	name := h.Name
	switch block, isBlock := strings.CutPrefix(name, blocksName); {
	case r.listed:
		return bad("%q is out of place", clip(name))
	case name == leftOutName && r.contents.LeftOut != nil:
		return r.leftOut(h)
	case name == failureName:
		text, err := r.all(h, step)
		if err != nil {
			return err
		}
		return bad("it was given up when it was made: %s", clip(string(text)))
	case name == stateName && !r.state && r.consumers == nil:
		r.state = true
		return r.serverState(h)
	case isBlock && !r.state && r.consumers == nil:
		return r.block(h, block)
	case strings.HasPrefix(name, consumersName):
		return r.consumerFile(h)
	}
	return bad("%q is out of place", clip(name))
}

// block reads a block.
func (r *reader) block(h *tar.Header, name string) error {
	id, ok := blockio.BlockNumber(name)
	switch {
	case !ok, id <= r.last:
		return bad("%q behind block %d", clip(h.Name), r.last)
	case r.empty:
		return bad("block %d is empty", r.last)
	case h.Size > blockio.MaxBlockFile:
		return bad("block %d has %d bytes", id, h.Size)
	}
	r.last, r.empty = id, h.Size == 0
	r.contents.Blocks++
	to, err := r.create(h.Name)
	if err != nil {
		return err
	}
	r.copy.codec = blockio.NewRecordCodec(r.contents.Stream, id)
	holds := blockContents{size: h.Size}
	sum, into := blockio.NameSum(r.contents.Stream), io.Writer(to)
	if r.contents.blocks != nil {
		into = io.MultiWriter(to, sum)
	}
	if err := r.copy.run(into, r.tar, h.Size, holds.count); err != nil {
		return err
	}
	if r.contents.blocks != nil {
		holds.sum = sum.Sum64()
		r.contents.blocks[id] = holds
	}
	r.contents.Messages += holds.Messages
	r.contents.Last = max(r.contents.Last, holds.Last)
	return to.Close()
}

// count adds a record to what a block holds.
func (t *Totals) count(record *blockio.Record) {
	switch record.Kind {
	case blockio.KindMessage:
		t.Messages++
	case blockio.KindSkip, blockio.KindErased, blockio.KindTombstone:
	default:
		return
	}
	t.Last = max(t.Last, record.Sequence)
}

// serverState reads nats-server's state of the stream, which ends with a checksum.
func (r *reader) serverState(h *tar.Header) error {
	to, err := r.create(h.Name)
	if err != nil {
		return err
	}
	var end [8]byte
	sum := blockio.NameSum(r.contents.Stream)
	size := h.Size - int64(len(end))
	if size < 0 {
		return bad("%s is too short", stateName)
	}
	if _, err := io.CopyN(io.MultiWriter(to, sum), r.tar, size); err != nil {
		return noEOF(err)
	}
	if _, err := io.ReadFull(r.tar, end[:]); err != nil {
		return noEOF(err)
	}
	if blockio.StoredSum(end) != sum.Sum64() {
		return bad("%s differs from its checksum", stateName)
	}
	if _, err := to.Write(end[:]); err != nil {
		return err
	}
	return to.Close()
}

// checkTotals holds what was read against what the archive said that the stream holds.
func (c *Contents) checkTotals() error {
	if holds := c.Totals; c.Exact && holds != c.declared {
		return bad("it holds %d messages up to %d, and says %d up to %d", holds.Messages, holds.Last, c.declared.Messages, c.declared.Last)
	}
	return nil
}

// create begins a file of the sink. Its errors are marked.
func (r *reader) create(name string) (io.WriteCloser, error) {
	if r.source.left -= headerCost; r.source.left < 0 {
		return nil, &sinkError{fmt.Errorf("%w", ErrLimit)}
	}
	to, err := r.sink.Create(name)
	if err != nil {
		return nil, &sinkError{err}
	}
	return &markedFile{to}, nil
}

// markedFile marks the errors of a file of the sink.
type markedFile struct{ to io.WriteCloser }

func (f *markedFile) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	if err != nil {
		return n, &sinkError{err}
	}
	return n, nil
}

func (f *markedFile) Close() error {
	if err := f.to.Close(); err != nil {
		return &sinkError{err}
	}
	return nil
}

// clip makes somebody else's text short enough for an error.
func clip(text string) string {
	if len(text) > 100 {
		return text[:100] + "..."
	}
	return text
}
