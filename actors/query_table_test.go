package actors_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fixtures are the streams of the table, by name.
var fixtures = map[string]*fixture{
	"brand-new": {},
	"emptied": {events: []event{
		gone("a"), gone("b"), gone("a"), gone(""), gone("a"), gone("c"), gone("a"), gone("a"), gone("a"), gone("a"),
	}},
	"one message": {events: []event{msg("a.b")}},
	"skips alone": {events: []event{skipped(5)}},
	"starts high": {events: []event{skipped(999_999), msg("a"), msg("b")}},
	// What nats-server was seen to answer with: 3 and 5 of 5 removed.
	"five": {events: []event{msg("foo"), msg("foo"), gone("foo"), msg("foo"), gone("foo")}},
	// 2 and 7 of 9 are live; with a record a block, most blocks hold no live message.
	"two of nine": {events: []event{
		gone("a"), msg("a"), gone("a"), gone("a"), gone("b"), gone("a"), msg("b"), gone("a"), gone("b"),
	}},
	"subjects": {events: []event{
		msg("orders.eu.1"),        // 1
		msg("orders.us.1"),        // 2
		msg(""),                   // 3
		msg("orders.eu.2"),        // 4
		gone("orders.eu.1"),       // 5
		msg("orders"),             // 6
		msg("orders.eu"),          // 7
		msg("orders.eu.1"),        // 8
		msg(""),                   // 9
		msg("orders.us.1.x"),      // 10
		msg("orders.*.1"),         // 11, a subject that looks like a pattern
		gone("orders.us.1"),       // 12
		gone(""),                  // 13
		msg("stock.eu.1"),         // 14
		msg("orders.eu.2"),        // 15
		gone("only.here.deleted"), // 16
	}},
	"one subject and none": {events: []event{msg(""), msg("a"), msg("")}},
	"no subjects":          {events: []event{msg(""), msg(""), gone("")}},
	"gap":                  {events: []event{msg("a"), skipped(1_000_000), msg("b"), skipped(2_000_000), msg("a"), skipped(5)}},
	"last at ten": {events: []event{
		msg("a"), msg("b"), msg("a"), msg("c"), msg("a"), msg("b"), msg("a"), msg("b"), msg("a"), msg("a"),
		msg("b"), msg("b"), msg("b"), msg("b"), msg("b"),
	}},
	"same times": {events: []event{
		msgAt("a", 10), msgAt("b", 10), msgAt("a", 20), gone("b"), msgAt("a", 20), msgAt("b", 20), msgAt("a", 30),
	}},
	// Long runs of skips carry the time of the message before.
	"skips carry time": {events: []event{msgAt("a", 100), skipped(50), msgAt("a", 200), skipped(50), msgAt("a", 300), skipped(50)}},
	"out and back": {events: []event{
		msg("rare"), msg("x.1"), msg("x.2"), msg("x.1"), msg("x.2"), msg("x.1"), msg("x.2"), msg("x.1"), msg("rare"),
		msg("x.2"), msg("x.1"), msg("x.2"),
	}},
	"ends removed": {events: []event{gone("s"), msg("o"), msg("s"), gone("s"), msg("s"), msg("o"), gone("s"), msg("o")}},
	"MaxMsgs 4": {maxMsgs: 4, events: []event{
		msg("a"), msg("b"), msg("a"), msg("d"), msg("b"), skipped(2), msg("c"), msg("a"), msg("a"),
	}},
	"tokens": {events: []event{
		msg("a"), msg("a."), msg(".a"), msg("a..b"), msg("a.b"), msg("a-b"), msg("a.b.c"), msg("ab"), msg("*"), msg(">"), msg("a.>"),
	}},
}

// rows are the cases. want is the short form of the answer.
type row struct {
	name string
	ask  question
	want string
}

// tablePart is rows by the fixtures that they are for.
type tablePart struct {
	name string
	rows map[string][]row
}

func tableParts() []tablePart {
	return []tablePart{
		{"one", rowsOfOne()}, {"next and previous", rowsOfNextAndPrevious()}, {"counts", rowsOfCounts()},
		{"subjects", rowsBySubject()}, {"time", rowsByTime()}, {"scan", rowsOfScans()},
	}
}

// TestQueryTable checks the rows, and the naive model with them, against every
// fixture in every shape.
func TestQueryTable(t *testing.T) {
	parts := tableParts()
	for _, part := range parts {
		for name := range part.rows {
			require.Contains(t, fixtures, name)
		}
	}
	for name, f := range fixtures {
		for _, shape := range shapes {
			t.Run(name+"/"+shape.name, func(t *testing.T) {
				s, n := shape.open(t, f)
				checkEverything(t, s, n)
				for _, part := range parts {
					for _, r := range part.rows[name] {
						t.Run(part.name+"/"+r.name, func(t *testing.T) {
							require.Equal(t, r.want, r.ask.want(n).String(), "the model's own answer to %s", r.ask.text)
							require.Equal(t, r.want, r.ask.got(t.Context(), s).String(), "%s", r.ask.text)
							r.ask.check(t, s, n)
						})
					}
				}
			})
		}
	}
}

