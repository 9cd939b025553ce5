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
//     the replies, and starts the work. Everything in a Ready is valid until
//     the next call of Ready, the Commit until its Done.
//  3. The operations of a Commit run in order and stop at the first error.
//     Commits come one at a time. Maintenance runs in the order given, on a
//     lane of its own that may overlap the commit lane.
//  4. Every piece of work gets exactly one Done, with or without an error.
//     After an error the engine is failed for good: it answers every waiter,
//     refuses what comes later, and emits no further work. What it has
//     published stays readable. The way on is a new Engine, recovered from the
//     files, that takes over the Published of the old one.
//  5. Byte slices of a command belong to the engine until Step returns. Byte
//     slices of a Commit belong to the engine and must not be changed.
//  6. Replies leave in the order of their commands. Those to a stop, and to a
//     flush at SyncInterval and SyncNever, are the exception: they wait for the
//     maintenance lane, and later commands overtake them.
//  7. What recovery scans has to be on stable storage before Finish: the engine
//     takes it for durable. The shell syncs the files that a crashed process may
//     have left in the page cache, and their directory.
//  8. The shell calls Tick at the time that NextTick names, also while the
//     engine is opening. The clock may go back.
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
// A group of two or more records that is written to one block by one write is
// preceded by a group mark, a 30-byte record that names how many records and
// bytes follow. It gives the format, which has no commit mark, a way to tell a
// torn group from a damaged one; docs/recovery.md has the rule.
//
// # Invariants
//
// CheckInvariants states them in code; tests call it after every step.
package engine
