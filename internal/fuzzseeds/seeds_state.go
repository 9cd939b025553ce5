package main

import (
	"encoding/binary"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// setOf returns a set of sequences.
func setOf(sequences ...uint64) *streamstate.Set {
	return streamstate.NewSet(func(yield func(first, last uint64) bool) {
		for _, s := range sequences {
			if !yield(s, s) {
				return
			}
		}
	})
}

// stateIndexes are bodies of index.db: see FuzzIndex of streamstate.
func stateIndexes() []seed {
	x := &streamstate.Index{
		Head:     streamstate.Head{Messages: 2, Bytes: 74, First: 2, FirstTime: when, Last: 5, LastTime: when + 3},
		Subjects: []streamstate.Subject{{Name: "orders.new", Messages: 2, First: 1, Last: 1}},
		Blocks:   []streamstate.Block{{ID: 1, Bytes: 74, First: 2, FirstTime: when, Last: 5, LastTime: when + 3, Deleted: setOf(3, 4)}}, LastBlock: 1,
	}
	valid := x.AppendBody(nil)
	empty := (&streamstate.Index{Blocks: []streamstate.Block{{ID: 1, First: 1}}, LastBlock: 1}).AppendBody(nil)
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("deletes", valid)
	add("empty", empty)
	add("earlier-version", with(empty, func(b []byte) { b[1] = 1 }))
	add("later-version", with(empty, func(b []byte) { b[1] = 5 }))
	add("cut", valid[:len(valid)-9])
	add("subjects-highest", append(slices.Clone(empty[:8]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	add("blocks-highest", append(slices.Clone(empty[:9]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	return list
}

// stateOwn are bodies of index.db with what Millrace adds: see FuzzOwn.
func stateOwn() []seed {
	x := &streamstate.Index{
		Head:      streamstate.Head{Messages: 1, Bytes: 40, First: 2, FirstTime: when, Last: 2, LastTime: when},
		Blocks:    []streamstate.Block{{ID: 1, Bytes: 40, First: 2, FirstTime: when, Last: 2, LastTime: when}},
		LastBlock: 1, LastSum: [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
	}
	own := &streamstate.Own{LastTime: when, Blocks: []streamstate.OwnBlock{{
		ID: 1, Size: 200, FileSize: 200, First: 1, Last: 2, LastRecord: 2, FirstMessage: 1, Messages: 1, Bytes: 40, FirstLive: 2,
		Removed: []streamstate.Range{{First: 1, Last: 1}}, Lives: []streamstate.OwnLife{{Sequence: 2, Due: when}},
	}}}
	valid := x.AppendBlocks(streamstate.AppendSubject(x.AppendHead(nil, 1), "orders.new", 1, 1, 1))
	start := len(valid)
	valid = streamstate.AppendOwn(valid, own)
	behind := len(valid)
	valid = streamstate.AppendOwnSubject(valid, &streamstate.OwnSubject{First: 2, Last: 2, LastSize: 40})
	valid = streamstate.EndOwn(valid, start)
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("valid", valid)
	add("a-server", valid[:start])
	summed := *own
	summed.Sum = 1 << 40
	add("sum", streamstate.EndOwn(streamstate.AppendOwnSum(streamstate.AppendOwn(slices.Clone(valid[:start]), &summed), &summed), start))
	add("no-subject-behind", streamstate.EndOwn(slices.Clone(valid[:behind]), start))
	add("longer-than-the-file", with(valid, func(b []byte) { b[len(b)-11] = 0xff }))
	add("later-version", with(valid, func(b []byte) { b[start] = 2 }))
	add("blocks-highest", streamstate.EndOwn(append(slices.Clone(valid[:start+15]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), start))
	return list
}

// stateSets are sets of sequences: see FuzzSet.
func stateSets() []seed {
	valid := setOf(3, 64, 2047, 2048, 9000).Append(nil)
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("valid", valid)
	add("empty", setOf().Append(nil))
	add("first-version", append([]byte{22, 1, 1, 0, 0, 0, 1, 0, 0, 0}, with(make([]byte, 522), func(b []byte) { b[300] = 4 })...))
	add("cut", valid[:len(valid)-1])
	add("nodes-highest", with(valid, func(b []byte) { binary.LittleEndian.PutUint32(b[2:], 1<<32-1) }))
	add("nodes-overlap", with(valid, func(b []byte) { b[10] = 1 }))
	return list
}

// stateTTLs are thw.db: see FuzzTTLs.
func stateTTLs() []seed {
	valid := (&streamstate.TTLs{Next: 301, Entries: []streamstate.TTL{{At: when, Sequence: 7}, {At: when + 1e9, Sequence: 300}}}).Append(nil)
	return expiries(valid)
}

// stateSchedules are sched.db: see FuzzSchedules.
func stateSchedules() []seed {
	valid := (&streamstate.Schedules{Next: 10, Entries: []streamstate.Schedule{{Subject: "orders.new", At: when, Sequence: 9}}}).Append(nil)
	return append(expiries(valid), seed{"subject-highest", []any{with(valid, func(b []byte) { b[17], b[18] = 0xff, 0xff })}})
}

func expiries(valid []byte) []seed {
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("valid", valid)
	add("empty", with(valid[:17], func(b []byte) { clear(b[1:9]) }))
	add("cut", valid[:len(valid)-1])
	add("cut-in-the-head", valid[:16])
	add("later-version", with(valid, func(b []byte) { b[0] = 2 }))
	add("entries-highest", with(valid, func(b []byte) { binary.LittleEndian.PutUint64(b[1:], 1<<64-1) }))
	return list
}

// stateReplicas are encoded states: see FuzzReplica.
func stateReplicas() []seed {
	r := &streamstate.Replica{Messages: 20, Bytes: 999, First: 2, Last: 5000, Failed: 3, Deleted: []streamstate.Range{{First: 3, Last: 8}, {First: 10, Last: 4987}}}
	valid := r.Append(nil)
	r.Messages, r.Deleted = 1000, nil
	for s := uint64(4); s < 4096; s += 2 {
		r.Deleted = append(r.Deleted, streamstate.Range{First: s, Last: s})
	}
	sets := r.Append(nil)
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("runs", valid)
	add("sets", sets)
	add("empty", (&streamstate.Replica{}).Append(nil))
	add("later-version", with(valid, func(b []byte) { b[1] = 2 }))
	add("cut", sets[:len(sets)-9])
	add("run-highest", append(slices.Clone(valid), 33, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	return list
}
