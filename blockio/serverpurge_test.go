package blockio_test

import (
	"errors"
	"io/fs"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// purgeWorld is the directory of a stream in which a purge by nats-server was cut short.
func purgeWorld(t *testing.T, files map[string][]string) *blocktest.MemFS {
	t.Helper()
	m := blocktest.NewMemFS()
	require.NoError(t, m.MkdirAll("/s"))
	for dir, names := range files {
		require.NoError(t, m.MkdirAll("/s/"+dir))
		for _, name := range names {
			require.NoError(t, blockio.ReplaceFile(m, "/s/"+dir+"/"+name, []byte(name)))
		}
	}
	return m
}

func namesIn(t *testing.T, fsys blockio.FS, dir string) (names []string) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	return names
}

// TestAServersPurgeIsFinished, also after a crash at any of its operations.
func TestAServersPurgeIsFinished(t *testing.T) {
	old := []string{"1.bix", "1.blk", "2.blk", "index.db"}
	for name, row := range map[string]struct {
		files map[string][]string
		want  []string
		did   bool
	}{
		"none":                     {map[string][]string{"msgs": old}, old, false},
		"nothing":                  {nil, nil, false},
		"begun":                    {map[string][]string{"msgs": old, "__new_msgs__": nil}, old, true},
		"a key alone":              {map[string][]string{"msgs": old, "__new_msgs__": {"3.key"}}, old, true},
		"a key whose block stayed": {map[string][]string{"msgs": {"1.bix", "1.blk", "2.blk", "3.blk", "index.db"}, "__new_msgs__": {"3.key"}}, old, true},
		"a block":                  {map[string][]string{"msgs": old, "__new_msgs__": {"3.blk", "3.key"}}, []string{"3.blk", "3.key"}, true},
		"moved away":               {map[string][]string{"__msgs__": old, "__new_msgs__": {"3.blk"}}, []string{"3.blk"}, true},
		"of another time, too":     {map[string][]string{"__msgs__": {"0.blk"}, "msgs": old, "__new_msgs__": {"3.blk"}}, []string{"3.blk"}, true},
		"the old one is left":      {map[string][]string{"__msgs__": old, "msgs": {"3.blk"}}, []string{"3.blk"}, true},
		"only the old one":         {map[string][]string{"__msgs__": old}, old, true},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(fsys blockio.FS) {
				_, err := blockio.FinishServerPurge(fsys, "/s")
				require.NoError(t, err)
				require.Equal(t, row.want, namesIn(t, fsys, "/s/msgs"))
				if len(row.want) > 0 {
					require.Equal(t, []string{"msgs"}, namesIn(t, fsys, "/s"))
				}
			}
			m := purgeWorld(t, row.files)
			did, err := blockio.FinishServerPurge(m, "/s")
			require.NoError(t, err)
			require.Equal(t, row.did, did)
			check(m)
			random := rand.New(rand.NewSource(1))
			for at := 0; ; at++ {
				m := purgeWorld(t, row.files)
				faults := blocktest.NewFaultFS(m)
				faults.SetHook(func(op blocktest.Op) blocktest.Fault { return blocktest.Fault{Crash: op.Index == at} })
				_, err := blockio.FinishServerPurge(faults, "/s")
				for _, mode := range blocktest.CrashModes {
					check(m.CrashImage(mode, random))
				}
				if err == nil {
					break
				}
			}
		})
	}
}
