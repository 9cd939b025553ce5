package peers

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	recordHead    = 22 // bytes up to the subject
	recordHeaders = 1 << 31
	notAMessage   = 3 << 62 // skips, tombstones and group marks
)

// Block is one block file of a stream.
type Block struct {
	Number int
	Path   string
}

// Blocks returns the block files of a JetStream stream in the order of their numbers.
func Blocks(streamDir string) ([]Block, error) {
	paths, err := filepath.Glob(filepath.Join(streamDir, "msgs", "*.blk"))
	if err != nil {
		return nil, err
	}
	blocks := make([]Block, 0, len(paths))
	for _, path := range paths {
		number, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".blk"))
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, Block{Number: number, Path: path})
	}
	slices.SortFunc(blocks, func(a, b Block) int { return cmp.Compare(a.Number, b.Number) })
	return blocks, nil
}

// FirstSequences returns the sequence of the first message of each block that has one.
func FirstSequences(streamDir string) ([]uint64, error) {
	blocks, err := Blocks(streamDir)
	if err != nil {
		return nil, err
	}
	var sequences []uint64
	for _, block := range blocks {
		first, err := firstSequence(block.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", block.Path, err)
		}
		if first > 0 {
			sequences = append(sequences, first)
		}
	}
	return sequences, nil
}

// firstSequence reads records until one is a message. It returns 0 at the end of the file, and at
// zeros that were written ahead.
func firstSequence(path string) (sequence uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it was only read
	var head [recordHead]byte
	for offset := int64(0); ; {
		_, err := file.ReadAt(head[:], offset)
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		size := int64(binary.LittleEndian.Uint32(head[:]) &^ recordHeaders)
		if size == 0 {
			return 0, nil
		}
		if size < recordHead {
			return 0, fmt.Errorf("a record of %d bytes at %d", size, offset)
		}
		if sequence := binary.LittleEndian.Uint64(head[4:]); sequence&notAMessage == 0 {
			return sequence, nil
		}
		offset += size
	}
}
