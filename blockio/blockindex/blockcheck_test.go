package blockindex

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/highwayhash"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// erase overwrites a message the way that a server does: its size stays, it has no
// subject, time or headers any more, and its checksum is right.
func (b *block) erase(data []byte, i int) {
	record := data[b.record[i].Offset:][:b.record[i].Size]
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	binary.LittleEndian.PutUint64(record[4:], b.seq[i]|1<<63)
	clear(record[12:22])
	end := len(record) - 8
	for j := 22; j < end; j++ {
		record[j] = byte(j)
	}
	key := sha256.Sum256([]byte("S-7"))
	sum := highwayhash.Sum64(append(bytes.Clone(record[4:20]), record[22:end]...), key[:])
	binary.LittleEndian.PutUint64(record[end:], sum)
}

// mixedBlock has every kind of record between messages, and a message that goes back in
// sequence, which no reader counts.
func mixedBlock() *block {
	b := newBlock()
	b.skip(3, 1)
	b.message(4, 10, "a.b", "payload")
	b.message(5, 11, "", "")
	mark := make([]byte, blockio.EmptyRecordSize)
	b.key.PutGroupMark(mark, 2, 100)
	b.data = append(b.data, mark...)
	b.message(6, 12, "a.c", "payload")
	b.tombstone(5, 11)
	b.data = b.key.AppendMessage(b.data, 2, 5, "old", nil, nil)
	b.skip(9, 13)
	b.message(10, 14, "a.b", "payload")
	b.tombstone(4, 10)
	b.tombstone(1, 2)
	b.message(11, 15, "a.d", "")
	return b
}

func verdictOf(t *testing.T, x *Index, b *block, data []byte) Verdict {
	v, err := x.CheckBlock(b.key, data)
	require.NoError(t, err)
	return v
}

func TestCheckBlockOfTheSame(t *testing.T) {
	for name, b := range smallBlocks() {
		v := verdictOf(t, b.open(t), b, b.data)
		require.True(t, v.Same(), "%s: %+v", name, v)
	}
	b := mixedBlock()
	v := verdictOf(t, b.open(t), b, b.data)
	require.True(t, v.Same(), "%+v", v)
	for _, size := range []int{0, 10, len(b.data) - 1} {
		_, err := b.open(t).CheckBlock(b.key, b.data[:size])
		require.ErrorIs(t, err, ErrStale)
	}
}

// TestCheckBlockFindsEveryFlip: each bit of a block counts, those of lengths too, and is
// damage; never does it look like another block.
func TestCheckBlockFindsEveryFlip(t *testing.T) {
	b := mixedBlock()
	x := b.open(t)
	in := func(at int64) (ordinal int, ok bool) {
		for i, r := range b.record {
			if at >= r.Offset && at < r.Offset+int64(r.Size) {
				return i, true
			}
		}
		return 0, false
	}
	untold := 0
	for at := range b.data {
		for bit := range 8 {
			data := bytes.Clone(b.data)
			data[at] ^= 1 << bit
			v := verdictOf(t, x, b, data)
			if ordinal, ok := in(int64(at)); ok {
				require.Equal(t, Verdict{Damaged: []OrdinalRange{{ordinal, ordinal + 1}}}, v, "bit %d of %d", bit, at)
				continue
			}
			require.Empty(t, v.Damaged)
			require.Empty(t, v.Erased)
			require.Empty(t, v.Other, "bit %d of %d", bit, at)
			if v.Same() {
				untold++
				continue
			}
			require.Len(t, v.Between, 1)
			require.True(t, v.Between[0].First <= int64(at) && int64(at) < v.Between[0].End)
		}
	}
	// Of the message that goes back in sequence, and which nobody counts, the subject
	// can be two other lengths.
	require.LessOrEqual(t, untold, 2)
}

func TestCheckBlockKnowsAnErasedMessage(t *testing.T) {
	b := mixedBlock()
	x := b.open(t)
	for i := range b.record {
		data := bytes.Clone(b.data)
		b.erase(data, i)
		require.Equal(t, Verdict{Erased: []OrdinalRange{{i, i + 1}}}, verdictOf(t, x, b, data))
		data[b.record[i].Offset+20] ^= 1 // the length of its subject, which its checksum does not cover
		if v := verdictOf(t, x, b, data); len(v.Damaged) == 0 {
			require.Equal(t, Verdict{Erased: []OrdinalRange{{i, i + 1}}}, v)
		}
	}
	data := bytes.Clone(b.data)
	b.erase(data, 0)
	b.erase(data, 1)
	data[b.record[2].Offset+30] ^= 1
	require.Equal(t, Verdict{Erased: []OrdinalRange{{0, 2}}, Damaged: []OrdinalRange{{2, 3}}}, verdictOf(t, x, b, data))
}

