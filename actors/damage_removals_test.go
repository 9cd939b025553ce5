package actors_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// damageWorldsOfRemovals makes the worlds in which messages were removed, and blocks written anew.
func damageWorldsOfRemovals(t *testing.T) []*damageWorld {
	return []*damageWorld{
		newDamageWorld(t, "removed", actors.Config{IndexFrom: -1, CompactBelow: -1}, removedScript),
		newDamageWorld(t, "compacted", actors.Config{IndexFrom: -1, CompactBelow: 90}, compactedScript),
		newDamageWorld(t, "compacted-indexed", actors.Config{IndexFrom: 1, CompactBelow: 90}, compactedScript),
		newDamageWorld(t, "floors", actors.Config{IndexFrom: -1, CompactBelow: -1}, floorsScript),
		newDamageWorld(t, "floors-indexed", actors.Config{IndexFrom: 1, CompactBelow: 90}, floorsScript),
		newDamageWorld(t, "truncated", actors.Config{IndexFrom: 1, CompactBelow: -1}, truncatedScript),
		newDamageWorld(t, "limited-compacted", actors.Config{IndexFrom: 1, CompactBelow: 90, MaxMsgs: 26}, func(b *damageBuilder) {
			b.store(16, 200)
			b.batch(6, 220)
			b.store(12, 250)
			b.remove(15, 18, 20, 21, 22)
			b.batch(4, 200)
			b.remove(36)
			b.store(4, 300)
		}),
		newDamageWorld(t, "limited-per-subject", actors.Config{IndexFrom: -1, CompactBelow: 90, MaxMsgsPer: 4}, func(b *damageBuilder) {
			b.store(14, 250)
			b.batch(5, 200)
			b.store(9, 300)
			b.remove(12, 20)
			b.store(8, 150)
		}),
	}
}

// removedScript leaves every removed message where it was, but for a block that has gone from among others.
func removedScript(b *damageBuilder) {
	b.store(11, 250)
	b.remove(1, 4) // 1: from the head
	b.batch(5, 300)
	b.batch(7, 280)
	b.erase(7, 14)
	b.store(9, 250)
	b.remove(b.of(2)...)
	b.purge("a.2", 0, 1) // several tombstones in one frame
	b.store(6, 260)
	b.skip(2)
	b.erase(34)
	b.store(1, 100)
}

// compactedScript has the first block written anew, and others between those that stay as they are.
func compactedScript(b *damageBuilder) {
	b.store(13, 250)
	b.batch(9, 200)
	b.store(9, 260)
	b.batch(5, 240)
	b.store(9, 250)
	b.remove(1, 2, 3, 5, 6, 9) // the first messages: nothing is left of their tombstones later
	b.settle()
	b.remove(b.of(2)...) // a whole block
	b.erase(b.of(3)[2])
	b.remove(b.of(3)[4], b.of(3)[5], b.of(3)[7])
	b.settle()
	b.store(6, 260)
	b.skip(3)
	b.remove(b.of(4)[1], b.of(4)[2], b.of(4)[6], b.of(4)[8])
	b.settle()
	b.store(2, 200)
}

// floorsScript removes all below a sequence, in the middle of a block.
func floorsScript(b *damageBuilder) {
	b.store(14, 250)
	b.batch(9, 200)
	b.compact(8)
	b.store(9, 260)
	b.purge("a.1", 0, 2)
	b.store(8, 240)
	b.settle() // an index of before
	b.compact(21)
	b.erase(25)
	b.settle()
	b.store(12, 250)
	b.settle()
}

// truncatedScript gives sequences a second time.
func truncatedScript(b *damageBuilder) {
	b.store(12, 250)
	b.batch(8, 240)
	b.remove(3, 11)
	b.store(9, 260)
	b.truncate(17)
	b.batch(5, 280)
	b.remove(16, 19)
	b.store(12, 250)
	b.truncate(30)
	b.store(5, 200)
	b.erase(20)
}

// gone notes that messages were removed on request.
func (b *damageBuilder) gone(sequences ...uint64) {
	for _, sequence := range sequences {
		b.world.live[sequence] = false
	}
	b.remember()
}

func (b *damageBuilder) remove(sequences ...uint64) {
	for _, sequence := range sequences {
		removed, err := b.stream.RemoveMsg(b.t.Context(), sequence)
		require.NoError(b.t, err)
		require.Equal(b.t, b.world.live[sequence], removed, sequence)
		b.gone(sequence)
	}
}

func (b *damageBuilder) erase(sequences ...uint64) {
	for _, sequence := range sequences {
		removed, err := b.stream.EraseMsg(b.t.Context(), sequence)
		require.NoError(b.t, err)
		require.True(b.t, removed, sequence)
		b.gone(sequence)
	}
}

// purge removes the messages of a subject, but for the newest ones.
func (b *damageBuilder) purge(subject string, below, keep uint64) {
	var list []uint64
	for sequence := range b.alive() {
		if b.world.stored[sequence].subject == subject {
			list = append(list, sequence)
		}
	}
	slices.Sort(list)
	list = list[:len(list)-int(keep)]
	removed, err := b.stream.PurgeEx(b.t.Context(), actors.Literal(subject), below, keep)
	require.NoError(b.t, err)
	require.Len(b.t, list, int(removed))
	b.gone(list...)
}

