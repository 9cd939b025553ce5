package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/s2"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// The message archive is what a nats-server writes as a backup since 2.15: entries in S2 framing, of which each message
// is one. docs/backups.md has the format.

const (
	messagesMagic = "NATSARC1"
	// maxEntryName is the longest name that a server takes, in bytes. Of a message it is the subject, which is shorter.
	maxEntryName = 1 << 20
	// maxEntry bounds what of an entry is held in memory, in bytes: no record of a message is longer.
	maxEntry = blockio.MaxRecordSize
)

// An Entry is one entry of a message archive: a message, or, with Sequence 0, a file.
type Entry struct {
	Name     string // of a message, its subject
	Time     int64  // nanoseconds since 1970
	Sequence uint64
	Header   []byte
	Payload  []byte
	// TooLarge is how many bytes header and payload have, when that is more than any message can have. They are not there
	// then.
	TooLarge uint64
}

// isEnd reports whether an entry is the one that ends an archive.
func (e *Entry) isEnd() bool {
	return e.Name == "" && e.Time == 0 && e.Sequence == 0 && len(e.Header) == 0 && len(e.Payload) == 0 && e.TooLarge == 0
}

// A MessageWriter writes a message archive: Write for each entry, then Close, each on the caller's goroutine. It has no
// goroutine of its own, and needs no closing when it is given up.
type MessageWriter struct {
	out  *output
	s2   *s2.Writer
	head []byte
}

// NewMessageWriter returns a writer of a message archive. When the context ends, the next write fails with its cause.
func NewMessageWriter(ctx context.Context, to io.Writer) *MessageWriter {
	w := &MessageWriter{out: &output{ctx: ctx, to: to}, head: []byte(messagesMagic)}
	w.s2 = s2.NewWriter(w.out, s2.WriterConcurrency(1))
	return w
}

// Write writes an entry.
func (w *MessageWriter) Write(e *Entry) error {
	b := binary.AppendUvarint(w.head, uint64(len(e.Name))) // behind what begins the archive, the first time
	b = binary.AppendVarint(b, e.Time)
	b = binary.AppendUvarint(b, e.Sequence)
	b = binary.AppendUvarint(b, uint64(len(e.Header)))
	b = binary.AppendUvarint(b, uint64(len(e.Payload)))
	b = append(b, e.Name...)
	b = append(b, e.Header...)
	_, err := w.s2.Write(b)
	if err == nil {
		_, err = w.s2.Write(e.Payload)
	}
	if w.head = b[:0]; err != nil {
		return fmt.Errorf("write an entry: %w", err)
	}
	return nil
}

// Close writes the end, without which an archive is none.
func (w *MessageWriter) Close() error {
	err := w.Write(&Entry{})
	if err == nil {
		err = w.s2.Close()
	}
	if err != nil {
		return fmt.Errorf("end a message archive: %w", err)
	}
	return nil
}

// Written returns how many bytes were written, of which the last ones come with Close.
func (w *MessageWriter) Written() int64 { return w.out.written }

// A MessageReader reads a message archive. It takes memory for one entry, and no more than has come of it.
type MessageReader struct {
	source *source
	in     *bufio.Reader
	begun  bool
	data   bytes.Buffer
	err    error
}

// NewMessageReader returns a reader of a message archive, of which at most limit bytes are read, as they are when they are
// not compressed, if limit is above 0. When the context ends, the next read fails with its cause.
func NewMessageReader(ctx context.Context, from io.Reader, limit int64) *MessageReader {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	source := newSource(ctx, from, limit)
	return &MessageReader{source: source, in: bufio.NewReaderSize(source, 64<<10)}
}

// Next returns the next entry, whose bytes are valid until the call after. At the end of the archive the error is io.EOF.
// Others are those of the reader and the context, ErrLimit, and ErrArchive: also when the archive is cut before its end, or
// something follows that. After an error there is nothing more.
func (r *MessageReader) Next() (Entry, error) {
	if r.err != nil {
		return Entry{}, r.err
	}
	e, err := r.next()
	if err == nil && e.isEnd() {
		if _, err = r.in.ReadByte(); err == nil {
			err = bad("something follows its end")
		} else if err == io.EOF {
			r.err = io.EOF
			return Entry{}, io.EOF
		}
	}
	if err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			err = bad("it is cut")
		}
		r.err = r.source.wrong(err)
		return Entry{}, r.err
	}
	return e, nil
}

func (r *MessageReader) next() (e Entry, err error) {
	if !r.begun {
		var magic [len(messagesMagic)]byte
		if _, err := io.ReadFull(r.in, magic[:]); err != nil {
			return e, err
		}
		if head := string(magic[:]); head == metaName || head == paxName[:len(magic)] {
			return e, ErrIsSnapshot
		} else if head != messagesMagic {
			return e, bad("it does not begin with %s", messagesMagic)
		}
		r.begun = true
	}
	var name, header, payload uint64
	for _, field := range []*uint64{&name, nil, &e.Sequence, &header, &payload} {
		if field == nil {
			e.Time, err = binary.ReadVarint(r.in)
		} else {
			*field, err = binary.ReadUvarint(r.in)
		}
		if err != nil {
			return e, err
		}
	}
	if name > maxEntryName {
		return e, bad("a name of %d bytes", name)
	}
	if header > math.MaxInt64 || payload > math.MaxInt64-header {
		return e, bad("an entry of %d and %d bytes", header, payload)
	}
	r.data.Reset()
	if err := r.take(name); err != nil {
		return e, err
	}
	e.Name = r.data.String()
	r.data.Reset()
	if header+payload > maxEntry {
		e.TooLarge = header + payload
		_, err = io.CopyN(io.Discard, r.in, int64(header+payload))
		return e, err
	}
	if err := r.take(header + payload); err != nil {
		return e, err
	}
	all := r.data.Bytes()
	e.Header, e.Payload = all[:header:header], all[header:]
	return e, nil
}

// take reads bytes into data, which grows with what comes and not with what is said to come.
func (r *MessageReader) take(n uint64) error {
	_, err := io.CopyN(&r.data, r.in, int64(n))
	return err
}