func rowsOfOne() map[string][]row {
	return map[string][]row{
		"brand-new": {
			{"0 of an unused store is the end", askLoad(0), "end"},
			{"1 of an unused store is the end", askLoad(1), "end"},
			{"into a buffer: the end", askLoadInto(0), "end"},
			{"the last of an unused store", askLast(none), "not found"},
			{"no subject for 0", askSubject(0), "not found"},
			{"no subject for 1", askSubject(1), "not found"},
			{"no first of a subject", askFirst("a"), "0"},
			{"far above the last", askLoad(math.MaxUint64), "end"},
		},
		"emptied": {
			{"0 of an emptied store is the end", askLoad(0), "end"},
			{"a removed one was there", askLoad(10), "not found"},
			{"the first was there", askLoad(1), "not found"},
			{"above the last is the end", askLoad(11), "end"},
			{"last without filter", askLast(none), "not found"},
			{"last of a subject", askLast(matching("a")), "not found"},
			{"first of a subject", askFirst("a"), "0"},
			{"into a buffer", askLoadInto(4), "not found"},
		},
		"one message": {
			{"0 is the first", askLoad(0), `1 "a.b"`},
			{"0 into a buffer is the first", askLoadInto(0), `1 "a.b"`},
			{"the only one", askLoad(1), `1 "a.b"`},
			{"last by pattern", askLast(matching("a.*")), `1 "a.b"`},
			{"last by a longer pattern", askLast(matching("a.*.*")), "not found"},
			{"the end", askLoad(2), "end"},
		},
		"skips alone": {
			{"0 is the end", askLoad(0), "end"},
			{"a skipped one", askLoad(5), "not found"},
			{"the end", askLoad(6), "end"},
			{"no last", askLast(none), "not found"},
		},
		"starts high": {
			{"0 is the first live one", askLoad(0), `1000000 "a"`},
			{"below the first", askLoad(999_999), "not found"},
			{"far below the first", askLoad(1), "not found"},
			{"first of a subject", askFirst("b"), "1000001"},
		},
		"five": {
			{"a live one", askLoad(2), `2 "foo"`},
			{"a removed one in the middle", askLoad(3), "not found"},
			{"a removed one at the end is inside", askLoad(5), "not found"},
			{"above the last", askLoad(6), "end"},
			{"into a buffer", askLoadInto(4), `4 "foo"`},
			{"into a buffer, removed", askLoadInto(5), "not found"},
			{"into a buffer, above the last", askLoadInto(6), "end"},
			{"defect 8: last without filter is the newest live one", askLast(none), `4 "foo"`},
			{"defect 8: last of the empty filter is the newest live one", askLast(matching("")), `4 "foo"`},
			{"defect 8: last of > is the newest live one", askLast(matching(">")), `4 "foo"`},
			{"last by name is the newest live one", askLast(matching("foo")), `4 "foo"`},
			{"last by * is the newest live one", askLast(matching("*")), `4 "foo"`},
			{"subject of a live one", askSubject(4), "foo"},
			{"subject of a removed one", askSubject(3), "not found"},
			{"subject of the removed last one", askSubject(5), "not found"},
			{"subject above the last", askSubject(6), "not found"},
			{"subject of 0", askSubject(0), "not found"},
		},
		"subjects": {
			{"message without a subject", askLoad(3), `3 ""`},
			{"subject of one without is empty and found", askSubject(3), ""},
			{"subject that looks like a pattern", askSubject(11), "orders.*.1"},
			{"last of everything", askLast(none), `15 "orders.eu.2"`},
			{"last of a literal", askLast(matching("orders.eu.1")), `8 "orders.eu.1"`},
			{"last of a literal whose newest is removed", askLast(matching("orders.us.1")), `2 "orders.us.1"`},
			{"last of a pattern compares all subjects", askLast(matching("orders.*.1")), `11 "orders.*.1"`},
			{"last of a subject that looks like a pattern", askLast(exactly("orders.*.1")), `11 "orders.*.1"`},
			{"last of a prefix", askLast(matching("orders.>")), `15 "orders.eu.2"`},
			{"a prefix is not its own match", askLast(matching("orders.eu.1.>")), "not found"},
			{"last of a subject all of whose messages went", askLast(matching("only.here.deleted")), "not found"},
			{"last of no subject at all", askLast(nothing), "not found"},
			{"last of several filters", askLast(append(matching("orders.us.*"), exactly("orders")...)), `6 "orders"`},
			{"first of a subject", askFirst("orders.eu.1"), "1"},
			{"first of a subject that looks like a pattern", askFirst("orders.*.1"), "11"},
			{"first of a subject whose messages went", askFirst("only.here.deleted"), "0"},
			{"first of a subject that never was", askFirst("absent"), "0"},
			{"first of a pattern compares for equality", askFirst("orders.>"), "0"},
		},
		"no subjects": {
			{"last without filter", askLast(none), `2 ""`},
			{"last of the empty filter", askLast(matching("")), `2 ""`},
			{"last of *", askLast(matching("*")), "not found"},
			{"last of *.>", askLast(matching("*.>")), "not found"},
			{"subject is empty", askSubject(1), ""},
		},
		"ends removed": {
			{"first of a subject whose first went", askFirst("s"), "3"},
			{"last of a subject whose last went", askLast(matching("s")), `5 "s"`},
		},
		"MaxMsgs 4": {
			{"0 is the first that is left", askLoad(0), `5 "b"`},
			{"evicted", askLoad(3), "not found"},
			{"subject of an evicted one", askSubject(4), "not found"},
			{"first of a subject whose first was evicted", askFirst("a"), "9"},
			{"first of a subject that was evicted", askFirst("d"), "0"},
		},
	}
}

