package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// The files that a truncation has cut off are closed and removed a while after its reply. That takes as long as they are large, and who
// has truncated a stream stores the next messages right after that: the file system would have both in one transaction.

// sweepAfter is how long after a truncation its files are removed.
const sweepAfter = time.Second

// remains is what is to be removed.
type remains struct {
	left []*disk.IntendedTruncation
	due  int64 // nanoseconds since the epoch; 0 when there is nothing
}

// sweepWork removes it. It is the indexer's; compactors write indexes, too, see disk.Files.Sweep.
type sweepWork struct {
	files *disk.Files
	left  []*disk.IntendedTruncation
}

// swept completes it: nobody waits for that.
type swept struct{}

func (w *sweepWork) run() any {
	w.files.Source.CloseSuperseded()
	for _, t := range w.left {
		if err := w.files.Sweep(&t.Truncation); err != nil {
			w.files.Log.Warn("cannot remove what was cut off; it goes when the stream is opened again", "error", err)
		}
	}
	return swept{}
}

func (w *sweepWork) failed(error) any { return swept{} }

// sweepLater has the files removed that a truncation has cut off.
func (a *storeActor) sweepLater(t *disk.IntendedTruncation) {
	s := &a.remains
	s.left = append(s.left, &disk.IntendedTruncation{Truncation: blockio.Truncation{Cut: t.Cut, Remove: t.Remove}})
	if s.due == 0 {
		s.due = a.now + int64(sweepAfter)
	}
}

// sweepIfDue hands it to the indexer when it is time.
func (a *storeActor) sweepIfDue(ctx actor.Context) {
	if s := &a.remains; s.due > 0 && a.now >= s.due {
		a.assign(ctx, &a.indexer, &task{job: &sweepWork{a.files, s.left}})
		a.remains = remains{}
	}
}

// sweepAtStop removes it when the children have ended.
func (a *storeActor) sweepAtStop() {
	defer a.survive()
	(&sweepWork{a.files, a.remains.left}).run()
}
