package subjects

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// A reader walks frozen trees while the owner goes on. Nothing but the channel that
// hands a tree over synchronises them.
func TestReadersAndOwner(t *testing.T) {
	type handed struct {
		tree     *Tree
		live     int
		messages uint64
	}
	trees, done := make(chan handed, 2), make(chan error, 1)
	go func() {
		var err error
		everything, some := subject.Everything(), subject.NewSet(subject.Compile("kv.*.5*"), subject.Compile("kv.1.*"))
		for h := range trees {
			for range 2 {
				n, sum := 0, uint64(0)
				h.tree.Walk(&everything, func(_ []byte, info Info) bool {
					n++
					sum += info.Count
					return true
				})
				h.tree.Total(&some)
				h.tree.Pending(&some, 100)
				h.tree.Get("kv.1.5")
				if n != h.live || sum != h.messages {
					err = fmt.Errorf("walked %d subjects with %d messages, want %d with %d", n, sum, h.live, h.messages)
				}
			}
		}
		done <- err
	}()
	x := New(1)
	sequence := uint64(0)
	for round := range 300 {
		for i := range 100 {
			n := (round*37 + i*13) % 900
			id := x.Stage(fmt.Sprintf("kv.%d.%d", n%7, n), round)
			sequence++
			x.Stored(id, sequence, 10)
			if info, ok := x.Info(id); ok && info.Count > 3 && n%2 == 0 {
				x.RemovedMany(id, info.Count, sequence)
			}
		}
		x.Published(round)
		x.Freeze()
		trees <- handed{x.Tree(), x.Tree().Len(), x.Tree().Messages()}
	}
	close(trees)
	require.NoError(t, <-done)
	require.NoError(t, x.check())
}
