package actors_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// onEachFS runs a test in memory and on the disk. config is that of a stream there.
func onEachFS(t *testing.T, test func(t *testing.T, config actors.Config)) {
	t.Run("memory", func(t *testing.T) {
		test(t, actors.Config{Dir: "/data", Name: "ORDERS", FS: blocktest.NewMemFS()})
	})
	t.Run("disk", func(t *testing.T) {
		test(t, actors.Config{Dir: t.TempDir(), Name: "ORDERS", FS: blockio.OS})
	})
}

// readAll returns the content of a file, false if there is none.
func readAll(t *testing.T, fsys blockio.FS, name string) (string, bool) {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return "", false
	}
	stat, err := file.Stat()
	require.NoError(t, err)
	data := make([]byte, stat.Size)
	if len(data) > 0 {
		_, err = file.ReadAt(data, 0)
		require.NoError(t, err)
	}
	require.NoError(t, file.Close())
	return string(data), true
}

// contentOf returns all files below a directory.
func contentOf(t *testing.T, fsys blockio.FS, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name)
		if entry.IsDir {
			all[name] = "directory"
			for below, text := range contentOf(t, fsys, name) {
				all[below] = text
			}
			continue
		}
		all[name], _ = readAll(t, fsys, name)
	}
	return all
}

// put gives a file another content, or removes it.
func put(t *testing.T, fsys blockio.FS, name string, text *string) {
	t.Helper()
	if text == nil {
		require.NoError(t, fsys.Remove(name))
		return
	}
	require.NoError(t, blockio.ReplaceFile(fsys, name, []byte(*text)))
}

// Ways to change a file; nil removes it.
var (
	kept     = func(text string) *string { return &text }
	goneFile = func(string) *string { return nil }
	empty    = func(string) *string { return new(string) }
	zeroed   = func(text string) *string { return kept(strings.Repeat("\x00", len(text))) }
	cut      = func(text string) *string { return kept(text[:len(text)/2]) }
	flipped  = func(text string) *string { return kept(strings.Replace(text, "5", "4", 1)) }
)

// metaDamage is what may happen to the meta files.
var metaDamage = []struct {
	name     string
	inf, sum func(string) *string
	lost     bool // the configuration is
}{
	{"meta.inf missing", goneFile, kept, true},
	{"both missing", goneFile, goneFile, true},
	{"meta.inf empty", empty, kept, true},
	{"both empty", empty, empty, true},
	{"meta.inf zeroed", zeroed, kept, true},
	{"both zeroed", zeroed, zeroed, true},
	{"meta.inf cut", cut, kept, true},
	{"meta.inf cut, meta.sum missing", cut, goneFile, true},
	{"a limit changed", flipped, kept, true},
	{"meta.sum wrong", kept, func(string) *string { return kept("6c203205f37b85f0") }, true},
	{"meta.sum cut", kept, cut, true},
	{"meta.sum missing", kept, goneFile, false},
	{"meta.sum empty", kept, empty, false},
	{"meta.sum zeroed", kept, zeroed, false},
}

// TestMetaLost: a stream whose configuration is lost is refused, and nothing is changed, until RecreateMeta
// takes another one. A sum that says nothing is made anew.
func TestMetaLost(t *testing.T) {
	for _, row := range metaDamage {
		t.Run(row.name, func(t *testing.T) {
			onEachFS(t, func(t *testing.T, config actors.Config) {
				first := config
				first.MaxMsgs, first.Discard, first.BlockSize = 50, actors.DiscardNew, 4<<10
				s := open(t, first)
				for i := range 50 {
					mustStore(t, s, "a", fmt.Sprintf("%0300d", i))
				}
				stop(t, s)
				dir := filepath.Join(config.Dir, config.Name)
				inf, sum := filepath.Join(dir, "meta.inf"), filepath.Join(dir, "meta.sum")
				infText, _ := readAll(t, config.FS, inf)
				sumText, _ := readAll(t, config.FS, sum)
				put(t, config.FS, inf, row.inf(infText))
				put(t, config.FS, sum, row.sum(sumText))
				before := contentOf(t, config.FS, dir)

				var log bytes.Buffer
				config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				if row.lost {
					_, err := actors.Open(t.Context(), quiet, config)
					require.ErrorIs(t, err, actors.ErrMetaLost)
					require.ErrorIs(t, err, actors.ErrCorrupt)
					require.ErrorContains(t, err, "Config.RecreateMeta")
					require.Equal(t, before, contentOf(t, config.FS, dir), "refused, so nothing is changed")
					require.Empty(t, log.String())
					config.RecreateMeta, config.MaxMsgs, config.Discard = true, 50, actors.DiscardNew
				}
				s = open(t, config)
				state := stateOf(t, s)
				require.Equal(t, []uint64{50, 1, 50, 0}, []uint64{state.Messages, state.FirstSequence, state.LastSequence, state.LostMessages})
				_, err := s.StoreMsg(t.Context(), "a", nil, nil)
				require.ErrorIs(t, err, actors.ErrMaxMsgs)
				stop(t, s)
				require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
				if row.lost {
					require.Contains(t, log.String(), "configuration is lost")
				} else {
					now, _ := readAll(t, config.FS, inf)
					require.Equal(t, infText, now, "the configuration is as it was")
					now, _ = readAll(t, config.FS, sum)
					require.Equal(t, sumText, now)
				}
				for name, text := range map[string]string{"meta.inf": before[inf], "meta.sum": before[sum]} {
					if row.lost && strings.Trim(text, "\x00") != "" {
						aside, _ := readAll(t, config.FS, filepath.Join(dir, "lost+found", name))
						require.Equal(t, text, aside, "what is left of it is set aside")
					}
				}

				s = open(t, actors.Config{Dir: config.Dir, Name: config.Name, FS: config.FS})
				_, err = s.StoreMsg(t.Context(), "a", nil, nil)
				require.ErrorIs(t, err, actors.ErrMaxMsgs, "what was taken is stored")
				require.Equal(t, uint64(50), stateOf(t, s).Messages)
				stop(t, s)
			})
		})
	}
}

