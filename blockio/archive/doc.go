// Package archive writes and reads snapshots of streams, as nats-server does: a tar in S2 framing. docs/snapshots.md
// has the format, and what is refused.
//
// A Writer is given what belongs into an archive and looks at none of it. Read trusts nothing: it hands a file on
// only as far as its bytes have been checked, and takes memory for one record at most, however large the archive
// says that its files are. Unpack puts what it reads into a directory, all or nothing.
package archive
