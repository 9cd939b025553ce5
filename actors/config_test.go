package actors_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

func TestValidateListsEveryProblemAtOnce(t *testing.T) {
	c := actors.Config{
		Name: "a.b", Subjects: []string{"ok.>", "a..b", "a b", "", ">.a"},
		Sync: 7, SyncEvery: time.Microsecond, Discard: 9,
		MaxAge: time.Microsecond, MaxMsgSize: 1 << 30, FirstSequence: 1 << 62, BlockSize: 5,
		MaxInFlight: -1, MaxInFlightBytes: -2, MaxUnwritten: -3, RetryMin: -4, RetryMax: -5,
	}
	err := c.Validate()
	require.ErrorIs(t, err, actors.ErrConfig)
	for _, part := range []string{
		"Dir is empty", `name "a.b" holds '.'`, "Sync 7", "Discard 9", "SyncEvery 1µs", "MaxAge 1µs",
		"MaxMsgSize 1073741824", "FirstSequence 4611686018427387904", "BlockSize 5",
		"MaxInFlight -1", "MaxInFlightBytes -2", "MaxUnwritten -3", "RetryMin -4", "RetryMax -5",
		"RetryMax -5ns is below RetryMin -4ns",
		`subject "a..b"`, `subject "a b"`, `subject ""`, `subject ">.a"`,
	} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "ok.>")
	dir := t.TempDir()
	c.Dir = dir
	_, err = actors.Open(t.Context(), quiet, c)
	require.ErrorIs(t, err, actors.ErrConfig)
	requireEmptyDir(t, dir)
	_, err = actors.Open(t.Context(), nil, actors.Config{Dir: dir, Name: "X"})
	require.ErrorIs(t, err, actors.ErrConfig)
	requireEmptyDir(t, dir)
}

// TestValidateNamesAProblemOnce.
func TestValidateNamesAProblemOnce(t *testing.T) {
	c := actors.Config{Dir: "d", Name: "N", MaxInFlight: math.MaxInt}
	require.Equal(t, 1, strings.Count(c.Validate().Error(), "MaxInFlight"))
}

// TestAnyNegativeLimitLiftsTheStoredOne.
func TestAnyNegativeLimitLiftsTheStoredOne(t *testing.T) {
	for _, none := range []int{actors.Unlimited, -2, math.MinInt32, math.MinInt} {
		config := actors.Config{Dir: t.TempDir(), MaxMsgs: 1, MaxBytes: 1000, MaxAge: time.Hour, MaxMsgSize: 10}
		s := open(t, config)
		_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 11))
		require.ErrorIs(t, err, actors.ErrTooLarge)
		require.NoError(t, s.Stop(t.Context()))
		config.MaxMsgs, config.MaxBytes, config.MaxAge, config.MaxMsgSize = int64(none), int64(none), time.Duration(none), none
		s = open(t, config)
		for range 2 {
			mustStore(t, s, "a", string(make([]byte, 2000)))
		}
		require.Equal(t, uint64(2), stateOf(t, s).Messages)
	}
}

func requireEmptyDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestValidateTakesTheEdges(t *testing.T) {
	base := actors.Config{Dir: "d", Name: "N"}
	for _, row := range []struct {
		name   string
		change func(*actors.Config)
		wrong  bool
	}{
		{"defaults", func(*actors.Config) {}, false},
		{"smallest block", func(c *actors.Config) { c.BlockSize = 4 << 10 }, false},
		{"largest block", func(c *actors.Config) { c.BlockSize = 8 << 20 }, false},
		{"smallest block", func(c *actors.Config) { c.BlockSize = 30 }, false},
		{"block too small", func(c *actors.Config) { c.BlockSize = 29 }, true},
		{"block too large", func(c *actors.Config) { c.BlockSize = 8<<20 + 1 }, true},
		{"shortest age", func(c *actors.Config) { c.MaxAge = time.Millisecond }, false},
		{"age too short", func(c *actors.Config) { c.MaxAge = time.Millisecond - 1 }, true},
		{"no limits", func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxAge, c.MaxMsgSize = -1, -1, -1, -1 }, false},
		{"largest limits", func(c *actors.Config) {
			c.MaxMsgs, c.MaxBytes, c.MaxAge = math.MaxInt64, math.MaxInt64, math.MaxInt64
		}, false},
		{"largest message", func(c *actors.Config) { c.MaxMsgSize = 32 << 20 }, false},
		{"message too large", func(c *actors.Config) { c.MaxMsgSize = 32<<20 + 1 }, true},
		{"highest first sequence", func(c *actors.Config) { c.FirstSequence = 1<<62 - 1 }, false},
		{"shortest interval", func(c *actors.Config) { c.SyncEvery = time.Millisecond }, false},
		{"negative interval", func(c *actors.Config) { c.SyncEvery = -time.Second }, true},
		{"retry at once", func(c *actors.Config) { c.RetryMin, c.RetryMax = 1, 1 }, false},
		{"retry backwards", func(c *actors.Config) { c.RetryMin, c.RetryMax = 2, 1 }, true},
		{"slow retry with the default for the slowest", func(c *actors.Config) { c.RetryMin = time.Hour }, false},
		{"window beyond counting", func(c *actors.Config) { c.MaxInFlight = math.MaxInt }, true},
		{"widest window", func(c *actors.Config) { c.MaxInFlight, c.MaxInFlightBytes = 1<<22, 1<<38 }, false},
		{"window too wide", func(c *actors.Config) { c.MaxInFlight = 1<<22 + 1 }, true},
		{"too many bytes in the window", func(c *actors.Config) { c.MaxInFlightBytes = 1<<38 + 1 }, true},
		{"wildcards", func(c *actors.Config) { c.Subjects = []string{">", "*", "a.*.>", "ü.b"} }, false},
		{"highest level and policy", func(c *actors.Config) { c.Sync, c.Discard = actors.SyncNever, actors.DiscardNew }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := base
			row.change(&c)
			if err := c.Validate(); row.wrong {
				require.ErrorIs(t, err, actors.ErrConfig)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// names are stream names, good and bad.
var names = []struct {
	name string
	good bool
}{
	{"ORDERS", true}, {"a", true}, {"a-b_c", true}, {"ünï世", true}, {"$G", true}, {"a=b;c,d", true}, {"CONSOLE", true}, {"COM10", true}, {"com", true},
	{"millrace", true}, {strings.Repeat("n", 255), true},
	{"", false}, {strings.Repeat("n", 256), false}, {strings.Repeat("世", 86), false},
	{".", false}, {"..", false}, {"a.b", false}, {".hidden", false}, {"../up", false},
	{"a/b", false}, {"/a", false}, {`a\b`, false}, {`..\up`, false},
	{"a b", false}, {"a\tb", false}, {"a\nb", false}, {"a\x00b", false}, {"a\x7f", false},
	{"*", false}, {">", false}, {"a.>", false},
	{"a:b", false}, {"C:", false}, {`a"b`, false}, {"a|b", false}, {"a?b", false}, {"a<b", false},
	{"k\xfcnden", false}, {"a\u200bb", false}, {"a\u202eb", false}, {"a\u0085b", false}, {"a\u00a0b", false}, {"\ufeffa", false},
	{"CON", false}, {"con", false}, {"Nul", false}, {"aux", false}, {"PRN", false}, {"com1", false}, {"LPT9", false}, {"COM²", false}, {"CONOUT$", false},
}

// TestNothingEscapesDir: a name that is taken makes a folder right in Dir, and one
// that is not makes nothing anywhere.
func TestNothingEscapesDir(t *testing.T) {
	for _, row := range names {
		require.Equal(t, row.good, actors.ValidName(row.name) == nil, "%q", row.name)
		above := t.TempDir()
		dir := filepath.Join(above, "dir")
		s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: row.name})
		if !row.good {
			require.ErrorIs(t, err, actors.ErrConfig)
			requireEmptyDir(t, above)
			continue
		}
		require.NoError(t, err, "%q", row.name)
		require.Equal(t, row.name, s.Name())
		require.NoError(t, s.Stop(t.Context()))
		for parent, child := range map[string]string{above: "dir", dir: row.name} {
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, child, entries[0].Name())
		}
	}
}

// TestStreamsThatDifferInCaseAloneAreRefused: on some systems they would be in one folder. Nothing is changed.
func TestStreamsThatDifferInCaseAloneAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Orders", "straße", "a1"} {
		require.NoError(t, open(t, actors.Config{Dir: dir, Name: name}).Flush(t.Context()))
	}
	for name, good := range map[string]bool{"orders": false, "ORDERS": false, "STRAßE": false, "order": true, "A1": false, "a2": true} {
		s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: name})
		if good {
			require.NoError(t, err)
			require.NoError(t, s.Stop(t.Context()))
			continue
		}
		require.ErrorIs(t, err, actors.ErrConfig, name)
		require.ErrorContains(t, err, "upper and lower case")
		require.NoDirExists(t, filepath.Join(dir, name))
	}
}

// TestOtherNamesOfAServerOpen: a stream that is there has the name that it has.
func TestOtherNamesOfAServerOpen(t *testing.T) {
	for _, name := range []string{"CON", "a:b", "a|b", "a\u200bb", `"a"`} {
		dir := t.TempDir()
		config := actors.Config{Dir: dir, Name: "new"}
		s := open(t, config)
		mustStore(t, s, "a", "x")
		require.NoError(t, s.Stop(t.Context()))
		require.NoError(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)))
		require.NoError(t, blockio.WriteMeta(blockio.OS, filepath.Join(dir, name), name, blockio.NewStreamMeta(name, time.Now())))
		config.Name = name
		require.NoError(t, open(t, config).Flush(t.Context()), name)
	}
}

func FuzzValidName(f *testing.F) {
	for _, row := range names {
		f.Add(row.name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if actors.ValidName(name) != nil {
			return
		}
		require.Equal(t, name, filepath.Base(filepath.Join("dir", name)))
		require.Equal(t, "dir", filepath.Dir(filepath.Join("dir", name)))
	})
}
