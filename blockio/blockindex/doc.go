// Package blockindex is the index of a sealed block: the file N.bix beside N.blk,
// which answers where a message is, which subjects the block has, and which messages
// a subject has, without reading the block.
//
// docs/format-block-index.md has every byte of it. All of it is derived from the
// block: it may be missing, stale, torn or damaged, and is made again then. What is
// wrong with it is always found, also when it goes wrong while the index is in use:
// Open verifies the header, and every other page is copied when it is first used, and
// the copy is verified. Only then does an answer come from it, and from the copy.
//
// # Use
//
// Build makes the image of an index from the bytes of a block, a Builder from records
// as they come, and Write puts an image beside the block. Open takes the bytes of the
// file, mapped or not, and an Identity, which says what the block's file is now.
// An error that wraps ErrStale or ErrDamaged means that the index is to be built
// anew; the block itself is not in doubt. An index that is Suspect is of a block whose
// file has another modification time: CheckBlock holds the block against it, and Renew
// makes that known to the file. OpenForEvidence opens the index of a block that is not
// what it was.
//
// # Terms
//
// The ordinal of a message is how many messages of the block come before it. The rank
// of a subject is how many subjects of the block come before it in byte order. The
// messages with the empty subject have none of the ranks: they go by EmptySubject.
//
// # Concurrency
//
// An Index is for any number of goroutines at once, and takes a lock only to bring a
// page into its PageCache. A Cursor, a Pass and a Builder are for one. When the bytes are those
// of a mapping, the mapping must not be closed under a call; a fault is an error that
// wraps blockio.ErrMapped.
package blockindex