func rowsOfNextAndPrevious() map[string][]row {
	return map[string][]row{
		"brand-new": {
			{"next from 0", askNext(0, none), "end, skip 0"},
			{"next from 1", askNext(1, none), "end, skip 0"},
			{"next from far above", askNext(math.MaxUint64, matching("a")), "end, skip 0"},
			{"previous from 0", askPrev(0, none), "end, skip 0"},
			{"previous from 9", askPrev(9, none), "end, skip 0"},
		},
		"emptied": {
			{"next: the last sequence comes with the end", askNext(0, none), "end, skip 10"},
			{"next of a subject", askNext(3, matching("a")), "end, skip 10"},
			{"next from above the last", askNext(11, none), "end, skip 10"},
			{"previous: the first sequence comes with the end", askPrev(10, none), "end, skip 11"},
			{"previous from above the last", askPrev(99, matching("a")), "end, skip 11"},
		},
		"starts high": {
			{"start below the first begins at the first", askNext(1, none), `1000000 "a", skip 1000000`},
			{"previous below the first", askPrev(999_999, none), "end, skip 1000000"},
			{"previous from 0", askPrev(0, none), "end, skip 1000000"},
		},
		"five": {
			{"next is the start if that is live", askNext(2, none), `2 "foo", skip 2`},
			{"next passes over a removed one", askNext(3, none), `4 "foo", skip 4`},
			{"next at the removed last one", askNext(5, none), "end, skip 5"},
			{"next above the last", askNext(6, none), "end, skip 5"},
			{"next far above the last", askNext(math.MaxUint64, none), "end, skip 5"},
			{"next without a match", askNext(1, matching("bar")), "end, skip 5"},
			{"next of nothing", askNext(1, nothing), "end, skip 5"},
			{"previous passes over a removed one", askPrev(3, none), `2 "foo", skip 2`},
			{"previous from above the last", askPrev(math.MaxUint64, none), `4 "foo", skip 4`},
			{"previous from the removed last one", askPrev(5, none), `4 "foo", skip 4`},
			{"previous at the first", askPrev(1, none), `1 "foo", skip 1`},
			{"previous below the first", askPrev(0, none), "end, skip 1"},
			{"previous without a match", askPrev(5, matching("bar")), "end, skip 1"},
			{"previous of nothing", askPrev(5, nothing), "end, skip 1"},
		},
		"subjects": {
			{"next of a literal", askNext(2, matching("orders.eu.1")), `8 "orders.eu.1", skip 8`},
			{"next of a pattern", askNext(3, matching("orders.*.1")), `8 "orders.eu.1", skip 8`},
			{"Literal compares for equality", askNext(1, exactly("orders.*.1")), `11 "orders.*.1", skip 11`},
			{"next of a prefix without a token behind it", askNext(7, matching("orders.eu.>")), `8 "orders.eu.1", skip 8`},
			{"next of the empty filter finds one without a subject", askNext(3, matching("")), `3 "", skip 3`},
			{"next of > finds one without a subject", askNext(3, matching(">")), `3 "", skip 3`},
			{"next of * finds none without a subject", askNext(3, matching("*")), `6 "orders", skip 6`},
			{"next of *.> finds none without a subject", askNext(9, matching("*.>")), `10 "orders.us.1.x", skip 10`},
			{"next of several: the nearest of any", askNext(5, matching("stock.>", "orders.us.>", "orders")), `6 "orders", skip 6`},
			{"next of overlapping filters", askNext(7, matching("orders.eu.*", "orders.>", "orders.eu.1")), `7 "orders.eu", skip 7`},
			{"next of several arguments", askNext(9, append(exactly("stock.eu.1"), matching("*.us.>")...)), `10 "orders.us.1.x", skip 10`},
			{"next behind the last match", askNext(16, matching("orders.>")), "end, skip 16"},
			{"next of a subject that was removed", askNext(1, matching("only.here.deleted")), "end, skip 16"},
			{"previous of a literal", askPrev(7, matching("orders.eu.1")), `1 "orders.eu.1", skip 1`},
			{"previous of a literal over a removed one", askPrev(13, matching("orders.us.1")), `2 "orders.us.1", skip 2`},
			{"previous of a pattern", askPrev(16, matching("orders.*.1")), `11 "orders.*.1", skip 11`},
			{"previous of several", askPrev(14, matching("orders.us.>", "stock.*.*")), `14 "stock.eu.1", skip 14`},
			{"previous without a subject", askPrev(5, matching(">")), `4 "orders.eu.2", skip 4`},
			{"previous that has none", askPrev(3, matching("")), `3 "", skip 3`},
			{"previous below the first match", askPrev(13, matching("stock.>")), "end, skip 1"},
		},
		"gap": {
			{"next over a gap", askNext(2, none), `1000002 "b", skip 1000002`},
			{"next within a gap", askNext(500_000, matching("a")), `3000003 "a", skip 3000003`},
			{"next in the trailing gap", askNext(3_000_004, none), "end, skip 3000008"},
			{"previous over a gap", askPrev(3_000_002, none), `1000002 "b", skip 1000002`},
			{"previous over two gaps", askPrev(3_000_002, matching("a")), `1 "a", skip 1`},
			{"previous from the trailing gap", askPrev(3_000_008, matching("b")), `1000002 "b", skip 1000002`},
		},
		"out and back": {
			{"next of a subject that other blocks do not have", askNext(2, matching("rare")), `9 "rare", skip 9`},
			{"next after the last match", askNext(10, matching("rare")), "end, skip 12"},
			{"previous of one", askPrev(8, matching("rare")), `1 "rare", skip 1`},
		},
		"two of nine": {
			{"next over blocks without a message", askNext(3, none), `7 "b", skip 7`},
			{"previous over blocks without a message", askPrev(6, none), `2 "a", skip 2`},
			{"next at the end", askNext(8, none), "end, skip 9"},
			{"previous at the head", askPrev(1, none), "end, skip 2"},
		},
		"MaxMsgs 4": {
			{"start below the evicted", askNext(1, none), `5 "b", skip 5`},
			{"next of a subject that was evicted", askNext(1, matching("d")), "end, skip 10"},
			{"previous below the evicted", askPrev(4, none), "end, skip 5"},
		},
		"tokens": {
			{"* is one token, an empty one too", askNext(2, matching("a.*")), `2 "a.", skip 2`},
			{"an empty token in front", askNext(1, matching("*.a")), `3 ".a", skip 3`},
			{"an empty token inside", askNext(1, matching("a.*.b")), `4 "a..b", skip 4`},
			{"> is one token or more", askNext(6, matching("a.>")), `7 "a.b.c", skip 7`},
			{"* inside a token is no wildcard", askNext(1, matching("a*")), "end, skip 11"},
			{"a subject * is matched by Literal", askNext(1, exactly("*")), `9 "*", skip 9`},
			{"a subject > is matched by Literal", askNext(1, exactly(">")), `10 ">", skip 10`},
			{"a subject a.> is matched by Literal alone", askNext(1, exactly("a.>")), `11 "a.>", skip 11`},
		},
	}
}

