package blockio

// MapRecords maps the records of a block that still takes some: its bytes up to size, which is not behind the end of a record.
// When the block is full, its file is cut behind the last record, so these bytes stay. It is false when that cannot be done,
// or when the block has a mapping of its own or never will have one. The caller reads the mapping under Guard, since the
// file is cut further when a failure is recovered from, and closes it before the block.
func (b *Block) MapRecords(size int64) (*Mapping, bool) {
	if b.whole || b.compressed || size > b.stat.Size {
		return nil, false
	}
	return MapFile(b.file, size)
}
