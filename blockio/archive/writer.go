package archive

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A Writer writes the archive of one stream: Meta, Block in ascending order, Consumer, Close, each on the caller's
// goroutine. It has no goroutine of its own, and needs no closing when it is given up.
type Writer struct {
	stream string
	now    time.Time
	out    *output
	s2     *s2.Writer
	tar    *tar.Writer

	since   Catalog // what an increment leaves out, nil for a whole archive
	leftOut Catalog // of these
	catalog Catalog
}

// NewWriter returns a writer for the archive of a stream. When the context ends, the next write fails with its
// cause.
func NewWriter(ctx context.Context, to io.Writer, stream string, now time.Time) *Writer {
	w := &Writer{stream: stream, now: now.Truncate(time.Second), out: &output{ctx: ctx, to: to}, catalog: make(Catalog)}
	w.s2 = s2.NewWriter(w.out, s2.WriterConcurrency(1))
	w.tar = tar.NewWriter(w.s2)
	return w
}

// Increment makes the archive one without the blocks that are as they were in another one. It comes before Meta.
func (w *Writer) Increment(since Catalog) error {
	w.since, w.leftOut = since, make(Catalog)
	err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: incrementName, Mode: 0o700, ModTime: w.now, Format: tar.FormatPAX})
	if err != nil {
		return fmt.Errorf("write %s of %s: %w", incrementName, w.stream, err)
	}
	return nil
}

// Meta writes the stream's configuration and what the archive will hold. It comes first.
func (w *Writer) Meta(meta []byte, holds Totals) error {
	if err := w.file(metaName, meta, holds.attributes()); err != nil {
		return err
	}
	return w.file(sumName, []byte(blockio.MetaSum(w.stream, meta)), nil)
}

// Block writes a block, unless an increment leaves it out.
func (w *Writer) Block(id uint32, data []byte) error {
	sum := sumOf(w.stream, data)
	w.catalog[id] = sum
	if before, there := w.since[id]; there && before == sum {
		w.leftOut[id] = sum
		return nil
	}
	return w.file(blockName(id), data, nil)
}

// Consumer writes the files of a consumer: its configuration and, if it is not nil, its state.
func (w *Writer) Consumer(name string, meta, state []byte) error {
	dir := consumersName + name + "/"
	err := w.file(dir+ConsumerMeta, meta, nil)
	if err == nil {
		err = w.file(dir+sumName, []byte(blockio.MetaSum(w.stream+"/"+name, meta)), nil)
	}
	if err == nil && state != nil {
		err = w.file(dir+ConsumerState, state, nil)
	}
	return err
}

func (w *Writer) file(name string, data []byte, attributes map[string]string) error {
	err := w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: w.now,
		Uname: "nats", Gname: "nats", Format: tar.FormatPAX, PAXRecords: attributes,
	})
	if err == nil {
		_, err = w.tar.Write(data)
	}
	if err != nil {
		return fmt.Errorf("write %s of %s: %w", name, w.stream, err)
	}
	return nil
}

// Close ends the archive. It does not close what it was written to.
func (w *Writer) Close() error {
	if w.leftOut != nil {
		if err := w.file(leftOutName, w.leftOut.encode(), nil); err != nil {
			return err
		}
	}
	err := w.tar.Close()
	if err == nil {
		err = w.s2.Close()
	}
	if err != nil {
		return fmt.Errorf("end that of %s: %w", w.stream, err)
	}
	return nil
}

// Catalog returns which blocks were written or left out, and how many were left out.
func (w *Writer) Catalog() (c Catalog, leftOut int) { return w.catalog, len(w.leftOut) }

// Written returns how many bytes were written so far.
func (w *Writer) Written() int64 { return w.out.written }

// output counts what is written, until the context ends.
type output struct {
	ctx     context.Context
	to      io.Writer
	written int64
}

func (o *output) Write(p []byte) (int, error) {
	if o.ctx.Err() != nil {
		return 0, context.Cause(o.ctx)
	}
	n, err := o.to.Write(p)
	o.written += int64(max(n, 0))
	return n, err
}