// TestMetaLostBringsBackWhatLimitsHadRemoved, as far as it is still in a block.
func TestMetaLostBringsBackWhatLimitsHadRemoved(t *testing.T) {
	onEachFS(t, func(t *testing.T, config actors.Config) {
		first := config
		first.MaxMsgs = 5
		s := open(t, first)
		for i := range 8 {
			mustStore(t, s, "a", fmt.Sprint(i))
		}
		stop(t, s)
		forgetState(t, config)
		put(t, config.FS, filepath.Join(config.Dir, config.Name, "meta.inf"), nil)
		config.RecreateMeta = true
		s = open(t, config)
		state := stateOf(t, s)
		require.Equal(t, []uint64{8, 1, 8}, []uint64{state.Messages, state.FirstSequence, state.LastSequence})
		stop(t, s)
	})
}

// TestRecreateMetaTakesNothingFromAStream that has its configuration, nor from a directory that was renamed.
func TestRecreateMetaTakesNothingFromAStream(t *testing.T) {
	onEachFS(t, func(t *testing.T, config actors.Config) {
		config.MaxMsgs, config.RecreateMeta = 5, true
		s := open(t, config)
		mustStore(t, s, "a", "x")
		stop(t, s)
		dir := filepath.Join(config.Dir, config.Name)
		before := contentOf(t, config.FS, dir)
		config.MaxMsgs = 0
		stop(t, open(t, config))
		require.Equal(t, before, contentOf(t, config.FS, dir))

		config.Name = "OTHER"
		require.NoError(t, config.FS.Rename(dir, filepath.Join(config.Dir, "OTHER")))
		_, err := actors.Open(t.Context(), quiet, config)
		require.ErrorIs(t, err, blockio.ErrName)
		require.NotErrorIs(t, err, actors.ErrMetaLost)
	})
}

// TestMetaWithoutBlocks: a directory that has neither is a new stream; one with a damaged meta.inf is not.
func TestMetaWithoutBlocks(t *testing.T) {
	onEachFS(t, func(t *testing.T, config actors.Config) {
		dir := filepath.Join(config.Dir, config.Name)
		require.NoError(t, config.FS.MkdirAll(filepath.Join(dir, "msgs")))
		inf := filepath.Join(dir, "meta.inf")
		put(t, config.FS, inf, new(string))
		before := contentOf(t, config.FS, dir)
		_, err := actors.Open(t.Context(), quiet, config)
		require.ErrorIs(t, err, actors.ErrMetaLost)
		require.Equal(t, before, contentOf(t, config.FS, dir), "not even a lock file is left")
		put(t, config.FS, inf, nil)
		s := open(t, config)
		require.Equal(t, uint64(1), mustStore(t, s, "a", "x").Sequence)
		stop(t, s)
	})
}

// TestMetaLostOfAServer: a directory of nats-server's with empty meta files, as a power loss may leave it.
func TestMetaLostOfAServer(t *testing.T) {
	dir := t.TempDir()
	stream := filepath.Join(dir, "BASIC")
	require.NoError(t, os.CopyFS(stream, os.DirFS("testdata/golden/basic/streams/BASIC")))
	want := open(t, actors.Config{Dir: dir, Name: "BASIC"})
	state := stateOf(t, want)
	stop(t, want)

	require.NoError(t, os.RemoveAll(stream))
	require.NoError(t, os.CopyFS(stream, os.DirFS("testdata/golden/basic/streams/BASIC")))
	for _, name := range []string{"meta.inf", "meta.sum"} {
		require.NoError(t, os.WriteFile(filepath.Join(stream, name), nil, 0o600))
	}
	before := contentOf(t, blockio.OS, stream)
	config := actors.Config{Dir: dir, Name: "BASIC"}
	_, err := actors.Open(t.Context(), quiet, config)
	require.ErrorIs(t, err, actors.ErrMetaLost)
	require.Equal(t, before, contentOf(t, blockio.OS, stream), "not even a lock file is left")
	config.RecreateMeta = true
	s := open(t, config)
	require.Equal(t, state, stateOf(t, s))
	stop(t, s)
}

// TestRecreateMetaAtEveryFailure: whatever fails, the next try finds every message.
func TestRecreateMetaAtEveryFailure(t *testing.T) {
	for at := 0; ; at++ {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		config := actors.Config{Dir: "/data", Name: "ORDERS", FS: files, MaxMsgs: 5}
		s := open(t, config)
		mustStore(t, s, "a", "x")
		stop(t, s)
		put(t, files, "/data/ORDERS/meta.inf", kept("{"))
		config.RecreateMeta = true
		before := files.Count()
		files.SetHook(blocktest.FailAt(before+at, blocktest.ErrNoSpace))
		s, err := actors.Open(t.Context(), quiet, config)
		failed := files.Count() > before+at
		files.SetHook(nil)
		if err != nil {
			s = open(t, config)
		}
		require.Equal(t, uint64(1), stateOf(t, s).Messages)
		stop(t, s)
		if !failed {
			return
		}
	}
}
