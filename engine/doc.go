// Package engine is a stream as a deterministic state machine.
//
// The engine assigns sequences, decides what a limit evicts, where a record
// goes, when a reply may leave, and what a reader may see. It starts no
// goroutine, takes no lock, reads no clock, and does no I/O: commands come in
// through Step, completions of work through Done, and everything that has to
// happen outside leaves through Ready. Two runs with the same inputs produce
// the same bytes.
//
// # Duties of the shell
//
// The shell is whoever owns an Engine (in Millrace: the store actor).
//
//  1. Only one goroutine at a time calls methods of an Engine. The one
//     exception is what hangs on Published, which any goroutine may read.
//  2. After a round of Step and Done calls the shell calls Ready once, sends
//     the replies, and starts the work. A Ready is valid until the next call of
//     Ready, its replies until the next call of Ready or Settled, and its Commit
//     until the Done of that.
//  3. The operations of a Commit run in order and stop at the first error.
//     Commits come one at a time. Other work runs on the maintenance lane, in
//     the order given, beside the commit lane. WorkIndex alone runs beside both:
//     there is never more than one.
//  4. Every piece of work gets exactly one Done, with or without an error.
//     After an error the engine is failed for good: it answers every waiter with
//     ErrOutcomeUnknown if its command was accepted, refuses with ErrFailed what was
//     not and what comes later, and emits no further work. What it has
//     published stays readable. The way on is a new Engine, recovered from the
//     files, that takes over the Published of the old one. It publishes nothing, and
//     has no file removed, until all that it wrote for that is committed and it serves:
//     if it fails before, readers have what the old one published, whole.
//  5. A command, with its byte slices, belongs to the engine until Step returns.
//     Byte slices of a Commit belong to the engine and must not be changed.
//  6. Replies leave in the order of their commands. Those to a Stop, to a Flush at
//     SyncInterval and SyncNever, to a SetSync, and to a Purge that goes in pieces are the exception:
//     replies to later commands overtake them.
//  7. What recovery scans has to be on stable storage before Recovery.Finish: the
//     engine takes it for durable. The shell syncs the files that a crashed
//     process may have left in the page cache, and their directory.
//  8. The shell calls Tick at the time that NextTick names, also while the
//     engine is opening. The clock may go back.
//  9. If it wants notices of what is stored and removed (see Notify), the shell
//     takes them from Notices before it delivers the replies of a Ready or of
//     Settled, and from a failed engine before it lets another one take over.
//
// # Commands
//
// Store, StoreRaw, StoreBatch, Skip, Flush and Stop are the commands. Each is in a
// file of its own, which has all that it does. A command that is refused has changed
// nothing. One that needs a table which is not in memory waits for it, and so do all
// commands behind it. A Purge of very many messages is accepted and goes on while commands behind it are carried
// out; its reply comes behind theirs.
//
// # Blocks
//
// A block has a number, which is that of its file, and a generation. Each Engine of a
// Published gives its blocks a generation that none had before, since a recovery after
// a failure may find other bytes in a file than readers have seen there. Number and
// generation name the bytes of a block for as long as the Published lives.
//
// A sequence of a block is live if the block has a message of it that was not removed,
// or else deleted. Messages below the first sequence of the stream were removed from
// its head, and need not be listed as deleted.
//
// # What is durable when
//
// At SyncAlways a reply leaves after the records of its group are synced, and
// the same moment makes them visible to readers. At SyncInterval it leaves
// after they are written, at SyncNever as soon as they are in memory. Blocks
// that a limit evicts are removed only after the record that evicted them is
// durable, at every level.
//
// # Records in a block
//
// The records that one commit writes to one block are a frame. A mark precedes
// them, a 30-byte record that says how many bytes of records follow and has a
// checksum of their lengths, which goes on from that of the mark before it in the
// block. The mark gives the format, which has no commit mark, a way to tell a torn
// commit from a damaged one, and covers the lengths, which the checksums of records
// do not; docs/recovery.md has the rule. Every frame has one, also that of a single
// record, so a block never begins with a length that looks like a compressed block.
//
// # Invariants
//
// CheckInvariants states them in code; tests call it after every step.
package engine
