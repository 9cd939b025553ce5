// Package read answers questions about a stream on the goroutine of whoever asks, beside the store
// actor and without it: loads, scans, look-ups and counts. It reads what the engine has published
// (engine.Published), the memory of the block that is being written, and the files of the others. It
// changes nothing of a stream.
//
// A Source is a stream as a reader sees it. Ask takes a snapshot and answers a question of one
// instant from it. Load and Scan follow the stream as it changes: a message that they return was
// there at the moment when it was read.
//
// # Errors
//
// ErrNotFound, ErrEOF, ErrTooManyResults and engine.ErrStopped; damage wraps blockio.ErrCorrupt and
// says where it is. An index file that turns out to be wrong is no error: the Source reports it
// (Config.BadIndex) and the question is asked again of the block itself.
package read
