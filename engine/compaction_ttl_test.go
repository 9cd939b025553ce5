package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// thinning opens a stream with full blocks of ten messages, of which every second one lives for ten seconds and the others
// as long as one of the lives says ("" for ever), and lets these ten seconds pass. It returns the compactions since.
func thinning(t *testing.T, lives ...string) (s *shell, compacted *[]string) {
	compacted = &[]string{}
	s = open(func(c *engine.Config) {
		c.BlockSize, c.CompactBelow, c.Level, c.Limits = 1000, 70, engine.SyncNever, engine.Limits{MsgTTL: engine.TTLOn}
	})
	s.e.Tick(s.now)
	s.trace = func(what string) {
		if _, kind, found := strings.Cut(what, ": "); found && strings.HasPrefix(kind, "compact") {
			*compacted = append(*compacted, kind)
		}
	}
	for i := range 40 {
		switch life := lives[i/2%len(lives)]; {
		case i%2 == 0:
			s.step(mortal("a", "10"))
		case life == "":
			s.step(store("a", 60))
		default:
			s.step(mortal("a", life))
		}
	}
	s.settle()
	require.Empty(t, *compacted)
	s.passed(t, start+12*second)
	return s, compacted
}

// TestBlocksThatExpireSoonAreNotCompacted: what is left of them goes within a minute, and they with it.
func TestBlocksThatExpireSoonAreNotCompacted(t *testing.T) {
	for _, row := range []struct {
		name     string
		lives    []string
		compacts bool
	}{
		{"all soon", []string{"50", "70"}, false},
		{"all later", []string{"80"}, true},
		{"some later", []string{"50", "50", "80"}, true},
		{"some never", []string{"50", "50", ""}, true},
		{"some for ever", []string{"50", "50", "never"}, true},
		{"few, and much later", []string{"10", "10", "10", "10", "60"}, true},
		{"few, and soon", []string{"10", "10", "10", "10", "15"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, compacted := thinning(t, row.lives...)
			require.Equal(t, row.compacts, len(*compacted) > 0, "%v", *compacted)
			require.NoError(t, s.e.CheckInvariants())
			if !row.compacts {
				s.passed(t, start+75*second)
				require.Empty(t, s.live())
				require.Empty(t, *compacted)
				require.LessOrEqual(t, s.pub.Counts().Blocks, uint64(2), "the rest is removed")
			}
		})
	}
}

// TestABlockIsCompactedWhenItDoesNotExpireAnyMore: TTLs are turned off.
func TestABlockIsCompactedWhenItDoesNotExpireAnyMore(t *testing.T) {
	s, compacted := thinning(t, "50")
	require.Empty(t, *compacted)
	require.Len(t, s.live(), 20)
	s.must(t, sent{"limits", &engine.SetLimits{}})
	s.passed(t, start+13*second)
	require.NotEmpty(t, *compacted)
	require.Len(t, s.live(), 20)
	require.NoError(t, s.e.CheckInvariants())
}

// TestABlockIsCompactedAfterAnOpening: nobody knows any more what has thinned it out.
func TestABlockIsCompactedAfterAnOpening(t *testing.T) {
	s, compacted := thinning(t, "50")
	s.reopen()
	s.e.Tick(s.now)
	s.passed(t, start+14*second)
	require.NotEmpty(t, *compacted)
	require.Len(t, s.live(), 20)
}

// TestWhatIsWrittenAgainIsCompactedAlthoughItExpires: as much more would be dead as is written until then.
func TestWhatIsWrittenAgainIsCompactedAlthoughItExpires(t *testing.T) {
	compacted := 0
	s := open(func(c *engine.Config) {
		c.BlockSize, c.CompactBelow, c.Level, c.Limits = 1000, 70, engine.SyncNever, engine.Limits{MsgTTL: engine.TTLOn, MaxMsgsPer: 1}
	})
	s.e.Tick(s.now)
	s.trace = func(what string) {
		if _, kind, found := strings.Cut(what, ": "); found && strings.HasPrefix(kind, "compact") {
			compacted++
		}
	}
	for i := range 60 {
		subject := "again"
		if i%3 == 0 {
			subject = strings.Repeat("k", i/3+1)
		}
		s.step(mortal(subject, "20"))
	}
	s.settle()
	require.NotZero(t, compacted)
	require.Len(t, s.live(), 21)
	require.NoError(t, s.e.CheckInvariants())
}

// TestABlockIsCompactedWhenTheClockIsSetBack: what is left of it goes in an hour, not within a minute.
func TestABlockIsCompactedWhenTheClockIsSetBack(t *testing.T) {
	s, compacted := thinning(t, "50")
	require.Empty(t, *compacted)
	s.e.Tick(start - 3600*second)
	s.settle()
	for i := range int64(60) {
		s.e.Tick(start - 3600*second + i*second)
		s.settle()
	}
	require.Len(t, s.live(), 20)
	require.NotEmpty(t, *compacted)
}
