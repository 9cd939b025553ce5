package actors_test

import (
	"context"
	"errors"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestDamageInAnEncryptedBlockCostsWhatItCostsInAPlainOne: the same bits, sectors and ends, in the same stream.
func TestDamageInAnEncryptedBlockCostsWhatItCostsInAPlainOne(t *testing.T) {
	plain := blocktest.NewMemFS()
	config := secretConfig(plain)
	config.Compression = actors.Off
	secretStream(t, config)
	sealed := plain.Clone()
	key := func(c *actors.Config) { c.Key = key1 }
	encrypted := config
	encrypted.FS = sealed
	key(&encrypted)
	s := openToFail(t, encrypted)
	require.NoError(t, s.Stop(context.Background()))
	s = openToFail(t, config) // as often
	require.NoError(t, s.Stop(context.Background()))

	type outcome struct {
		state  actors.State
		found  []uint64
		errors int
	}
	look := func(c actors.Config) (o outcome) {
		s := openToFail(t, c)
		for m, err := range s.Messages(t.Context()) {
			if err != nil {
				require.ErrorIs(t, err, actors.ErrCorrupt)
				o.errors++
				continue
			}
			o.found = append(o.found, m.Sequence)
		}
		o.state = stateOf(t, s)
		o.state.LostBytes = 0 // a block that is cut can end in zeros in one of the two
		require.NoError(t, s.Stop(context.Background()))
		return o
	}
	list, err := blockio.NewBlocks(plain, "data/ORDERS", "ORDERS", blockio.BlocksOptions{}).List()
	require.NoError(t, err)
	rng := rand.New(rand.NewSource(1))
	lost := 0
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for i := range rounds {
		block := list[rng.Intn(len(list))]
		if block.Size == 0 {
			continue
		}
		at, kind, indexes := rng.Int63n(block.Size), rng.Intn(4), i%2 == 0
		damage := func(c actors.Config, mem *blocktest.MemFS) actors.Config {
			c.FS = mem.Clone()
			if !indexes {
				for name := range treeOf(t, c.FS, "data/ORDERS/msgs") {
					if name[len(name)-4:] == ".bix" {
						require.NoError(t, c.FS.Remove(name))
					}
				}
			}
			path := blockio.BlockPath("data/ORDERS", block.ID)
			file, err := c.FS.OpenFile(path, blockio.ModeReadWrite)
			require.NoError(t, err)
			switch kind {
			case 0: // a sector of zeros
				from := at - at%512
				_, err = file.WriteAt(make([]byte, min(512, block.Size-from)), from)
			case 1:
				err = file.Truncate(at)
			default:
				b := make([]byte, 1)
				_, err = file.ReadAt(b, at)
				require.NoError(t, err)
				b[0] ^= 1 << (i % 8)
				_, err = file.WriteAt(b, at)
			}
			require.NoError(t, errors.Join(err, file.Sync(), file.Close()))
			return c
		}
		want := look(damage(config, plain))
		got := look(damage(encrypted, sealed))
		require.Equal(t, want, got, "%d: block %d at %d, kind %d, indexes %v", i, block.ID, at, kind, indexes)
		lost += int(want.state.LostMessages)
	}
	require.Greater(t, lost, rounds/3)
}
