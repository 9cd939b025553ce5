package archive

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// The files of an archive, in the order in which they come: the stream's own, its blocks, nats-server's state, and
// the files of each consumer.
const (
	metaName    = "meta.inf"
	sumName     = "meta.sum"
	blocksName  = "msgs/"
	stateName   = blocksName + blockio.StateFile
	failureName = "errors.txt" // nats-server ends an archive with it when it cannot go on
)

// blockName returns the name of a block.
func blockName(id uint32) string {
	return blocksName + strconv.FormatUint(uint64(id), 10) + ".blk"
}

// The files of a consumer are in obs/<its name>, in the order of consumerFiles.
const (
	consumersName = "obs/"
	ConsumerMeta  = metaName // its configuration
	ConsumerSum   = sumName
	ConsumerState = "o.dat" // which messages it has delivered; not every consumer has one
)

var consumerFiles = [...]string{ConsumerMeta, ConsumerSum, ConsumerState}

// MaxConsumerFile is the largest file of a consumer, in bytes.
const MaxConsumerFile = 32 << 20

// paxName begins the name of the entry that the attributes of the first file come in, before it.
const paxName = "PaxHeaders.0/"

// Limits of what is read.
const (
	maxSum        = 16 // bytes
	mostConsumers = 1 << 16
	headerCost    = 512 // bytes: what a file counts for beside its content
)

// Errors of archives. Test with errors.Is.
var (
	// ErrArchive: the bytes are no archive of a stream, or are not all of what was written.
	ErrArchive = errors.New("this is not a whole snapshot of a stream")
	// ErrIsBackup wraps ErrArchive: it is no snapshot but a message archive.
	ErrIsBackup = fmt.Errorf("%w: it is a message archive, as nats-server writes them since 2.15, which RestoreBackup restores", ErrArchive)
	// ErrIsSnapshot wraps ErrArchive: it is no message archive but a snapshot.
	ErrIsSnapshot = fmt.Errorf("%w: it is no message archive but a snapshot, which Restore restores", ErrArchive)
	// ErrLimit: the archive holds more than the caller allows.
	ErrLimit = errors.New("more than the limit")
)

// Totals are what a stream holds as of the instant of its snapshot.
type Totals struct {
	Messages uint64
	Last     uint64 // sequence
}

// totalsKeys are the extended attributes of the first file in which an archive of ours says what it holds: any
// other reader passes them over.
var totalsKeys = [...]string{"MILLRACE.messages", "MILLRACE.last"}

func (t *Totals) fields() [len(totalsKeys)]*uint64 {
	return [...]*uint64{&t.Messages, &t.Last}
}

func (t *Totals) attributes() map[string]string {
	attributes := make(map[string]string, len(totalsKeys))
	for i, field := range t.fields() {
		attributes[totalsKeys[i]] = strconv.FormatUint(*field, 10)
	}
	return attributes
}

// readTotals reads them back. They are there as a whole or not at all.
func readTotals(attributes map[string]string) (t Totals, there bool, err error) {
	found := 0
	for i, field := range t.fields() {
		text, ok := attributes[totalsKeys[i]]
		if !ok {
			continue
		}
		found++
		if *field, err = strconv.ParseUint(text, 10, 64); err != nil {
			return t, false, bad("%s is no number: %q", totalsKeys[i], text)
		}
	}
	if found > 0 && found < len(totalsKeys) {
		return t, false, bad("some of its totals are missing")
	}
	return t, found > 0, nil
}