func rowsOfCounts() map[string][]row {
	return map[string][]row{
		"brand-new": {
			{"filtered state from 0", askFiltered(0, none), "{0 0 0}"},
			{"filtered state from 1", askFiltered(1, matching("a")), "{0 0 0}"},
			{"pending", askPending(0, none), "0 through 0"},
			{"pending from 1", askPending(1, matching("a")), "0 through 0"},
			{"last per subject", askPendingLast(0, none), "0 through 0"},
			{"defect 18: no deleted sequence", askState(), "0 deleted: []"},
			{"state", askFastState(), "0 messages, first 0, last 0, 0 deleted, 0 subjects"},
		},
		"emptied": {
			{"filtered state of an emptied store has its ends", askFiltered(1, none), "{0 11 10}"},
			{"filtered state of a subject that went", askFiltered(1, matching("a")), "{0 11 10}"},
			{"filtered state beyond the end", askFiltered(11, matching("never")), "{0 11 10}"},
			{"pending: through the last sequence", askPending(1, none), "0 through 10"},
			{"pending from above the last", askPending(99, none), "0 through 10"},
			{"last per subject", askPendingLast(1, matching("a")), "0 through 10"},
			{"nothing between first and last is deleted", askState(), "0 deleted: []"},
			{"state", askFastState(), "0 messages, first 11, last 10, 0 deleted, 0 subjects"},
		},
		"starts high": {
			{"pending from below the first", askPending(5, none), "2 through 1000001"},
			{"filtered state from below the first", askFiltered(5, matching("b")), "{1 1000001 1000001}"},
			{"what was skipped in front is not deleted", askState(), "0 deleted: []"},
		},
		"five": {
			{"filtered state, whole stream: the last live one", askFiltered(1, none), "{3 1 4}"},
			{"filtered state of the empty filter", askFiltered(1, matching("")), "{3 1 4}"},
			{"filtered state of >", askFiltered(0, matching(">")), "{3 1 4}"},
			{"filtered state of a literal", askFiltered(1, matching("foo")), "{3 1 4}"},
			{"filtered state from the second", askFiltered(2, none), "{2 2 4}"},
			{"filtered state from a removed one", askFiltered(3, none), "{1 4 4}"},
			{"filtered state from the removed last one", askFiltered(5, none), "{0 0 0}"},
			{"filtered state without a match", askFiltered(1, matching("bar")), "{0 0 0}"},
			{"filtered state of nothing", askFiltered(1, nothing), "{0 0 0}"},
			{"filtered state above the last", askFiltered(6, none), "{0 1 5}"},
			{"filtered state above the last, absent subject", askFiltered(6, matching("bar")), "{0 1 5}"},
			{"filtered state far above the last", askFiltered(math.MaxUint64, none), "{0 1 5}"},
			{"pending", askPending(1, none), "3 through 5"},
			{"pending from a removed one", askPending(3, matching("foo")), "1 through 5"},
			{"pending from the removed last one", askPending(5, none), "0 through 5"},
			{"pending above the last", askPending(6, none), "0 through 5"},
			{"pending far above the last", askPending(math.MaxUint64, matching("foo")), "0 through 5"},
			{"pending without a match", askPending(1, matching("bar")), "0 through 5"},
			{"pending of nothing", askPending(1, nothing), "0 through 5"},
			{"last per subject", askPendingLast(1, none), "1 through 5"},
			{"last per subject at the last live one", askPendingLast(4, matching("foo")), "1 through 5"},
			{"last per subject behind it", askPendingLast(5, matching("foo")), "0 through 5"},
			{"state", askFastState(), "3 messages, first 1, last 5, 2 deleted, 1 subjects"},
			{"trailing deletes are deleted", askState(), "2 deleted: [{3 3} {5 5}]"},
		},
		"subjects": {
			{"pending of everything counts those without a subject", askPending(0, none), "12 through 16"},
			{"defect 16: no filter is everything, also after deletes", askPending(3, none), "10 through 16"},
			{"defect 16: no filter is everything, last per subject", askPendingLast(3, none), "7 through 16"},
			{"pending of *.>", askPending(0, matching("*.>")), "9 through 16"},
			{"pending of *", askPending(0, matching("*")), "1 through 16"},
			{"pending of a pattern", askPending(2, matching("orders.*.1")), "3 through 16"},
			{"pending of a literal", askPending(2, matching("orders.eu.2")), "2 through 16"},
			{"pending of a literal that looks like a pattern", askPending(2, exactly("orders.*.1")), "1 through 16"},
			{"overlapping filters count once", askPending(0, matching("orders.>", "orders.*.1", "orders.eu.1", "*.eu.>")), "9 through 16"},
			{"overlapping arguments count once", askPending(0, append(matching("orders.>"), exactly("orders.eu.1")...)), "8 through 16"},
			{"several that do not overlap", askPending(0, matching("stock.>", "orders")), "2 through 16"},
			{"filtered state of overlapping filters", askFiltered(2, matching("orders.>", "*.*.2")), "{7 2 15}"},
			{"filtered state of several", askFiltered(0, matching("orders", "stock.>")), "{2 6 14}"},
			{"filtered state of those without a subject too", askFiltered(3, matching("")), "{10 3 15}"},
			{"last per subject of a pattern", askPendingLast(3, matching("orders.*.1")), "2 through 16"},
			{"last per subject of overlapping filters", askPendingLast(0, matching("orders.>", "*.*.1", "orders.us.1")), "7 through 16"},
			{"last per subject of nothing", askPendingLast(0, nothing), "0 through 16"},
			{"state", askFastState(), "12 messages, first 1, last 16, 4 deleted, 8 subjects"},
			{"deleted", askState(), "4 deleted: [{5 5} {12 13} {16 16}]"},
		},
		"one subject and none": {
			{"defect 17: the only subject is not everything", askPending(1, matching("a")), "1 through 3"},
			{"defect 17: as a literal", askPending(1, exactly("a")), "1 through 3"},
			{"defect 17: as a pattern", askPending(1, matching("*")), "1 through 3"},
			{"defect 17: filtered state", askFiltered(1, matching("a")), "{1 2 2}"},
			{"everything", askPending(1, none), "3 through 3"},
			{"> is everything", askPending(1, matching(">")), "3 through 3"},
			{"last per subject: one has none", askPendingLast(1, none), "1 through 3"},
			{"last per subject, from above it", askPendingLast(3, none), "0 through 3"},
			{"state", askFastState(), "3 messages, first 1, last 3, 0 deleted, 1 subjects"},
		},
		"no subjects": {
			{"pending of everything", askPending(1, none), "2 through 3"},
			{"pending of *", askPending(1, matching("*")), "0 through 3"},
			{"filtered state of everything", askFiltered(1, none), "{2 1 2}"},
			{"filtered state of *.>", askFiltered(1, matching("*.>")), "{0 0 0}"},
			{"last per subject", askPendingLast(1, none), "0 through 3"},
			{"state", askFastState(), "2 messages, first 1, last 3, 1 deleted, 0 subjects"},
		},
		"last at ten": {
			{"last per subject counts only the last one", askPendingLast(13, matching("a")), "0 through 15"},
			{"last per subject at the last one", askPendingLast(10, matching("a")), "1 through 15"},
			{"last per subject of all", askPendingLast(5, none), "2 through 15"},
			{"last per subject from the end", askPendingLast(15, none), "1 through 15"},
			{"last per subject above the end", askPendingLast(16, none), "0 through 15"},
			{"pending counts all", askPending(9, matching("a")), "2 through 15"},
		},
		"gap": {
			{"pending over gaps", askPending(2, none), "2 through 3000008"},
			{"filtered state over gaps", askFiltered(2, matching("a")), "{1 3000003 3000003}"},
			{"state", askState(), "3000005 deleted: [{2 1000001} {1000003 3000002} {3000004 3000008}]"},
		},
		"MaxMsgs 4": {
			{"pending from below the evicted", askPending(1, none), "4 through 10"},
			{"pending of a subject partly evicted", askPending(1, matching("a")), "2 through 10"},
			{"filtered state of a subject that was evicted", askFiltered(1, matching("d")), "{0 0 0}"},
			{"state", askState(), "2 deleted: [{6 7}]"},
		},
		"ends removed": {
			{"filtered state of a subject with both ends removed", askFiltered(0, matching("s")), "{2 3 5}"},
			{"from between them", askFiltered(4, matching("s")), "{1 5 5}"},
		},
		"two of nine": {
			{"filtered state", askFiltered(1, matching("*")), "{2 2 7}"},
			{"pending from the middle", askPending(3, none), "1 through 9"},
		},
	}
}

