package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestACompactionReadsNoSubjectsOfFew: of blocks that go as a whole nothing is read where the messages are of few
// subjects, and the subjects are where they are many.
func TestACompactionReadsNoSubjectsOfFew(t *testing.T) {
	for _, row := range []struct {
		subjects int
		reads    bool
	}{{1, false}, {2, false}, {4, false}, {5, true}} {
		t.Run(fmt.Sprint(row.subjects), func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = 700 })
			const messages = 60
			for i := range messages {
				s.must(t, store(fmt.Sprint("s", i%row.subjects), 10))
			}
			s.settle()
			s.step(sent{"compact", &engine.Compact{Sequence: messages - 2}})
			s.turn()
			require.Equal(t, row.reads, len(s.out(engine.WorkSubjects)) > 0)
			s.settle()
			require.NoError(t, s.e.CheckInvariants())
			require.Len(t, s.live(), 3)
			n := uint64(0)
			for i := range row.subjects {
				info, _ := s.pub.Subjects().Get(fmt.Sprint("s", i))
				n += info.Count
			}
			require.EqualValues(t, 3, n, "messages of all subjects")
		})
	}
}
