package actors_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// compressedFiles returns which of the block files of a stream are compressed, by their numbers in order.
func compressedFiles(t *testing.T, config actors.Config) (compressed []bool) {
	t.Helper()
	blocks := blockio.NewBlocks(blockio.OS, filepath.Join(config.Dir, config.Name), config.Name, blockio.BlocksOptions{})
	list, err := blocks.List()
	require.NoError(t, err)
	for _, b := range list {
		data, err := os.ReadFile(blocks.Path(b.ID))
		require.NoError(t, err)
		compressed = append(compressed, bytes.HasPrefix(data, []byte("cmp")))
	}
	return compressed
}

// plainFiles returns how many block files are not compressed and large enough for that.
func plainFiles(t *testing.T, config actors.Config) (n int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(config.Dir, config.Name, "msgs", "*.blk"))
	require.NoError(t, err)
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil && len(data) >= 4<<10 && !bytes.HasPrefix(data, []byte("cmp")) {
			n++
		}
	}
	return n
}

// allBut reports whether all blocks of some are compressed, but for the last so many.
func allBut(compressed []bool, last int) bool {
	for i, is := range compressed {
		if is != (i < len(compressed)-last) {
			return false
		}
	}
	return true
}

func compressionConfig(t *testing.T) actors.Config {
	return actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", Sync: actors.SyncNever, BlockSize: 32 << 10, IndexFrom: 1, NoPreallocation: true,
		Compression: actors.On,
	}
}