func rowsBySubject() map[string][]row {
	return map[string][]row{
		"brand-new": {
			{"subjects", askSubjects(none), "nil"},
			{"subjects of a pattern", askSubjects(matching("a.*")), "nil"},
			{"totals", askTotals(none), "nil"},
			{"totals of a literal", askTotals(matching("a")), "nil"},
			{"all last sequences", askAllLast(), "nil"},
			{"last sequences", askMulti([]string{">"}, 0, 0), "nil"},
			{"last messages", askMultiMsgs([]string{">"}, 0, 0), "[]"},
		},
		"emptied": {
			{"subjects", askSubjects(none), "nil"},
			{"totals", askTotals(matching("a")), "nil"},
			{"all last sequences", askAllLast(), "nil"},
			{"last sequences", askMulti([]string{"a", ">"}, 0, 0), "nil"},
		},
		"no subjects": {
			{"subjects when none is tracked", askSubjects(none), "nil"},
			{"subjects of >", askSubjects(matching(">")), "nil"},
			{"totals when none is tracked", askTotals(matching("*")), "nil"},
			{"all last sequences", askAllLast(), "nil"},
			{"last sequences of >", askMulti([]string{">"}, 0, 0), "nil"},
		},
		"five": {
			{"subjects: exact ends", askSubjects(none), "{foo{3 1 4} }"},
			{"subjects of the empty filter", askSubjects(matching("")), "{foo{3 1 4} }"},
			{"subjects of a literal", askSubjects(matching("foo")), "{foo{3 1 4} }"},
			{"subjects of a literal without a match", askSubjects(matching("bar")), "nil"},
			{"subjects of a pattern without a match", askSubjects(matching("bar.*")), "{}"},
			{"subjects of > below a subject", askSubjects(matching("foo.>")), "{}"},
			{"totals", askTotals(none), "map[foo:3]"},
			{"totals of a literal without a match", askTotals(matching("bar")), "map[]"},
			{"totals of a pattern without a match", askTotals(matching("bar.*")), "map[]"},
			{"all last sequences: live ones", askAllLast(), "[4]"},
			{"last sequences: live ones", askMulti([]string{"foo"}, 5, 0), "[4]"},
		},
		"subjects": {
			{
				"subjects of a pattern", askSubjects(matching("orders.*.*")),
				"{orders.*.1{1 11 11} orders.eu.1{2 1 8} orders.eu.2{2 4 15} orders.us.1{1 2 2} }",
			},
			{"subjects of Literal", askSubjects(exactly("orders.*.1")), "{orders.*.1{1 11 11} }"},
			{"subjects of several", askSubjects(matching("stock.>", "orders", "orders")), "{orders{1 6 6} stock.eu.1{1 14 14} }"},
			{"subjects: one that went is not there", askSubjects(matching("only.>")), "{}"},
			{"totals of a prefix", askTotals(matching("orders.eu.>")), "map[orders.eu.1:2 orders.eu.2:2]"},
			{"totals of overlapping filters", askTotals(matching("*.eu.1", "stock.*.*", "stock.eu.1")), "map[orders.eu.1:2 stock.eu.1:1]"},
			{"totals of Literal", askTotals(exactly("orders.*.1")), "map[orders.*.1:1]"},
			{"all last sequences", askAllLast(), "[2 6 7 8 10 11 14 15]"},
			{"last sequences of all", askMulti([]string{">"}, 0, 0), "[2 6 7 8 10 11 14 15]"},
			{"last sequences: no patterns", askMulti(nil, 0, 0), "nil"},
			{"last sequences: an empty list", askMulti([]string{}, 0, 0), "nil"},
			{"last sequences: the empty pattern matches nothing", askMulti([]string{""}, 0, 0), "nil"},
			{"last sequences: the empty pattern beside another", askMulti([]string{"", "orders"}, 0, 0), "[6]"},
			{"last sequences: overlapping patterns", askMulti([]string{"orders.>", "orders.eu.1", "*.eu.1"}, 0, 0), "[2 7 8 10 11 14 15]"},
			{"last sequences up to one", askMulti([]string{"orders.eu.*"}, 8, 0), "[4 8]"},
			{"last sequences below a later message", askMulti([]string{"orders.eu.*"}, 7, 0), "[1 4]"},
			{"last sequences at a removed one", askMulti([]string{"orders.eu.*"}, 5, 0), "[1 4]"},
			{"subjects that begin above contribute nothing", askMulti([]string{"stock.>", "orders"}, 13, 0), "[6]"},
			{"only subjects that begin above", askMulti([]string{"stock.>"}, 13, 0), "nil"},
			{"defect 15: a bound above the last is none", askMulti([]string{"orders.eu.*"}, 17, 0), "[8 15]"},
			{"defect 15: far above the last", askMulti([]string{"orders.eu.*"}, math.MaxUint64, 0), "[8 15]"},
			{"a bound at the last", askMulti([]string{"orders.eu.*"}, 16, 0), "[8 15]"},
			{"exactly as many as allowed", askMulti([]string{"orders.eu.*"}, 0, 2), "[8 15]"},
			{"one more than allowed", askMulti([]string{"orders.eu.*"}, 0, 1), "too many"},
			{"all, one more than allowed", askMulti([]string{">"}, 0, 7), "too many"},
			{"the bound decides how many there are", askMulti([]string{"orders.eu.*"}, 3, 1), "[1]"},
			{"a negative number is no bound", askMulti([]string{">"}, 0, -1), "[2 6 7 8 10 11 14 15]"},
			{"no match", askMulti([]string{"absent", "no.*"}, 0, 1), "nil"},
			{"last messages ascending", askMultiMsgs([]string{"orders.eu.*", "orders"}, 0, 0), "[6 8 15]"},
			{"last messages up to one", askMultiMsgs([]string{"orders.eu.*"}, 7, 2), "[1 4]"},
			{"last messages: too many", askMultiMsgs([]string{">"}, 0, 3), "too many"},
			{"last messages: none", askMultiMsgs(nil, 0, 3), "[]"},
			{"last messages that may end early", askMultiMsgs([]string{"absent"}, 0, 3), "[]"},
		},
		"starts high": {
			{"a bound below the first", askMulti([]string{">"}, 999_999, 0), "nil"},
			{"a bound of 1", askMulti([]string{">"}, 1, 0), "nil"},
			{"a bound at the first", askMulti([]string{">"}, 1_000_000, 0), "[1000000]"},
		},
		"ends removed": {
			{"subjects with both ends removed", askSubjects(none), "{o{3 2 8} s{2 3 5} }"},
			{"last sequences", askAllLast(), "[5 8]"},
		},
		"MaxMsgs 4": {
			{"subjects after eviction", askSubjects(none), "{a{2 9 10} b{1 5 5} c{1 8 8} }"},
			{"last sequences after eviction", askMulti([]string{">"}, 8, 0), "[5 8]"},
		},
		"out and back": {
			{"subjects over blocks", askSubjects(matching("*")), "{rare{2 1 9} }"},
			{"last sequences over blocks", askMulti([]string{"rare", "x.*"}, 8, 0), "[1 7 8]"},
		},
	}
}

