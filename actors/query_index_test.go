package actors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestQueryWithDamagedIndexFiles answers as with intact ones, whether they are
// damaged while the store is stopped or while it is open.
func TestQueryWithDamagedIndexFiles(t *testing.T) {
	flipAt := func(part float64) func([]byte, []byte) []byte {
		return func(data, _ []byte) []byte {
			data[int(part*float64(len(data)-1))] ^= 0x21
			return data
		}
	}
	ways := map[string]func(data, other []byte) []byte{
		"empty":          func([]byte, []byte) []byte { return nil },
		"cut in half":    func(data, _ []byte) []byte { return data[:len(data)/2] },
		"cut by a byte":  func(data, _ []byte) []byte { return data[:len(data)-1] },
		"a byte more":    func(data, _ []byte) []byte { return append(data, 0) },
		"zeros":          func(data, _ []byte) []byte { return make([]byte, len(data)) },
		"another's":      func(_, other []byte) []byte { return other },
		"a changed head": flipAt(0), "a changed end": flipAt(1),
	}
	for i := 1; i < 20; i++ {
		ways[fmt.Sprint("changed at ", i, "/20")] = flipAt(float64(i) / 20)
	}
	for name, damage := range ways {
		for _, whileOpen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, while open %v", name, whileOpen), func(t *testing.T) {
				config, n := fixtures["subjects"].written(t, 1600)
				files := indexFiles(t, config)
				require.NotEmpty(t, files)
				var s *actors.Store
				if whileOpen {
					s = open(t, config)
				}
				for i, file := range files {
					data, err := os.ReadFile(file)
					require.NoError(t, err)
					other, err := os.ReadFile(files[(i+1)%len(files)])
					require.NoError(t, err)
					overwrite(t, file, damage(data, other))
				}
				if !whileOpen {
					s = open(t, config)
				}
				checkEverything(t, s, n)
				for _, part := range tableParts() {
					for _, r := range part.rows["subjects"] {
						require.Equal(t, r.want, r.ask.got(t.Context(), s).String(), "%s", r.ask.text)
					}
				}
				require.False(t, s.Stats().Failed)
				require.Zero(t, stateOf(t, s).LostMessages)
			})
		}
	}
}

// overwrite changes a file in place, as a bad disk would.
func overwrite(t *testing.T, name string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_TRUNC, 0)
	require.NoError(t, err)
	_, err = f.Write(data)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// TestQueryWithStaleIndexFiles: files that were right once, before more was written to
// the block, or for another stream with as many messages.
func TestQueryWithStaleIndexFiles(t *testing.T) {
	config, _ := fixtures["out and back"].written(t, 1600)
	other, n := fixtures["subjects"].written(t, 1600)
	require.NotEmpty(t, indexFiles(t, config))
	for _, file := range indexFiles(t, config) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		if target := filepath.Join(other.Dir, other.Name, "msgs", filepath.Base(file)); len(data) > 0 {
			if _, err := os.Stat(target); err == nil {
				overwrite(t, target, data)
			}
		}
	}
	s := open(t, other)
	checkEverything(t, s, n)
	for _, part := range tableParts() {
		for _, r := range part.rows["subjects"] {
			require.Equal(t, r.want, r.ask.got(t.Context(), s).String(), "%s", r.ask.text)
		}
	}
}
