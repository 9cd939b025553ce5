package archive

import (
	"errors"
	"io"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// step is how much of a block is read at a time, in bytes, if no record of it is longer.
const step = 128 << 10

// blockCopy copies blocks, record by record: what is written has been checked.
type blockCopy struct {
	codec  *blockio.RecordCodec
	buffer []byte // which grows with what there is to read, and not with what is announced
}

// run copies a block of size bytes, and calls visit for each of its records.
func (c *blockCopy) run(to io.Writer, from io.Reader, size int64, visit func(*blockio.Record)) error {
	var r blockio.Record
	data := c.buffer[:0]
	for at := int64(0); size > 0 || len(data) > 0; {
		end := 0
		for end < len(data) {
			err := c.codec.DecodeInto(data[end:], &r)
			if errors.Is(err, blockio.ErrShort) && size > 0 {
				break
			}
			if err != nil {
				return bad("offset %d: %w", at+int64(end), err)
			}
			if at == 0 && end == 0 && blockio.LooksCompressed(uint32(r.Size)) {
				return bad("it would be taken for a compressed block")
			}
			visit(&r)
			end += r.Size
		}
		if _, err := to.Write(data[:end]); err != nil {
			return err
		}
		at += int64(end)
		data = c.buffer[:copy(c.buffer, data[end:])]
		var err error
		if data, err = c.more(data, from, &size); err != nil {
			return err
		}
	}
	return nil
}

// more reads the next bytes of a block behind data, and takes them off what there is left to read.
func (c *blockCopy) more(data []byte, from io.Reader, left *int64) ([]byte, error) {
	n := int(min(*left, step))
	if n == 0 {
		return data, nil
	}
	had := len(data)
	if need := had + n; need > len(c.buffer) {
		c.buffer = append(make([]byte, 0, max(need, 2*len(c.buffer))), data...)
		c.buffer = c.buffer[:cap(c.buffer)]
	}
	*left -= int64(n)
	if _, err := io.ReadFull(from, c.buffer[had:had+n]); err != nil {
		return nil, noEOF(err)
	}
	return c.buffer[:had+n], nil
}

// noEOF makes an end that comes too early an error that is not taken for the end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