func rowsByTime() map[string][]row {
	early, late := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := map[string][]row{
		"brand-new": {
			{"an unused store begins at 1", askTime(second(1)), "1"},
		},
		"emptied": {
			{"none: behind the last sequence", askTime(second(1)), "11"},
		},
		"five": {
			{"before the first", askTime(second(-5)), "1"},
			{"the very time", askTime(second(2)), "2"},
			{"a nanosecond before", askTime(second(2).Add(-1)), "2"},
			{"a nanosecond later: over the removed one", askTime(second(2).Add(1)), "4"},
			{"the time of a removed one", askTime(second(3)), "4"},
			{"the last live one", askTime(second(4)), "4"},
			{"behind the last live one", askTime(second(4).Add(1)), "6"},
			{"the time of the removed last one", askTime(second(5)), "6"},
		},
		"two of nine": {
			{"defect 14: blocks without a message, time zero", askTime(time.Time{}), "2"},
			{"defect 14: the epoch", askTime(time.Unix(0, 0)), "2"},
			{"defect 14: before the first", askTime(second(0)), "2"},
			{"between the two", askTime(second(3)), "7"},
			{"at the second", askTime(second(7)), "7"},
			{"behind the second", askTime(second(8)), "10"},
		},
		"same times": {
			{"the first of several with one time", askTime(second(10)), "1"},
			{"the first of several behind a gap", askTime(second(20)), "3"},
			{"between", askTime(second(11)), "3"},
			{"the last", askTime(second(21)), "7"},
			{"none", askTime(second(31)), "8"},
		},
		"skips carry time": {
			{"at the first", askTime(second(100)), "1"},
			{"within a run of skips", askTime(second(150)), "52"},
			{"at the second", askTime(second(200)), "52"},
			{"behind the second", askTime(second(201)), "103"},
			{"behind the last, with skips behind it", askTime(second(301)), "154"},
		},
		"starts high": {
			{"before the first", askTime(second(1)), "1000000"},
		},
		"MaxMsgs 4": {
			{"the time of an evicted one", askTime(second(2)), "5"},
		},
	}
	for name, list := range rows {
		f, empty := fixtures[name], fmt.Sprint(1)
		n := (&fixture{events: f.events}).writes(0)
		if len(n) > 0 {
			empty = fmt.Sprint(n[len(n)-1].sequence + 1)
		}
		rows[name] = append(list, row{"far in the future", askTime(late), empty})
		if name == "five" {
			rows[name] = append(rows[name], row{"far in the past", askTime(early), "1"})
		}
	}
	return rows
}

