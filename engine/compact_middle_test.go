package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestCompactionToTheMiddleOfABlock: what it looks up in the file shows the first message that stays, whichever that is,
// so that no table is loaded for its time.
func TestCompactionToTheMiddleOfABlock(t *testing.T) {
	defer engine.SetKeepRecords(0)() // no table is in memory after an opening
	const stored = 12
	for below := uint64(2); below <= stored; below++ {
		for _, gone := range [][]uint64{nil, {4}, {4, 5}, {5, 6, 7}, {1, 2, 3}, {2, 11, 12}} {
			t.Run(fmt.Sprintf("%d without %v", below, gone), func(t *testing.T) {
				cfg := testConfig()
				cfg.BlockSize = 300
				s := newShell(cfg, newDisk(), engine.NewPublished(), start)
				for i := range int64(stored) {
					s.tick(start + i*second)
					s.must(t, store("a", 10))
				}
				s.reopen()
				for _, sequence := range gone {
					s.must(t, sent{"remove", &engine.Remove{Sequence: sequence}})
				}
				s.reopen()
				before := s.live()
				s.step(sent{"compact", &engine.Compact{Sequence: below}})
				for more := true; more; more = s.runAny() {
					s.turn()
					for _, w := range s.work {
						require.NotEqual(t, engine.WorkLoad, w.Kind)
					}
				}
				var want []uint64
				for _, sequence := range before {
					if sequence >= below {
						want = append(want, sequence)
					}
				}
				require.Equal(t, want, s.live())
				require.NoError(t, s.e.CheckInvariants())
				if len(want) > 0 {
					require.Equal(t, start+int64(want[0]-1)*second, s.pub.State().FirstTime)
				}
				s.reopen()
				require.Equal(t, want, s.live())
			})
		}
	}
}

// TestACompactionLooksIntoNoBlockThatStaysWhole, also up to the last message of a block, which was removed.
func TestACompactionLooksIntoNoBlockThatStaysWhole(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(sevenABlock)
	for range 28 {
		s.must(t, store("a", 100))
	}
	s.must(t, sent{"remove", &engine.Remove{Sequence: 7}})
	s.reopen()
	s.disk.fault = func(_ int, what string) error {
		if what == "find 2" {
			return errDisk
		}
		return nil
	}
	r := s.do(sent{"compact", &engine.Compact{Sequence: 7}})
	require.Len(t, r, 1)
	require.NoError(t, r[0].Err)
	require.Equal(t, 6, r[0].Count)
}
