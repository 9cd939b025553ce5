package main

import (
	"bytes"
	"context"

	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// messagesOf is a small message archive, without its S2 framing: what goes in is written into memory, which does not fail.
func messagesOf(entries ...archive.Entry) []byte {
	var b bytes.Buffer
	w := archive.NewMessageWriter(context.Background(), &b)
	for i := range entries {
		_ = w.Write(&entries[i])
	}
	_ = w.Close()
	return plainTar(b.Bytes())
}

// messageArchives are small message archives, in S2 framing or without.
func messageArchives() []seed {
	whole := messagesOf(
		archive.Entry{Name: "state.json", Time: when, Payload: []byte(`{"messages":2,"first_seq":3,"last_seq":9,"consumer_count":1}`)},
		archive.Entry{Name: "consumers/C", Time: when, Payload: []byte("{}")},
		archive.Entry{Name: "orders.new", Time: -5, Sequence: 3, Header: []byte("NATS/1.0\r\nA: b\r\n\r\n"), Payload: []byte("hi")},
		archive.Entry{Name: "a", Time: when, Sequence: 8},
	)
	var list []seed
	add := func(name string, data []byte, framed bool) { list = append(list, seed{name, []any{data, framed}}) }
	add("whole", whole, false)
	add("framed", framed(whole, func([]byte) {}), true)
	add("empty", messagesOf(), false)
	add("cut", whole[:len(whole)/2], false)
	add("without-its-end", whole[:len(whole)-5], false)
	add("followed", append(bytes.Clone(whole), 0), false)
	add("name-highest", []byte("NATSARC1\xff\xff\xff\xff\x0f\x00\x01\x00\x00"), false)
	add("payload-highest", []byte("NATSARC1\x01\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7fa"), false)
	add("sum-overflows", []byte("NATSARC1\x01\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x7fa"), false)
	large := messagesOf(archive.Entry{Name: "a", Sequence: 1, Payload: make([]byte, 900<<10)})
	add("compressible", framed(large, func([]byte) {}), true)
	return list
}
