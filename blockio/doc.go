// Package blockio is the files of a stream: records and blocks of records, the
// stream's meta file, and the file system below.
//
// # Format
//
// The files are those of nats-server 2.14's JetStream file store, byte for byte;
// docs/format.md has what is on disk. A stream is a directory with meta.inf,
// meta.sum and msgs, in which N.blk are its blocks. A block is records back to
// back. RecordCodec encodes and decodes them without allocating; the slices of a
// decoded Record alias what it was decoded from.
//
// # Durability
//
// What is appended is durable when Append with sync, or a later Sync of the same
// block, has returned; a new block's name when Create has; a removal when Remove
// has; a replaced file when ReplaceFile has. A write or sync that failed leaves
// the block broken: nothing is appended on top until recovery has cut it.
//
// One thing is up to the caller: before the first byte of a block is written, all
// of the block before it must be durable. Recovery takes a tear in any block but
// the last for damage.
//
// # Recovery
//
// ScanBlock tells a torn tail, which is normal after a crash and was never
// acknowledged, from damage, which is reported with its place and costs as little
// as can be. docs/recovery.md has the rule, and what it cannot tell. A group of
// records that is written and synced as one carries a mark (PutFrameMark) before
// it, is there after a crash in full or not at all, and has the lengths it had.
//
// # Concurrency
//
// RecordCodec, BlockCache with its sources and blocks, and FS are for any
// number of goroutines; Blocks is for two writers and any number of readers, as its
// comment says.
// No lock is held during I/O. The package starts no goroutine and keeps no time.
//
// # Reading
//
// All readers of a process lease blocks from one BlockCache, each stream through its
// BlockSource: a Block is open while somebody has it, whatever becomes of the file, and
// carries what was made of it, such as an index. Blocks tells the source which files it
// cuts and removes.
//
// # Errors
//
// Sentinels are in errors.go. Nothing that was stored, no payload, header or
// subject, is ever in the text of an error. Bad input leads to an error, never a
// panic, and takes memory in proportion to its size at most.
package blockio