func TestCheckRecord(t *testing.T) {
	b := mixedBlock()
	x := b.open(t)
	for i, r := range b.record {
		record := b.data[r.Offset:][:r.Size]
		erased := bytes.Clone(b.data)
		b.erase(erased, i)
		length := bytes.Clone(record)
		length[20] ^= 1
		another := b.key.AppendMessage(nil, b.seq[i], r.Time+1, b.names[i], nil, record[22+len(b.names[i]):r.Size-8])
		for _, want := range []struct {
			state RecordState
			data  []byte
		}{
			{Intact, record}, {Erased, erased[r.Offset:][:r.Size]}, {Damaged, length}, {Another, another},
			{Damaged, record[1:]}, {Damaged, nil}, {Damaged, make([]byte, r.Size)}, {Another, b.key.AppendTombstone(nil, b.seq[i], 1)},
		} {
			if want.state == Another && len(want.data) != r.Size {
				continue // of another size it cannot be in this place
			}
			state, err := x.CheckRecord(b.key, i, want.data)
			require.NoError(t, err)
			require.Equal(t, want.state, state, "%s of message %d", want.state, i)
		}
	}
	_, err := x.CheckRecord(b.key, len(b.record), nil)
	require.ErrorIs(t, err, ErrRange)
}

// TestCheckBlockKnowsAnotherBlock: intact records that are not those of the index.
func TestCheckBlockKnowsAnotherBlock(t *testing.T) {
	b := mixedBlock()
	restored, x := bytes.Clone(b.data), b.open(t)
	for i := range b.record { // an older copy was put back, from before the message was erased
		erased := newBlock()
		erased.data = bytes.Clone(b.data)
		b.erase(erased.data, i)
		y, err := OpenImage(erased.image(t))
		require.NoError(t, err)
		require.NotEmpty(t, verdictOf(t, y, b, restored).Other, i)
	}
	for name, change := range map[string]func(data []byte){
		"another message": func(data []byte) {
			b.key.AppendMessage(data[b.record[0].Offset:][:0], 4, 99, "a.b", nil, []byte("payload"))
		},
		"another sequence": func(data []byte) {
			b.key.AppendMessage(data[b.record[0].Offset:][:0], 3, 10, "a.b", nil, []byte("payload"))
		},
		"a tombstone for a skip": func(data []byte) { b.key.AppendTombstone(data[:0], 3, 1) },
		"a skip for a tombstone": func(data []byte) {
			at := b.record[2].Offset + int64(b.record[2].Size)
			b.key.AppendSkip(data[at:at], 5, 11)
		},
		"another tombstone": func(data []byte) {
			at := b.record[2].Offset + int64(b.record[2].Size)
			b.key.AppendTombstone(data[at:at], 4, 11)
		},
		"a message where none was": func(data []byte) { b.key.AppendMessage(data[:0], 3, 1, "", nil, nil) },
		"a message for a tombstone": func(data []byte) {
			b.key.AppendMessage(data[b.record[2].Offset+int64(b.record[2].Size):][:0], 7, 1, "", nil, nil)
		},
	} {
		data := bytes.Clone(b.data)
		change(data)
		require.NotEqual(t, b.data, data, name)
		v := verdictOf(t, x, b, data)
		require.NotEmpty(t, v.Other, "%s: %+v", name, v)
		require.Empty(t, v.Damaged, name)
	}
}

// TestCheckBlockOfZeros: what is not there is damage.
func TestCheckBlockOfZeros(t *testing.T) {
	b := mixedBlock()
	x := b.open(t)
	v := verdictOf(t, x, b, make([]byte, len(b.data)))
	require.Equal(t, []OrdinalRange{{0, len(b.record)}}, v.Damaged)
	require.NotEmpty(t, v.Between)
	require.Empty(t, v.Other)
	require.Empty(t, v.Erased)
}

