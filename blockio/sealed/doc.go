// Package sealed is the files of an encrypted stream: a file system between a store and the real one.
//
// What the store writes through it is encrypted on the way, whatever the name: blocks, meta.inf, index.db and the files
// of consumers as nats-server has them, all others in a form of our own. What is encrypted on the disk reads as it was
// written: sizes, offsets and checksums are those of plain bytes. docs/encryption.md has what that protects, and
// docs/format.md the bytes.
//
// Nothing proves that bytes are the ones that were written, but for key files, meta.inf, index.db and the files of consumers. The
// checksums of records find damage, not forgery.
package sealed
