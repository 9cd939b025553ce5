package oracle

import (
	_ "unsafe" // for linkname

	"github.com/nats-io/nats-server/v2/server"
)

//go:linkname isValidSubject github.com/nats-io/nats-server/v2/server.isValidSubject
func isValidSubject(subject string, checkRunes bool) bool

// ValidSubject reports whether a server takes a subject for that of a message wherever it asks, and for one that its
// file store has written: with one that it has not, it takes the file with the state of the stream for damaged.
func ValidSubject(subject string) bool {
	return server.IsValidPublishSubject(subject) && isValidSubject(subject, true)
}
