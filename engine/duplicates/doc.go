// Package duplicates remembers the ids of the messages that were stored last, so that one
// that is stored again can be answered with the sequence that it has already.
//
// What is remembered is bounded in number and in time: it is the last so many ids that
// were added, without those that were added too long ago. Within that it is exact. Ids are
// kept as they are and compared byte by byte, never by a hash alone: two ids that collide
// would lose a message.
//
// # Time
//
// The window has no clock; Advance tells it the time. It lets ids grow old by as much as
// the clock goes forward and by nothing when the clock goes back: what a clock that is set
// back by years has seen stays for as long as it would have, not for years. A clock that
// jumps ahead by more than the window forgets everything at once, as nobody can tell that
// from a long time.
//
// # Memory
//
// An entry takes 24 bytes, the bytes of its id, and a place of 8 bytes in a hash table
// (table.go) that grows to twice its size when three quarters are used, and shrinks below
// an eighth. What comes and goes at the two ends is held in chunks of 256 entries
// (ring.go), so no list of all entries ever grows or moves. A million ids of 22 bytes take
// about 66 bytes each (BenchmarkMemory). Ids are at most MaxID bytes long, which bounds an
// entry to about 350 bytes. What is forgotten gives back its chunks, and the table shrinks
// with it.
package duplicates
