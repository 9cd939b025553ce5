package actors_test

import (
	"context"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// crashImage is what a crash leaves of a file system.
type crashImage struct {
	mem  *blocktest.MemFS
	op   blocktest.Op
	mode blocktest.CrashMode
	done bool // what was done had been acknowledged
	// again tells that it is of the recovery from another crash.
	again bool
	step  int64        // which step of a script it was taken in
	steps func() int64 // says so, if there are any
}

// crashEach opens a store in memory, prepares it, and carries something out. It hands over what a crash before
// each file operation of that leaves, and of what comes after it, and before each of the first recovery from some
// of these.
func crashEach(t *testing.T, config actors.Config, prepare, act func(s *actors.Store), check func(s *actors.Store, image crashImage), after ...func(s *actors.Store)) {
	t.Helper()
	config.Dir, config.Name = "data", "ORDERS"
	rng := rand.New(rand.NewSource(1))
	mem := blocktest.NewMemFS()
	fs := blocktest.NewFaultFS(mem)
	config.FS = fs
	s := openToFail(t, config)
	prepare(s)
	images, stop := takeImages(fs, mem, rng, crashImage{})
	act(s)
	stop()
	for _, mode := range blocktest.CrashModes {
		*images = append(*images, crashImage{mem: mem.CrashImage(mode, rng), mode: mode, done: true})
	}
	for _, more := range after {
		found, stop := takeImages(fs, mem, rng, crashImage{done: true})
		more(s)
		stop()
		*images = append(*images, *found...)
	}
	require.NoError(t, s.Stop(context.Background()))
	require.Greater(t, len(*images), 3*len(blocktest.CrashModes))
	var more []crashImage
	for i, image := range *images {
		if modes := len(blocktest.CrashModes); testing.Short() && i%modes != i/modes%modes {
			continue // one way to crash for each operation
		}
		fs := blocktest.NewFaultFS(image.mem)
		config.FS = fs
		var found *[]crashImage
		stop := func() {}
		if i%41 == 0 {
			found, stop = takeImages(fs, image.mem, rng, crashImage{done: image.done, again: true})
		}
		s := openToFail(t, config)
		stop()
		check(s, image)
		require.NoError(t, s.Stop(context.Background()))
		if found != nil {
			more = append(more, *found...)
		}
	}
	for _, image := range more {
		config.FS = image.mem
		s := openToFail(t, config)
		check(s, image)
		require.NoError(t, s.Stop(context.Background()))
	}
	t.Logf("%d crashes, and %d of recoveries", len(*images), len(more))
}

// takeImages takes images of a file system before each operation that changes it, until stop is called.
func takeImages(fs *blocktest.FaultFS, mem *blocktest.MemFS, rng *rand.Rand, like crashImage) (images *[]crashImage, stop func()) {
	images = new([]crashImage)
	var mu sync.Mutex
	stopped := false
	fs.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch op.Kind {
		case blocktest.OpCreate, blocktest.OpWrite, blocktest.OpTruncate, blocktest.OpSync, blocktest.OpRemove,
			blocktest.OpRename, blocktest.OpMkdir, blocktest.OpSyncDir:
		default:
			return blocktest.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return blocktest.Fault{}
		}
		for _, mode := range blocktest.CrashModes {
			image := like
			image.mem, image.op, image.mode = mem.CrashImage(mode, rng), op, mode
			if image.steps != nil {
				image.step = image.steps()
			}
			*images = append(*images, image)
		}
		return blocktest.Fault{}
	})
	return images, func() {
		fs.SetHook(nil)
		mu.Lock() // an operation may be in the hook still
		stopped = true
		mu.Unlock()
	}
}
