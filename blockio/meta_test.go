package blockio_test

import (
	"io/fs"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

const (
	basicMeta = `{"Created":"2024-01-01T00:00:00Z","name":"BASIC","subjects":["foo.\u003e"],"retention":"limits","max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"old","storage":"file","num_replicas":1,"duplicate_window":120000000000,"compression":"none","allow_direct":false,"mirror_direct":false,"sealed":false,"deny_delete":false,"deny_purge":false,"allow_rollup_hdrs":false,"consumer_limits":{},"allow_msg_ttl":false,"metadata":{"_nats.req.level":"0"}}`
	basicSum  = "eeb15fe59e137f7b"
	oldSum    = "6c203205f37b85f0" // of another content
	zeroSum   = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// metaStore returns a file system with a stream's meta files in /s.
func metaStore(t testing.TB, inf, sum string) *blocktest.MemFS {
	t.Helper()
	m := blocktest.NewMemFS()
	require.NoError(t, m.MkdirAll("/s"))
	require.NoError(t, blockio.ReplaceFile(m, "/s/meta.inf", []byte(inf)))
	require.NoError(t, blockio.ReplaceFile(m, "/s/meta.sum", []byte(sum)))
	return m
}

func readText(t testing.TB, fsys blockio.FS, name string) string {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, err)
	data := make([]byte, stat.Size)
	_, err = file.ReadAt(data, 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return string(data)
}

func TestMetaVectors(t *testing.T) {
	for _, row := range [][3]string{
		{"BASIC", basicMeta, basicSum},
		{"MIN", `{"name":"MIN"}`, "6c203205f37b85f0"},
		{"ORDERS", `{"name":"ORDERS"}`, "3a58b5d8801535da"},
	} {
		m := metaStore(t, row[1], row[2])
		meta, err := blockio.ReadMeta(m, "/s", row[0])
		require.NoError(t, err)
		require.NoError(t, blockio.WriteMeta(m, "/s", row[0], meta))
		require.Equal(t, row[1], readText(t, m, "/s/meta.inf"))
		require.Equal(t, row[2], readText(t, m, "/s/meta.sum"))
	}
}

func TestNewMetaIsWhatNatsServerWrites(t *testing.T) {
	m := blocktest.NewMemFS()
	require.NoError(t, m.MkdirAll("/s"))
	meta := blockio.NewStreamMeta("BASIC", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	meta.Subjects = []string{"foo.>"}
	require.NoError(t, blockio.WriteMeta(m, "/s", "BASIC", meta))
	require.Equal(t, basicMeta, readText(t, m, "/s/meta.inf"))
	require.Equal(t, basicSum, readText(t, m, "/s/meta.sum"))
	for _, mode := range blocktest.CrashModes {
		_, err := blockio.ReadMeta(m.CrashImage(mode, nil), "/s", "BASIC")
		require.NoError(t, err, "%v", mode)
	}
}

func TestMetaDefaults(t *testing.T) {
	m := metaStore(t, `{"name":"MIN"}`, "6c203205f37b85f0")
	meta, err := blockio.ReadMeta(m, "/s", "MIN")
	require.NoError(t, err)
	require.Equal(t, []string{"MIN"}, meta.Subjects)
	require.Equal(t, []int64{-1, -1, -1}, []int64{meta.MaxMsgs, meta.MaxBytes, meta.MaxMsgsPerSubject})
	require.Equal(t, int32(-1), meta.MaxMsgSize)
	require.Equal(t, []string{"limits", "old", "file", "none"}, []string{meta.Retention, meta.Discard, meta.Storage, meta.Compression})
	require.Equal(t, 2*time.Minute, meta.DuplicateWindow)
	require.Equal(t, 1, meta.Replicas)
	require.True(t, meta.Created.IsZero())
}

// TestFinishMetaWritesNothingButAMissingSum, and only beside a file that is whole
// and names the stream.
func TestFinishMetaWritesNothingButAMissingSum(t *testing.T) {
	for _, row := range []struct{ name, inf, sum, next, want string }{
		{"whole", basicMeta, basicSum, "", basicSum},
		{"sum missing", basicMeta, "", "", basicSum},
		{"sum missing, an old one prepared", basicMeta, "", oldSum, basicSum},
		{"sum zeroed", basicMeta, zeroSum, "", basicSum},
		{"sum zeroed, no meta.inf", "", zeroSum, "", zeroSum},
		{"sum prepared", basicMeta, oldSum, basicSum, basicSum},
		{"sum prepared, none before", basicMeta, "", basicSum, basicSum},
		{"meta.inf not replaced", basicMeta, basicSum, oldSum, basicSum},
		{"cut short", basicMeta[:100], "", "", ""},
		{"another stream's", `{"name":"MIN"}`, "", "", ""},
		{"empty", "", "", "", ""},
		{"wrong sum", basicMeta, oldSum, "", oldSum},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := blocktest.NewMemFS()
			require.NoError(t, m.MkdirAll("/s"))
			renewed, err := blockio.FinishMeta(m, "/s", "BASIC")
			require.NoError(t, err, "no stream")
			require.False(t, renewed)
			require.NoError(t, blockio.ReplaceFile(m, "/s/meta.inf", []byte(row.inf)))
			// In this order: the first is written by way of the second.
			for _, file := range [][2]string{{"/s/meta.sum", row.sum}, {"/s/meta.sum.tmp", row.next}} {
				if file[1] != "" {
					require.NoError(t, blockio.ReplaceFile(m, file[0], []byte(file[1])))
				}
			}
			meta, before := blockio.ReadMeta(m, "/s", "BASIC")
			require.Equal(t, row.name == "whole", meta != nil && meta.Finished())
			renewed, err = blockio.FinishMeta(m, "/s", "BASIC")
			require.NoError(t, err)
			require.Equal(t, row.want == basicSum && row.sum != basicSum && row.next != basicSum && row.sum != oldSum, renewed)
			require.Equal(t, row.inf, readText(t, m, "/s/meta.inf"))
			_, err = blockio.ReadMeta(m, "/s", "BASIC")
			if row.want == "" {
				require.ErrorIs(t, err, blockio.ErrCorrupt)
				_, err = m.OpenFile("/s/meta.sum", blockio.ModeRead)
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.Equal(t, row.want == basicSum, err == nil)
			require.Equal(t, before, err, "ReadMeta says before it what it says after it")
			require.Equal(t, row.want, readText(t, m, "/s/meta.sum"))
		})
	}
}

// TestMetaKeepsWhatItDoesNotKnow changes one field of a file full of others.
func TestMetaKeepsWhatItDoesNotKnow(t *testing.T) {
	for name, between := range map[string]func(*blockio.StreamMeta){
		"at once": func(*blockio.StreamMeta) {}, "after a rest": (*blockio.StreamMeta).Rest,
	} {
		t.Run(name, func(t *testing.T) { keepsWhatItDoesNotKnow(t, between) })
	}
}

func keepsWhatItDoesNotKnow(t *testing.T, between func(*blockio.StreamMeta)) {
	const before = ` {"future" : {"b":1.0, "a":[ 2 ]}, "NAME":"X","\u006dax_msgs":  7 ,"z":1e400,"max_age":100000000000,"metadata":{"k":"<v>"},"subjects":["a"]}` + "\n"
	m := metaStore(t, before, "")
	require.NoError(t, blockio.ReplaceFile(m, "/s/meta.sum", []byte(blockio.MetaSum("X", []byte(before)))))
	meta, err := blockio.ReadMeta(m, "/s", "X")
	require.NoError(t, err)
	require.Equal(t, int64(7), meta.MaxMsgs)
	require.Equal(t, 100*time.Second, meta.DuplicateWindow, "no longer than the age limit")
	between(meta)
	metadata, ok := meta.Member("metadata")
	require.True(t, ok)
	require.JSONEq(t, `{"k":"<v>"}`, string(metadata))
	meta.MaxMsgs = 8
	meta.FirstSeq = 5 // goes behind all that nats-server writes before it
	require.NoError(t, blockio.WriteMeta(m, "/s", "X", meta))
	require.Equal(t, `{"future":{"b":1.0, "a":[ 2 ]},"NAME":"X","\u006dax_msgs":8,"z":1e400,"max_age":100000000000,"metadata":{"k":"<v>"},"subjects":["a"],"first_seq":5}`,
		readText(t, m, "/s/meta.inf"))
	again, err := blockio.ReadMeta(m, "/s", "X")
	require.NoError(t, err)
	require.Equal(t, int64(8), again.MaxMsgs)
	require.Equal(t, uint64(5), again.FirstSeq)
}

func TestMetaErrors(t *testing.T) {
	none := blocktest.NewMemFS()
	require.NoError(t, none.MkdirAll("/s/msgs"))
	_, err := blockio.ReadMeta(none, "/s", "BASIC")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, blockio.ErrCorrupt, "there is no stream")
	_, err = blockio.ReadMeta(none, "/none", "BASIC")
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, name := range []string{"1.blk", "2.bix"} {
		there := blocktest.NewMemFS()
		require.NoError(t, there.MkdirAll("/s/msgs"))
		require.NoError(t, blockio.ReplaceFile(there, "/s/msgs/"+name, nil))
		_, err = blockio.ReadMeta(there, "/s", "BASIC")
		require.NotErrorIs(t, err, fs.ErrNotExist, "there is a stream")
		require.ErrorIs(t, err, blockio.ErrMetaLost)
	}

	sum := func(text string) string { return blockio.MetaSum("BASIC", []byte(text)) }
	for _, row := range []struct{ name, inf, sum string }{
		{"changed", strings.Replace(basicMeta, "1", "2", 1), basicSum},
		{"other sum", basicMeta, oldSum},
		{"upper case", basicMeta, strings.ToUpper(basicSum)},
		{"newline", basicMeta, basicSum + "\n"},
		{"sum cut short", basicMeta, basicSum[:8]},
		{"empty", "", sum("")},
		{"both empty", "", ""},
		{"zeroed", strings.Repeat("\x00", len(basicMeta)), basicSum},
		{"cut short", basicMeta[:100], basicSum},
		{"cut short, empty sum", basicMeta[:100], ""},
		{"no object", `["name"]`, sum(`["name"]`)},
		{"two values", `{"name":"BASIC"}{}`, sum(`{"name":"BASIC"}{}`)},
		{"wrong type", `{"name":"BASIC","max_msgs":"many"}`, sum(`{"name":"BASIC","max_msgs":"many"}`)},
		{"name changed", strings.Replace(basicMeta, "BASIC", "BASID", 1), basicSum},
	} {
		_, err := blockio.ReadMeta(metaStore(t, row.inf, row.sum), "/s", "BASIC")
		var corrupt *blockio.CorruptionError
		require.ErrorAs(t, err, &corrupt, row.name)
		require.ErrorIs(t, err, blockio.ErrCorrupt, row.name)
		require.ErrorIs(t, err, blockio.ErrMetaLost, row.name)
		require.Equal(t, filepath.Join("/s", "meta.inf"), corrupt.Path, row.name)
		require.NotContains(t, err.Error(), "many", row.name)
	}
	for _, sum := range []string{
		blockio.MetaSum("OTHER", []byte(basicMeta)), "", // named so on purpose, or nobody says
		basicSum, // the directory was renamed
	} {
		_, err = blockio.ReadMeta(metaStore(t, basicMeta, sum), "/s", "OTHER")
		require.ErrorIs(t, err, blockio.ErrName)
		require.NotErrorIs(t, err, blockio.ErrMetaLost)
	}
	require.ErrorIs(t, blockio.WriteMeta(none, "/s", "OTHER", &blockio.StreamMeta{Name: "X"}), blockio.ErrName)
}

// TestSetAsideMeta keeps the start of what is there, in place of earlier copies.
func TestSetAsideMeta(t *testing.T) {
	m := metaStore(t, "{", zeroSum)
	require.NoError(t, blockio.SetAsideMeta(m, "/s"))
	require.Equal(t, "{", readText(t, m, "/s/lost+found/meta.inf"))
	_, err := m.OpenFile("/s/lost+found/meta.sum", blockio.ModeRead)
	require.ErrorIs(t, err, fs.ErrNotExist)
	large := strings.Repeat("x", blockio.SetAsideLimit+1)
	m = metaStore(t, large, oldSum)
	for range 2 {
		require.NoError(t, blockio.SetAsideMeta(m, "/s"))
		require.Equal(t, large[1:], readText(t, m, "/s/lost+found/meta.inf"))
		require.Equal(t, oldSum, readText(t, m, "/s/lost+found/meta.sum"))
	}
	require.NoError(t, blockio.SetAsideMeta(blocktest.NewMemFS(), "/none"))
}

func TestDirectoryFeatures(t *testing.T) {
	m := metaStore(t, "\x01\x02", blockio.MetaSum("BASIC", []byte("\x01\x02")))
	features, err := blockio.ReadDirectoryFeatures(m, "/s")
	require.NoError(t, err)
	require.Equal(t, blockio.DirectoryFeatures{}, features)
	_, err = blockio.ReadMeta(m, "/s", "BASIC")
	require.ErrorIs(t, err, blockio.ErrCorrupt)
	require.NoError(t, m.MkdirAll("/s/msgs"))
	require.NoError(t, m.MkdirAll("/s/__msgs__"))
	for _, name := range []string{"/s/meta.key", "/s/msgs/index.db", "/s/msgs/thw.db", "/s/msgs/sched.db"} {
		require.NoError(t, blockio.ReplaceFile(m, name, nil))
	}
	for _, name := range []string{"x.blk", "01.blk", "0.bix", "1"} {
		require.NoError(t, blockio.ReplaceFile(m, "/s/msgs/"+name, nil))
	}
	require.NoError(t, m.MkdirAll("/s/msgs/4.blk"))
	features, err = blockio.ReadDirectoryFeatures(m, "/s")
	require.NoError(t, err)
	require.Equal(t, blockio.DirectoryFeatures{Encrypted: true, HasBlocksDir: true, HasIndex: true, HasTTL: true, HasSchedules: true, PurgeCut: true}, features)
	_, err = blockio.ReadMeta(m, "/s", "BASIC")
	require.ErrorIs(t, err, blockio.ErrEncrypted)
	require.NoError(t, blockio.ReplaceFile(m, "/s/msgs/7.key", nil))
	require.NoError(t, m.Remove("/s/meta.inf"))
	features, err = blockio.ReadDirectoryFeatures(m, "/s")
	require.NoError(t, err)
	require.True(t, features.HasBlocks)
	_, err = blockio.ReadMeta(m, "/s", "BASIC")
	require.ErrorIs(t, err, blockio.ErrEncrypted)
	_, err = blockio.ReadDirectoryFeatures(m, "/none")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestReplaceFileAtEveryCrash: at every operation and after every kind of crash
// the file has its old content or the new, and the new once it returned.
func TestReplaceFileAtEveryCrash(t *testing.T) {
	for at := 0; ; at++ {
		m := blocktest.NewMemFS()
		require.NoError(t, blockio.ReplaceFile(m, "/a", []byte("old text")))
		f := blocktest.NewFaultFS(m)
		f.SetHook(blocktest.CrashAt(at))
		err := blockio.ReplaceFile(f, "/a", []byte("new"))
		for seed := range 20 {
			for _, mode := range blocktest.CrashModes {
				got := readText(t, m.CrashImage(mode, rand.New(rand.NewSource(int64(seed)))), "/a")
				if err == nil {
					require.Equal(t, "new", got)
				} else {
					require.Contains(t, []string{"old text", "new"}, got, "%v at %d", mode, at)
				}
			}
		}
		if err == nil {
			return
		}
	}
}

// TestReplaceFileCleansUp: any one failure is reported and leaves no other file.
func TestReplaceFileCleansUp(t *testing.T) {
	for at := 0; ; at++ {
		m := blocktest.NewMemFS()
		require.NoError(t, blockio.ReplaceFile(m, "/a", []byte("old text")))
		f := blocktest.NewFaultFS(m)
		f.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := blockio.ReplaceFile(f, "/a", []byte("new"))
		if at >= f.Count() {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, blocktest.ErrInjected)
		entries, err := m.ReadDir("/")
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}
}