// compact removes all below a sequence.
func (b *damageBuilder) compact(first uint64) {
	_, err := b.stream.Compact(b.t.Context(), first)
	require.NoError(b.t, err)
	for sequence := range b.alive() {
		if sequence < first {
			b.world.live[sequence] = false
		}
	}
	b.remember()
}

func (b *damageBuilder) truncate(last uint64) {
	_, err := b.stream.Truncate(b.t.Context(), last)
	require.NoError(b.t, err)
	w := b.world
	for sequence := range w.stored {
		if sequence > last {
			w.cutOff[sequence] = append(w.cutOff[sequence], w.stored[sequence])
			delete(w.stored, sequence)
			delete(w.live, sequence)
			delete(w.frames, sequence)
		}
	}
	w.last = last
	b.remember()
}

// evict removes what limits do when a message of a subject was stored.
func (b *damageBuilder) evict(subject string) {
	first := func(match func(sequence uint64) bool) (lowest uint64, n int64) {
		for sequence := range b.alive() {
			if !match(sequence) {
				continue
			}
			if n++; lowest == 0 || sequence < lowest {
				lowest = sequence
			}
		}
		return lowest, n
	}
	w := b.world
	if lowest, n := first(func(sequence uint64) bool { return w.stored[sequence].subject == subject }); w.config.MaxMsgsPer > 0 && n > w.config.MaxMsgsPer {
		w.live[lowest], w.evicted[lowest] = false, true
	}
	if lowest, n := first(func(uint64) bool { return true }); w.config.MaxMsgs > 0 && n > w.config.MaxMsgs {
		w.live[lowest], w.evicted[lowest] = false, true
	}
}

// alive returns the sequences of the live messages.
func (b *damageBuilder) alive() map[uint64]bool {
	alive := make(map[uint64]bool)
	for sequence, live := range b.world.live {
		if live {
			alive[sequence] = true
		}
	}
	return alive
}

// of returns the live messages of a block.
func (b *damageBuilder) of(block uint32) (list []uint64) {
	b.eachBlock(func(f *damageFile, _ bool) {
		if f.block != block {
			return
		}
		for _, p := range f.placed {
			if p.kind == blockio.KindMessage && b.world.live[p.sequence] {
				list = append(list, p.sequence)
			}
		}
	})
	return list
}

// settle waits until every block is written anew that is to be.
func (b *damageBuilder) settle() {
	require.NoError(b.t, b.stream.Flush(b.t.Context()))
	eventually(b.t, func() bool { return !b.sparse() })
	require.NoError(b.t, b.stream.Flush(b.t.Context()))
	eventually(b.t, b.indexed)
	b.remember()
}

// indexed reports whether every full block has its index, but for those that are to be written anew before: one may wait
// until another shows what the last sequence is.
func (b *damageBuilder) indexed() bool {
	files := readAllFiles(b.t, b.fs, path.Join(damageDir, b.world.config.Name))
	all := true
	b.eachBlock(func(f *damageFile, last bool) {
		_, has := files[strings.TrimSuffix(f.path, ".blk")+".bix"]
		all = all && (has || last || b.world.config.IndexFrom < 0 || b.thin(f))
	})
	return all
}

// sparse reports whether there is a block that a compaction would win something of.
func (b *damageBuilder) sparse() (sparse bool) {
	config := &b.world.config
	if config.CompactBelow < 0 {
		return false
	}
	b.eachBlock(func(f *damageFile, last bool) {
		dead := slices.ContainsFunc(f.placed, func(p placedRecord) bool {
			return (p.kind == blockio.KindMessage || p.kind == blockio.KindErased) && !b.world.live[p.sequence]
		})
		goesSoon := f.head && config.MaxMsgs > 0
		sparse = sparse || !last && !goesSoon && dead && b.thin(f)
	})
	return sparse
}

// thin reports whether so little of a block is live that it is written anew.
func (b *damageBuilder) thin(f *damageFile) bool {
	live := 0
	for _, p := range f.placed {
		if p.kind == blockio.KindMessage && b.world.live[p.sequence] {
			live += p.to - p.from
		}
	}
	config := &b.world.config
	return live*100 < len(f.data)*config.CompactBelow && len(f.data)-live >= int(config.BlockSize)/16
}

// eachBlock visits the blocks as they are now.
func (b *damageBuilder) eachBlock(visit func(f *damageFile, last bool)) {
	image := &damageImage{}
	for name, data := range readAllFiles(b.t, b.fs, path.Join(damageDir, b.world.config.Name)) {
		if strings.HasSuffix(name, ".blk") {
			image.files = append(image.files, b.world.newFile(b.t, name, data))
		}
	}
	image.sort()
	for i, f := range image.files {
		visit(f, i == len(image.files)-1)
	}
}
