package disk

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Codec lets the engine, which decides what is written, encode records as package blockio does. Its
// value is the name of the stream.
type Codec string

// Size implements engine.Codec.
func (Codec) Size(subject, header, payload int) int {
	return blockio.RecordSize(subject, header, payload)
}

// EmptySize implements engine.Codec.
func (Codec) EmptySize() int { return blockio.EmptyRecordSize }

// Check implements engine.Codec.
func (Codec) Check(subject, header, payload int) error {
	if err := blockio.CheckSize(subject, header, payload); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrTooLarge, err)
	}
	return nil
}

// Block implements engine.Codec.
func (c Codec) Block(id uint32) engine.BlockCodec {
	return blockCodec{blockio.NewRecordCodec(string(c), id)}
}

// blockCodec is a record codec as the engine wants it.
type blockCodec struct{ *blockio.RecordCodec }

// LengthsCRC implements engine.BlockCodec.
func (blockCodec) LengthsCRC(crc uint32, record []byte) uint32 {
	return blockio.LengthsCRC(crc, record)
}
