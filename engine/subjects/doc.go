// Package subjects is the index of all subjects of a stream: for each of them how
// many live messages it has, the sequences of the first and the last, and the size
// of the last.
//
// One owner changes an [Index]; readers walk a [Tree]. The owner changes the tree in
// place until [Index.Freeze] tells it that somebody may hold the tree. What was in
// the tree at that moment is never changed again: changes that come later copy what
// they touch, once, and go on in place on the copies. The handing over of a tree to
// other goroutines is left to the caller.
//
// Four structures hold it together. A B+tree sorted by the bytes of the subjects has
// the facts (leaf.go, node.go, grow.go, shrink.go) and is all that a reader sees. A
// hash table finds the number of a subject, its id (table.go). An array says for each
// id where in the tree the subject is (where.go). And two lists hold what is staged:
// messages that were taken in and that no reader may see yet (stage.go).
package subjects
