package streamstate_test

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// ExampleDecodeIndex makes an index.db, and reads what it says of the blocks.
func ExampleDecodeIndex() {
	first := time.Unix(1700000000, 0).UnixNano()
	deleted := streamstate.NewSet(func(yield func(first, last uint64) bool) { yield(2, 4) })
	index := streamstate.Index{
		Head:     streamstate.Head{Messages: 2, Bytes: 74, First: 1, FirstTime: first, Last: 5, LastTime: first + 4},
		Subjects: []streamstate.Subject{{Name: "orders.new", Messages: 2, First: 1, Last: 1}},
		Blocks:   []streamstate.Block{{ID: 1, Bytes: 74, First: 1, FirstTime: first, Last: 5, LastTime: first + 4, Deleted: deleted}}, LastBlock: 1,
	}
	file := index.Append(nil, "ORDERS")

	read, err := streamstate.DecodeIndex("ORDERS", file)
	if err == nil {
		err = read.Check()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range read.Blocks {
		fmt.Printf("block %d: %d messages, 3 is live: %v\n", b.ID, b.Messages(), b.Live(3))
		for first, last := range b.Deleted.Ranges() {
			fmt.Printf("deleted: %d to %d\n", first, last)
		}
	}
	_, err = streamstate.DecodeIndex("OTHER", file)
	fmt.Println(err != nil)
	// Output:
	// block 1: 2 messages, 3 is live: false
	// deleted: 2 to 4
	// true
}

// ExampleDecodeTTLs reads when messages expire; DecodeSchedules does the same for schedules.
func ExampleDecodeTTLs() {
	file := (&streamstate.TTLs{Next: 8, Entries: []streamstate.TTL{{At: time.Unix(1700000010, 0).UnixNano(), Sequence: 7}}}).Append(nil)
	ttls, err := streamstate.DecodeTTLs(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ttl := range ttls.Entries {
		fmt.Println(ttl.Sequence, time.Unix(0, ttl.At).UTC().Format(time.TimeOnly))
	}

	schedules := streamstate.Schedules{Next: 10, Entries: []streamstate.Schedule{{Subject: "reports.daily", At: time.Unix(1700000020, 0).UnixNano(), Sequence: 9}}}
	read, err := streamstate.DecodeSchedules(schedules.Append(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Entries[0].Sequence, read.Entries[0].Subject)
	// Output:
	// 7 22:13:30
	// 9 reports.daily
}
