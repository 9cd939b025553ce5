package main

import "time"

// size is how much work the rows do.
type size struct {
	storing time.Duration // of a run that stores
	reading time.Duration // of a run that loads or asks
	full    time.Duration // of a run that stores in a full stream

	scanMessages   int
	openMessages   int
	hotMessages    int // that are in memory; fewer than a block holds
	loadMessages   int
	filterMessages int
	filterSubjects int // of the wildcard row
	kvMessages     int // on as many subjects
	indexMessages  int
	indexSubjects  int // of the row with many

	kvKeys         int // fewer keys
	durableKeys    int // of the row in which each store is synced
	fullMessages   int // that a stream with MaxMsgs holds
	removeMessages int
	purgeMessages  int

	fullBytes int64         // what a full stream holds
	fullWarm  time.Duration // how long its scanners run before the run, at most

	heapMessages int
	heapIdle     time.Duration // how long a stream is left alone

	streams       [2]int // of a process that has many
	firstStreams  int
	largeMessages int

	ttlMessages int
	ttls        lifetimes // of the messages

	stateWritten time.Duration // in which a store writes its state
}

// The sizes of an ordinary run, of -short, and of the unit test.
var (
	fullSize = size{
		storing: 1500 * time.Millisecond, reading: 500 * time.Millisecond,
		scanMessages: 2_000_000, openMessages: 5_000_000, hotMessages: 40_000, loadMessages: 2_000_000,
		filterMessages: 2_000_000, filterSubjects: 100_000, kvMessages: 1_000_000,
		indexMessages: 2_000_000, indexSubjects: 1_000_000,
		kvKeys: 100_000, durableKeys: 100_000, fullMessages: 200_000, removeMessages: 1_000_000, purgeMessages: 2_000_000,
		fullBytes: 512 << 20, fullWarm: 500 * time.Millisecond, full: time.Second,
		heapMessages: 1_000_000, heapIdle: 12 * time.Second,
		streams: [2]int{1_000, 10_000}, firstStreams: 300, largeMessages: 4_000,
		ttlMessages: 1_000_000, ttls: lifetimes{Shortest: 15, Spread: 60}, stateWritten: 155 * time.Second,
	}
	shortSize = size{
		storing: 150 * time.Millisecond, reading: 100 * time.Millisecond,
		scanMessages: 200_000, openMessages: 300_000, hotMessages: 40_000, loadMessages: 200_000,
		filterMessages: 200_000, filterSubjects: 10_000, kvMessages: 100_000,
		indexMessages: 200_000, indexSubjects: 100_000,
		kvKeys: 20_000, durableKeys: 2_000, fullMessages: 50_000, removeMessages: 100_000, purgeMessages: 200_000,
		fullBytes: 64 << 20, fullWarm: 200 * time.Millisecond, full: 300 * time.Millisecond,
		heapMessages: 100_000, heapIdle: 12 * time.Second,
		streams: [2]int{100, 1_000}, firstStreams: 50, largeMessages: 500,
		ttlMessages: 100_000, ttls: lifetimes{Shortest: 3, Spread: 10}, stateWritten: 155 * time.Second,
	}
	tinySize = size{
		storing: 5 * time.Millisecond, reading: 5 * time.Millisecond,
		scanMessages: 2_000, openMessages: 3_000, hotMessages: 2_000, loadMessages: 2_000,
		filterMessages: 2_000, filterSubjects: 1_000, kvMessages: 2_000,
		indexMessages: 2_000, indexSubjects: 1_000,
		kvKeys: 500, durableKeys: 20, fullMessages: 500, removeMessages: 2_000, purgeMessages: 4_000,
		fullBytes: 1 << 20, fullWarm: 5 * time.Millisecond, full: 5 * time.Millisecond,
		heapMessages: 2_000, heapIdle: time.Millisecond,
		streams: [2]int{3, 5}, firstStreams: 3, largeMessages: 10,
		ttlMessages: 2_000, ttls: lifetimes{Shortest: 1, Spread: 1}, stateWritten: 5 * time.Millisecond,
	}
)

// quick is the size with what takes long by its nature left short: a heap is looked at while it still holds
// what an idle stream lets go of, and a store may not come to write its state.
func (s size) quick() size {
	s.heapIdle, s.stateWritten = time.Second, 5*time.Second
	s.ttls = lifetimes{Shortest: 1, Spread: 3}
	return s
}
