package streamstate

import (
	"encoding/binary"
	"math"
)

// decoder takes fields off the front of a file. After the first error all fields are zero.
type decoder struct {
	file string // its name
	data []byte
	at   int // offset of the next field
	err  error
}

func (d *decoder) rest() int { return len(d.data) - d.at }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = invalid(d.file, d.at, format, args...)
	}
}

// bytes takes n bytes, which are those of the file.
func (d *decoder) bytes(n uint64, what string) []byte {
	if d.err != nil {
		return nil
	}
	if n > uint64(d.rest()) {
		d.fail("%s: %d bytes, of which %d are there", what, n, d.rest())
		return nil
	}
	start := d.at
	d.at += int(n)
	return d.data[start:d.at:d.at]
}

// uvarint takes an unsigned number.
func (d *decoder) uvarint(what string) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.data[d.at:])
	if n <= 0 {
		d.fail("%s: no whole number", what)
		return 0
	}
	d.at += n
	return v
}

// varint takes a signed number.
func (d *decoder) varint(what string) int64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Varint(d.data[d.at:])
	if n <= 0 {
		d.fail("%s: no whole number", what)
		return 0
	}
	d.at += n
	return v
}

// block takes the number of a block.
func (d *decoder) block(what string) uint32 {
	v := d.uvarint(what)
	if v > math.MaxUint32 {
		d.fail("%s: %d is no number of a block", what, v)
		return 0
	}
	return uint32(v)
}

// count takes how many entries follow, each of so many bytes at least. It bounds what is allocated for them.
func (d *decoder) count(what string, least int) int {
	return d.bounded(what, d.uvarint(what), least)
}

func (d *decoder) bounded(what string, n uint64, least int) int {
	if d.err == nil && n > uint64(d.rest()/least) {
		d.fail("%s: %d, for which there is no room in %d bytes", what, n, d.rest())
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}
