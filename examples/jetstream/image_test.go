package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/rawblock"
)

// imageStream is the name of the stream in every image of the mark tests.
const imageStream = "MARKS"

// imageStart is the time of the first message.
var imageStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// group is the records of one commit, as a function that writes them.
type group struct {
	records int
	write   func(*rawblock.Block)
}

// blockImage is a block: groups in order, then perhaps a mark with nothing behind it, then perhaps
// bytes that are no record (a torn tail).
type blockImage struct {
	groups   []group
	tailMark bool
	torn     []byte
}

// messages is a group of messages first .. last with a payload of the given size.
func messages(first, last uint64, size int) group {
	return group{records: int(last - first + 1), write: func(b *rawblock.Block) {
		for sequence := first; sequence <= last; sequence++ {
			var header []byte
			if sequence%3 == 0 {
				header = fmt.Appendf(nil, "NATS/1.0\r\nN: %d\r\n\r\n", sequence)
			}
			payload := make([]byte, size)
			for i := range payload {
				payload[i] = byte(sequence) + byte(i)*7
			}
			b.Message(sequence, nanosOf(sequence), fmt.Sprintf("marks.%d", sequence%10), header, payload)
		}
	}}
}

// tombstones is a group of tombstones for the given sequences.
func tombstones(targets ...uint64) group {
	return group{records: len(targets), write: func(b *rawblock.Block) {
		for _, target := range targets {
			b.Tombstone(target, nanosOf(target))
		}
	}}
}

// skips is a group of skip records.
func skips(sequences ...uint64) group {
	return group{records: len(sequences), write: func(b *rawblock.Block) {
		for _, sequence := range sequences {
			b.Skip(sequence, nanosOf(sequence))
		}
	}}
}

func nanosOf(sequence uint64) int64 {
	return imageStart.UnixNano() + int64(sequence)*int64(time.Millisecond)
}

// marker writes the mark of a group of so many records, whose bytes are those of content. Without content
// the mark is of records that there are not.
type marker func(b *rawblock.Block, records int, content []byte)

// withMarks is what Millrace writes, withFirstMarks what earlier versions wrote, withoutMarks the control.
func withMarks(b *rawblock.Block, records int, content []byte) {
	if content == nil {
		b.AnyFrameMark(absentBytes, 0xfedcba98)
		return
	}
	b.FrameMark(content)
}
func withoutMarks(*rawblock.Block, int, []byte) {}

func withFirstMarks(b *rawblock.Block, records int, content []byte) {
	withTarget(0)(b, records, content)
}

// withTarget is withFirstMarks with another target than 0.
func withTarget(target uint64) marker {
	return func(b *rawblock.Block, records int, content []byte) {
		size := len(content)
		if content == nil {
			size = absentBytes
		}
		b.MarkTarget(target, records, size)
	}
}

// absentBytes is what a mark announces of records that there are not.
const absentBytes = 5000

// writeImage writes the stream directory below storeDir.
func writeImage(t *testing.T, storeDir string, blocks []blockImage, mark marker, config map[string]any) {
	t.Helper()
	dir := oracle.StreamDir(storeDir, imageStream)
	fields := map[string]any{
		"Created": imageStart, "name": imageStream, "subjects": []string{"marks.>"},
		"duplicate_window": time.Second,
	}
	for name, value := range config {
		fields[name] = value
	}
	meta, err := json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, rawblock.WriteMeta(dir, imageStream, meta))
	for i, image := range blocks {
		block := rawblock.New(imageStream, i+1)
		for _, records := range image.groups {
			sizing := rawblock.New(imageStream, i+1)
			records.write(sizing)
			mark(block, records.records, sizing.Bytes())
			records.write(block)
		}
		if image.tailMark {
			mark(block, 5, nil)
		}
		block.Append(image.torn)
		require.NoError(t, block.WriteTo(dir))
	}
}
