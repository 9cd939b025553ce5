package main

import (
	"bytes"
	"context"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// archiveOf is a small archive: what goes in is written into memory, which does not fail.
func archiveOf(since archive.Catalog, blocks map[uint32][]byte, holds archive.Totals, consumer string) []byte {
	var b bytes.Buffer
	w := archive.NewWriter(context.Background(), &b, stream, time.Unix(0, when))
	if since != nil {
		_ = w.Increment(since)
	}
	_ = w.Meta([]byte(`{"name":"`+stream+`"}`), holds)
	for id := range uint32(10) {
		if data, ok := blocks[id]; ok {
			_ = w.Block(id, data)
		}
	}
	if consumer != "" {
		_ = w.Consumer(consumer, []byte("{}"), []byte("state"))
	}
	_ = w.Close()
	return b.Bytes()
}

// plainTar takes an archive out of its S2 framing.
func plainTar(data []byte) []byte {
	var b bytes.Buffer
	_, _ = b.ReadFrom(s2.NewReader(bytes.NewReader(data)))
	return b.Bytes()
}

// framed puts a changed tar into S2 framing.
func framed(data []byte, change func([]byte)) []byte {
	var b bytes.Buffer
	w := s2.NewWriter(&b, s2.WriterConcurrency(1))
	_, _ = w.Write(with(data, change))
	_ = w.Close()
	return b.Bytes()
}

// archives are small archives, in S2 framing or without.
func archives() []seed {
	whole := archiveOf(nil, map[uint32][]byte{block: frame(1, 3)}, archive.Totals{Messages: 3, Last: 3}, "C")
	var list []seed
	add := func(name string, data []byte, framed bool) { list = append(list, seed{name, []any{data, framed}}) }
	add("whole", whole, true)
	if catalog, err := archive.ReadCatalog(context.Background(), bytes.NewReader(whole)); err == nil {
		add("increment", archiveOf(catalog, map[uint32][]byte{block: frame(1, 3), block + 1: nil}, archive.Totals{Messages: 3, Last: 3}, ""), true)
	}
	add("empty", archiveOf(nil, nil, archive.Totals{}, ""), true)
	add("cut", whole[:len(whole)/2], true)
	add("flipped", with(whole, func(b []byte) { b[len(b)/2] ^= 1 }), true)
	add("cut-tar", plainTar(whole)[:3<<10], false)
	add("size-highest", framed(plainTar(whole), func(b []byte) {
		if at := bytes.Index(b, []byte("msgs/1.blk")); at >= 0 {
			copy(b[at+124:], "77777777777")
		}
	}), true)
	add("totals-differ", archiveOf(nil, map[uint32][]byte{block: frame(1, 3)}, archive.Totals{Messages: 4, Last: 3}, ""), true)
	add("consumer-above", archiveOf(nil, nil, archive.Totals{}, ".."), true)
	add("block-of-another-number", archiveOf(nil, map[uint32][]byte{block + 1: frame(1, 3)}, archive.Totals{Messages: 3, Last: 3}, ""), true)
	add("compressible", archiveOf(nil, map[uint32][]byte{block: make([]byte, 1<<20)}, archive.Totals{}, ""), true)
	add("meta-of-another-stream", framed(plainTar(whole), func(b []byte) {
		if at := bytes.Index(b, []byte(blockio.MetaSum(stream, []byte(`{"name":"`+stream+`"}`)))); at >= 0 {
			b[at] ^= 1
		}
	}), true)
	return list
}
