// Package wheel says which messages are due: a hierarchical timing wheel of sequences
// by their due times, in nanoseconds.
//
// It has no clock. Where an entry is depends on its due time alone, not on the time at
// which it was added or looked for. So a clock that jumps by years in either direction
// moves nothing, loses nothing, and takes no longer than one that goes on; and an entry
// may be due in the past when it is added.
//
// A due time and a sequence together are a number of 32 hexadecimal digits. A ring has a
// slot for each value of one of these digits, and so the slots of a ring are spans of
// time of one length (1 ns, 16 ns, 256 ns and so on: 16^7 ns are 0.27 s), or, in a span of
// 1 ns, spans of sequences. A slot holds few entries, in order, or a finer ring
// (slot.go). Rings are made where many entries are, at the first digit in which these
// differ, and go when few are left (ring.go). There are no empty slots to walk over.
//
// # Cost
//
// Adding, removing and visiting an entry costs the same with ten entries as with ten
// million: at most 32 rings are passed, and those are rare; a million entries spread over
// a minute have five. The worst is a few microseconds, when a slot bursts into a ring.
//
// # Memory
//
// An entry is 16 bytes. A slot has room for at most twice its entries, so that is at most
// 32 bytes for each; rings add at most 2 bytes where entries are spread evenly or are in
// bunches. A million entries spread over a minute take about 23 bytes each, a million
// with one due time about 17 (BenchmarkMemory). Due times chosen so that entries are at
// ever smaller distances from one point, as many rings deep as there are digits, make it
// about 50 (TestMemoryOfEntriesThatAreChosenToBeNested).
package wheel
