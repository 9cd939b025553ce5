package engine

// floor is a record in the log that says: all messages below a sequence are removed.
//
// It makes the removal of very many messages one record, and a crash in the middle of
// removing their files harmless: what is still there is removed again. It is of use for
// as long as some file has messages below it, so it is written again before the block
// that it is in goes, unless all blocks before that one are gone.
type floor struct {
	first uint64
	block uint32 // that it is in
	group uint64 // that wrote it, see groupNumber; 0 when an earlier engine did
}

// protectHead makes durable what limits have removed from the head of the stream, before something else is
// removed: with the room that this makes, the limits would not remove it again when the stream is opened.
func (e *Engine) protectHead() {
	if first := e.counts[countFirst]; e.cfg.Limits.evicts() && first > max(e.floor.first, 1) {
		e.writeFloor(first)
	}
}

// keepFloor writes the floor again when the block that it is in is to go.
func (e *Engine) keepFloor(b *block) {
	if e.floor.block == b.id && e.floor.first > 0 {
		e.writeFloor(e.floor.first)
	}
}