// TestFullBlocksAreCompressed, and answer as they did; not the last one, to which a nats-server would append.
func TestFullBlocksAreCompressed(t *testing.T) {
	config := compressionConfig(t)
	s := open(t, config)
	n := &naive{}
	put := func(from, to int) {
		for i := from; i < to; i++ {
			subject, payload := fmt.Sprintf("s.%d", i%7), fmt.Sprintf("%d %s", i, strings.Repeat("order ", 60))
			ack := mustStore(t, s, subject, payload)
			n.add(record{sequence: ack.Sequence, time: ack.Time, subject: subject, payload: payload})
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	compressed := func() bool { return s.Stats().Unindexed == 0 && plainFiles(t, config) <= 1 }
	put(0, 1000)
	eventually(t, compressed)
	require.Greater(t, len(compressedFiles(t, config)), 8)
	require.Less(t, blockBytes(t, config), int64(stateOf(t, s).Bytes)/4)
	checkEverything(t, s, n)
	for _, sequence := range []uint64{3, 200, 201, 999} {
		erased, err := s.EraseMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.True(t, erased)
		n.remove(sequence)
	}
	checkEverything(t, s, n)
	put(1000, 1001) // the block of the last sequence is not touched while no other shows that
	eventually(t, compressed)
	stop(t, s)
	require.LessOrEqual(t, plainFiles(t, config), 1)

	config.Compression = actors.AsStored
	for _, indexes := range []bool{true, false} {
		if !indexes {
			dropIndexFiles(t, config)
		}
		s = open(t, config)
		checkEverything(t, s, n)
		put(1001, 1100)
		eventually(t, compressed)
		checkEverything(t, s, n)
		stop(t, s)
	}
}

// TestCompressionIsSwitchedWhileTheStreamIsOpen: on, it takes in the blocks that are there; off, it leaves them.
func TestCompressionIsSwitchedWhileTheStreamIsOpen(t *testing.T) {
	config := compressionConfig(t)
	config.Compression = actors.AsStored
	s := open(t, config)
	put := func(n int) {
		for range n {
			mustStore(t, s, "a", strings.Repeat("order ", 100))
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	update := func(to actors.Switch) {
		config.Compression = to
		require.NoError(t, s.UpdateConfig(t.Context(), config))
	}
	put(300)
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.NotContains(t, compressedFiles(t, config), true)
	before := len(compressedFiles(t, config))
	update(actors.On)
	eventually(t, func() bool { return allBut(compressedFiles(t, config), 1) })
	update(actors.Off)
	put(300)
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	files := compressedFiles(t, config)
	require.True(t, allBut(files, len(files)-before+1), files)
	got, damage := collect(t, s)
	require.Len(t, got, 600)
	require.Empty(t, damage)
	stop(t, s)
	config.Compression = actors.AsStored
	s = open(t, config)
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.Equal(t, files, compressedFiles(t, config)[:len(files)])
	require.ErrorIs(t, (&actors.Config{Dir: "d", Name: "S", Compression: 3}).Validate(), actors.ErrConfig)
}

// TestWhatDoesNotCompressStaysPlain, and is not tried again and again.
func TestWhatDoesNotCompressStaysPlain(t *testing.T) {
	config := compressionConfig(t)
	s := open(t, config)
	for i := range 200 {
		mustStore(t, s, "a", string(noise(i, 1000)))
	}
	mustStore(t, s, "a", strings.Repeat("order ", 5000))
	mustStore(t, s, "a", strings.Repeat("order ", 5000)) // the block before it comes behind all others
	mustStore(t, s, "a", "last")
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool {
		files := compressedFiles(t, config)
		return s.Stats().Unindexed == 0 && files[len(files)-2]
	})
	files := compressedFiles(t, config)
	require.NotContains(t, files[:len(files)-3], true)
	got, _ := collect(t, s)
	require.Len(t, got, 203)
}

// noise is bytes that cannot be compressed.
func noise(seed, size int) []byte {
	out := make([]byte, 0, size+8)
	for x := uint64(seed + 1); len(out) < size; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		for shift := 0; shift < 64; shift += 8 {
			out = append(out, byte(x>>shift))
		}
	}
	return out[:size]
}

// TestATruncationWithinACompressedBlock: what is left takes the next messages, and is not compressed any more.
func TestATruncationWithinACompressedBlock(t *testing.T) {
	config := compressionConfig(t)
	s := open(t, config)
	put := func(n int) {
		for range n {
			mustStore(t, s, "a", strings.Repeat("order ", 100))
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	put(300)
	eventually(t, func() bool { return allBut(compressedFiles(t, config), 1) })
	for _, last := range []uint64{250, 120, 119} {
		_, err := s.Truncate(t.Context(), last)
		require.NoError(t, err)
		put(40)
		got, damage := collect(t, s)
		require.Len(t, got, int(last)+40)
		require.Empty(t, damage)
		eventually(t, func() bool { return plainFiles(t, config) <= 1 })
		stop(t, s)
		s = open(t, config)
		got, damage = collect(t, s)
		require.Len(t, got, int(last)+40)
		require.Empty(t, damage)
	}
}

// TestACompressionLosesNothing in a crash before each of its file operations.
func TestACompressionLosesNothing(t *testing.T) {
	config := actors.Config{BlockSize: 8 << 10, IndexFrom: 1, Compression: actors.On}
	rewritten := 0
	var want []uint64
	crashEach(t, config, func(s *actors.Store) {
		for i := range 20 {
			mustStore(t, s, fmt.Sprintf("s.%d", i%9), fmt.Sprintf("%600d", i))
		}
		want, _ = collect(t, s)
	}, func(s *actors.Store) {
		for i := range 20 {
			mustStore(t, s, fmt.Sprintf("s.%d", i%9), fmt.Sprintf("%600d", i))
		}
		eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	}, func(s *actors.Store, image crashImage) {
		got, damage := collect(t, s)
		require.Empty(t, damage, "%v %v", image.op, image.mode)
		require.GreaterOrEqual(t, len(got), len(want), "%v %v", image.op, image.mode)
		require.Equal(t, want, got[:len(want)])
		if strings.Contains(image.op.Name, ".rewrite.tmp") {
			rewritten++
		}
		if image.done {
			require.Len(t, got, 40)
		}
		require.Zero(t, stateOf(t, s).LostMessages, "%v %v", image.op, image.mode)
	})
	require.NotZero(t, rewritten)
}
