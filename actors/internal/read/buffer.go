package read

import "github.com/seed-d8b58eba/millrace/blockio"

// Buffer is a record and the memory for it, to be used again and again.
type Buffer struct {
	// Record is a copy in memory of the buffer's own: nothing else reaches its bytes. It is valid
	// until the next load into the buffer, and zero after a load that failed.
	Record blockio.Record
	bytes  []byte
	loads  uint32 // so far
	block  uint32 // that the last one was from, if it came to a file
	pace   pace
}

// Set makes the buffer's record a copy of r.
func (b *Buffer) Set(r *blockio.Record) {
	b.Record = *r
	b.own()
}

// own moves what the record refers to into the buffer's memory.
func (b *Buffer) own() {
	r := &b.Record
	n := len(r.Subject) + len(r.Header) + len(r.Payload)
	if cap(b.bytes) < n {
		b.bytes = make([]byte, n)
	}
	bytes := b.bytes[:n]
	header := copy(bytes, r.Subject)
	payload := header + copy(bytes[header:], r.Header)
	copy(bytes[payload:], r.Payload)
	r.Subject = bytes[:header:header]
	r.Header = nil
	if payload > header {
		r.Header = bytes[header:payload:payload]
	}
	r.Payload = bytes[payload:n:n]
}
