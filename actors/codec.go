package actors

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// codec joins the engine, which decides what is written, with blockio, which
// knows how.
type codec struct{ stream string }

func (codec) Size(subject, header, payload int) int {
	return blockio.RecordSize(subject, header, payload)
}

func (codec) Check(subject, header, payload int) error {
	if err := blockio.CheckSize(subject, header, payload); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrTooLarge, err)
	}
	return nil
}

func (c codec) Block(id uint32) engine.BlockCodec { return blockio.NewRecordCodec(c.stream, id) }