// TestCheckBlockGoesOnWithKnownDamage: damage that the index counts is not told again.
func TestCheckBlockGoesOnWithKnownDamage(t *testing.T) {
	b := mixedBlock()
	data := bytes.Clone(b.data)
	data[b.record[1].Offset+25] ^= 1
	image, scan, err := Build("", testBlock, b.key, data, b.stat())
	require.NoError(t, err)
	require.Equal(t, 1, scan.DamageCount)
	x, err := OpenImage(image)
	require.NoError(t, err)
	v := verdictOf(t, x, b, data)
	require.True(t, v.Same(), "%+v", v)
	data[b.record[2].Offset+25] ^= 1
	v = verdictOf(t, x, b, data)
	require.Equal(t, Verdict{Damaged: []OrdinalRange{{1, 2}}}, v)
}

// TestRestoredCopyIsCheckedOnce goes the whole way of a copy that does not keep
// modification times.
func TestRestoredCopyIsCheckedOnce(t *testing.T) {
	b := mixedBlock()
	path := filepath.Join(t.TempDir(), "7.blk")
	require.NoError(t, os.WriteFile(path, b.data, 0o600))
	require.NoError(t, os.WriteFile(Path(path), b.image(t), 0o600))
	file, err := blockio.OS.OpenFile(path, blockio.ModeRead)
	require.NoError(t, err)
	now, err := IdentityOf(file, testBlock)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	_, err = OpenFile(blockio.OS, path, now, Options{StrictModTime: true})
	require.ErrorIs(t, err, ErrStale)
	x, err := OpenFile(blockio.OS, path, now, Options{})
	require.NoError(t, err)
	require.True(t, x.Suspect())
	v := verdictOf(t, x.Index, b, b.data)
	require.True(t, v.Same())
	right, err := ask(x.Index)
	require.NoError(t, err)
	require.NoError(t, Renew(blockio.OS, Path(path), now))
	again, err := ask(x.Index)
	require.NoError(t, err, "who has the old file open goes on with it")
	require.Equal(t, right, again)
	require.NoError(t, x.Close())

	x, err = OpenFile(blockio.OS, path, now, Options{StrictModTime: true})
	require.NoError(t, err)
	require.False(t, x.Suspect())
	again, err = ask(x.Index)
	require.NoError(t, err)
	require.Equal(t, right, again)
	require.NoError(t, x.Close())
	renewed, err := os.ReadFile(Path(path))
	require.NoError(t, err)
	require.NoError(t, Check(renewed, now))
	stat := b.stat()
	stat.ModTime = now.ModTime
	image, _, err := Build(path, testBlock, b.key, b.data, stat)
	require.NoError(t, err)
	require.Equal(t, image, renewed, "as if it had been made anew")
}

// TestRenewLaundersNoDamage: a damaged index does not get right checksums.
func TestRenewLaundersNoDamage(t *testing.T) {
	b := mixedBlock()
	now := b.identity()
	now.ModTime += 5
	path := filepath.Join(t.TempDir(), "7.bix")
	require.ErrorIs(t, Renew(blockio.OS, path, now), ErrMissing)
	image := b.image(t)
	for at := 0; at < len(image); at += 31 {
		data := bytes.Clone(image)
		data[at] ^= 4
		require.NoError(t, os.WriteFile(path, data, 0o600))
		err := Renew(blockio.OS, path, now)
		require.Error(t, err, at)
		require.True(t, isSentinel(err), err)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, data, after, "it is left as it is")
	}
	for _, change := range []func(*Identity){
		func(id *Identity) { id.Block++ }, func(id *Identity) { id.Size++ }, func(id *Identity) { id.LastChecksum++ },
	} {
		require.NoError(t, os.WriteFile(path, image, 0o600))
		other := now
		change(&other)
		require.ErrorIs(t, Renew(blockio.OS, path, other), ErrStale)
	}
}

// TestRenewFailsClean: whatever fails, the index is the old one or the renewed one, and
// nothing is left beside it.
func TestRenewFailsClean(t *testing.T) {
	b := mixedBlock()
	now := b.identity()
	now.ModTime += 5
	for at := 0; ; at++ {
		m := blocktest.NewMemFS()
		require.NoError(t, m.MkdirAll("/d"))
		require.NoError(t, Write(m, "/d/7.bix", b.image(t)))
		f := blocktest.NewFaultFS(m)
		f.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := Renew(f, "/d/7.bix", now)
		data, readErr := readFile(m, "/d/7.bix")
		require.NoError(t, readErr)
		entries, listErr := m.ReadDir("/d")
		require.NoError(t, listErr)
		require.Len(t, entries, 1)
		if err == nil {
			require.NoError(t, Check(data, now))
			require.GreaterOrEqual(t, at, 3)
			return
		}
		require.ErrorIs(t, err, blocktest.ErrNoSpace)
		require.Equal(t, b.image(t), data)
	}
}
