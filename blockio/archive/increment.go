package archive

import (
	"archive/tar"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// An increment is an archive without the blocks that another one has as they are. Its first entry is a directory, which
// every reader of whole archives refuses, a nats-server among them; its last one lists the blocks.
const (
	incrementName = "increment/"
	leftOutName   = incrementName + "blocks"
	leftOutSize   = 12 // bytes of each: its number and its checksum
)

// A Catalog says which blocks a stream had when it was archived, those that an increment leaves out among them: by
// their numbers, the checksum of each as the archive has it.
type Catalog map[uint32]uint64

// sumOf is the checksum in a Catalog.
func sumOf(stream string, data []byte) uint64 {
	sum := blockio.NameSum(stream)
	_, _ = sum.Write(data) // a hash's Write cannot fail
	return sum.Sum64()
}

// encode returns the list of blocks that are left out.
func (c Catalog) encode() []byte {
	data := make([]byte, 0, len(c)*leftOutSize)
	for _, id := range slices.Sorted(maps.Keys(c)) {
		data = binary.LittleEndian.AppendUint32(data, id)
		data = binary.LittleEndian.AppendUint64(data, c[id])
	}
	return data
}

// decodeCatalog reads it back.
func decodeCatalog(data []byte) (Catalog, error) {
	c := make(Catalog, len(data)/leftOutSize)
	last := uint32(0)
	for ; len(data) >= leftOutSize; data = data[leftOutSize:] {
		id := binary.LittleEndian.Uint32(data)
		if id <= last || id > blockio.MaxBlockID {
			return nil, bad("block %d is left out behind block %d", id, last)
		}
		last = id
		c[id] = binary.LittleEndian.Uint64(data[4:])
	}
	if len(data) > 0 {
		return nil, bad("%d bytes follow the list of blocks", len(data))
	}
	return c, nil
}

// increment reads the first entry of an increment, if it is one, and returns the next.
func (r *reader) increment(h *tar.Header) (*tar.Header, error) {
	if h.Typeflag != tar.TypeDir || h.Name != incrementName {
		return h, nil
	}
	if !r.increments {
		return nil, bad("it is an increment, and needs the snapshots that it builds on")
	}
	r.contents.LeftOut = Catalog{}
	return r.tar.Next()
}

// leftOut reads the list of blocks that are left out, which is the last entry.
func (r *reader) leftOut(h *tar.Header) error {
	data, err := r.all(h, maxLeftOut)
	if err != nil {
		return err
	}
	if r.contents.LeftOut, err = decodeCatalog(data); err != nil {
		return err
	}
	r.listed = true
	for id := range r.contents.LeftOut {
		if _, there := r.contents.blocks[id]; there {
			return bad("block %d is there and left out", id)
		}
	}
	return nil
}

// maxLeftOut is the largest list of blocks, in bytes: it is in memory.
const maxLeftOut = 8 << 20