func rowsOfScans() map[string][]row {
	return map[string][]row{
		"brand-new": {
			{"nothing", askScan(0, false, none), "[]"},
			{"nothing in reverse", askScan(0, true, none), "[]"},
			{"nothing from 5", askScan(5, false, matching("a")), "[]"},
			{"nothing from 5 in reverse", askScan(5, true, matching("a")), "[]"},
		},
		"emptied": {
			{"nothing", askScan(0, false, matching(">")), "[]"},
			{"nothing in reverse", askScan(0, true, matching("a")), "[]"},
		},
		"five": {
			{"all", askScan(0, false, none), "[1 2 4]"},
			{"all in reverse", askScan(0, true, none), "[4 2 1]"},
			{"from a removed one", askScan(3, false, none), "[4]"},
			{"from a removed one in reverse", askScan(3, true, none), "[2 1]"},
			{"from the removed last one", askScan(5, false, none), "[]"},
			{"from the removed last one in reverse", askScan(5, true, none), "[4 2 1]"},
			{"from above the last", askScan(6, false, none), "[]"},
			{"from far above the last", askScan(math.MaxUint64, false, matching("foo")), "[]"},
			{"from above the last in reverse", askScan(6, true, none), "[4 2 1]"},
			{"from far above the last in reverse", askScan(math.MaxUint64, true, matching("foo")), "[4 2 1]"},
			{"from the first in reverse", askScan(1, true, none), "[1]"},
			{"from a time", askSince(second(2), 0, false, none), "[2 4]"},
			{"from the time of a removed one", askSince(second(3), 0, false, none), "[4]"},
			{"from a time and a later sequence", askSince(second(2), 3, false, none), "[4]"},
			{"from a time and an earlier sequence", askSince(second(2), 1, false, none), "[2 4]"},
			{"from a time, in reverse: down to it", askSince(second(2), 0, true, none), "[4 2]"},
			{"from a time, in reverse from a sequence", askSince(second(2), 3, true, matching("foo")), "[2]"},
			{"from a time behind the last", askSince(second(5), 0, false, none), "[]"},
			{"from a time behind the last, in reverse", askSince(second(5), 0, true, none), "[]"},
			{"from a time before the first", askSince(time.Time{}, 0, false, matching("foo")), "[1 2 4]"},
			{"nothing selected", askScan(0, false, nothing), "[]"},
			{"nothing selected in reverse", askScan(0, true, nothing), "[]"},
		},
		"subjects": {
			{"of a literal", askScan(0, false, matching("orders.eu.1")), "[1 8]"},
			{"of a literal in reverse", askScan(0, true, matching("orders.eu.1")), "[8 1]"},
			{"of a pattern", askScan(0, false, matching("orders.*.1")), "[1 2 8 11]"},
			{"of a pattern from one", askScan(2, false, matching("orders.*.1")), "[2 8 11]"},
			{"of a pattern in reverse from one", askScan(10, true, matching("orders.*.1")), "[8 2 1]"},
			{"of Literal", askScan(0, false, exactly("orders.*.1")), "[11]"},
			{"of > with those without a subject", askScan(2, false, matching(">")), "[2 3 4 6 7 8 9 10 11 14 15]"},
			{"of *.>", askScan(2, false, matching("*.>")), "[2 4 7 8 10 11 14 15]"},
			{"of overlapping filters: each once", askScan(0, false, matching("orders.>", "orders.eu.1", "*.eu.>")), "[1 2 4 7 8 10 11 14 15]"},
			{"of several arguments", askScan(0, true, append(exactly("orders"), matching("stock.>")...)), "[14 6]"},
			{"of an absent subject", askScan(0, false, matching("absent")), "[]"},
		},
		"gap": {
			{"over gaps", askScan(2, false, none), "[1000002 3000003]"},
			{"over gaps in reverse", askScan(0, true, none), "[3000003 1000002 1]"},
			{"in a gap", askScan(3_000_004, false, none), "[]"},
		},
		"two of nine": {
			{"over blocks without a message", askScan(1, false, none), "[2 7]"},
			{"over blocks without a message, in reverse", askScan(9, true, none), "[7 2]"},
		},
		"out and back": {
			{"over blocks without the subject", askScan(0, false, matching("rare")), "[1 9]"},
			{"over blocks without the subject, in reverse", askScan(0, true, matching("rare")), "[9 1]"},
		},
		"MaxMsgs 4": {
			{"what is left", askScan(1, false, none), "[5 8 9 10]"},
			{"what is left, in reverse", askScan(0, true, none), "[10 9 8 5]"},
		},
		"tokens": {
			{"of a.*", askScan(0, false, matching("a.*")), "[2 5 11]"},
			{"of a.>", askScan(0, false, matching("a.>")), "[2 4 5 7 11]"},
			{"of *", askScan(0, false, matching("*")), "[1 6 8 9 10]"},
		},
	}
}
