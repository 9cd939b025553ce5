package actors_test

import (
	"context"
	"math/rand"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestRemovalsOutliveTheirTombstones where the index of the block names them that has lost them: they are written again before
// it goes, whatever crashes meanwhile, and what they name is not called lost.
func TestRemovalsOutliveTheirTombstones(t *testing.T) {
	c, found := damageCaseOf(damageStrata(damageWorlds(t)), "truncated/stopped/cold/msgs/4.blk/zero:492+4096")
	require.True(t, found)
	mem := c.image.base.Clone()
	require.NoError(t, c.doCold(mem))
	config := c.image.world.config
	config.Dir, config.Runtime = damageDir, damageRuntime(fixtureStart)
	msgs := path.Join(damageDir, config.Name, "msgs")
	forget := func(mem *blocktest.MemFS, suffix string) {
		entries, err := mem.ReadDir(msgs)
		require.NoError(t, err)
		for _, e := range entries {
			if strings.HasSuffix(e.Name, suffix) {
				require.NoError(t, mem.Remove(path.Join(msgs, e.Name)))
			}
		}
		require.NoError(t, mem.SyncDir(msgs))
	}
	forget(mem, "index.db")
	check := func(mem *blocktest.MemFS) {
		config.FS = mem
		s := openToFail(t, config)
		for sequence := range c.image.world.stored {
			_, err := s.LoadMsg(t.Context(), sequence)
			switch live, lost := c.image.world.live[sequence], sequence > 20 && sequence < 28; {
			case lost:
				require.ErrorIs(t, err, actors.ErrCorrupt, sequence)
			case live:
				require.NoError(t, err, sequence)
			default:
				require.ErrorIs(t, err, actors.ErrNotFound, sequence)
			}
		}
		require.NoError(t, s.Stop(context.Background()))
	}
	fault := blocktest.NewFaultFS(mem)
	images, stop := takeImages(fault, mem, rand.New(rand.NewSource(1)), crashImage{})
	config.FS = fault
	s := openToFail(t, config)
	stop()
	require.NoError(t, s.Stop(context.Background()))
	require.Greater(t, len(*images), 20)
	for _, image := range *images {
		check(image.mem)
		forget(image.mem, ".bix")
		check(image.mem)
	}
}
