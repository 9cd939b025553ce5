package main

import "strings"

// headerBlocks are header blocks and a name that is looked for: see FuzzBlock.
func headerBlocks() []seed {
	var list []seed
	for _, row := range [][3]string{
		{"ttl", "NATS/1.0\r\nA: b\r\nNats-TTL: 1h\r\n\r\n", "Nats-TTL"},
		{"schedule", "NATS/1.0\r\nNats-Schedule: @every 5s\r\nNats-Schedule-Target: t\r\nA: b\r\n\r\n", "A"},
		{"produced", "NATS/1.0\r\nNats-Scheduler: s\r\nNats-Schedule-Next: purge\r\n\r\n", "Nats-Scheduler"},
		{"a-name-twice", "NATS/1.0\r\nA: b\r\nA:c\r\n\r\n", "A"},
		{"name-within-a-value", "NATS/1.0\r\nB: \nA: b\r\n\r\n", "A"},
		{"behind-the-end", "NATS/1.0\r\n\r\nNats-Rollup: all\r\n\r\n", "Nats-Rollup"},
		{"cut", "NATS/1.0\r\nKV-Operation: PUR", "KV-Operation"},
		{"returns-without-line-feeds", "NATS/1.0\r\nA: b\r\r\r\n\r", "A"},
		{"no-version", "Nats-TTL: 1\r\n\r\n", "Nats-TTL"},
		{"many-lines", "NATS/1.0\r\n" + strings.Repeat("A\r\n:\r\n", 200) + "\r\n", ""},
	} {
		list = append(list, seed{row[0], []any{[]byte(row[1]), row[2]}})
	}
	return list
}

// headerValues are values of headers, and the time of a message: see FuzzValues.
func headerValues() []seed {
	var list []seed
	for _, row := range [][2]string{
		{"never", "NeVeR"}, {"seconds", "3600"}, {"zero", "0"}, {"duration", "1h30m0.5s"}, {"below-a-second", "999999999ns"},
		{"seconds-beyond-the-end", "9223372036854775808"}, {"duration-beyond-the-end", "2562048h"}, {"rollup", "SUB"},
		{"next", "2030-01-02T03:04:05.6+02:00"}, {"next-beyond-the-end", "9999-12-31T23:59:59Z"}, {"sign", "-1"},
	} {
		list = append(list, seed{row[0], []any{[]byte(row[1]), when}})
	}
	return append(list, seed{"at-the-end-of-time", []any{[]byte("9223372036"), int64(1<<63 - 2)}})
}

// patterns are patterns of schedules, a time, and whether there is a zone: see FuzzPattern.
func patterns() []seed {
	var list []seed
	for _, row := range [][2]string{
		{"at", "@at 2030-01-02T03:04:05Z"}, {"every", "@every 1m30s"}, {"every-too-often", "@every 1ms"}, {"daily", "@daily"},
		{"cron", "*/10 0,30 8-18/2 ? jan-mar MON"}, {"cron-of-five-fields", "* * * * *"}, {"never", "0 0 0 30 2 *"},
		{"leap-year", "0 0 0 29 2 *"}, {"hour-that-is-left-out", "0 30 2 31 3 *"}, {"hostile-step", "0/4294967295 * * * * *"},
		{"hostile-list", strings.Repeat("1-2/1,", 200) + " * * * * *"},
	} {
		list = append(list, seed{row[0], []any{row[1], when, true}}, seed{row[0] + "-without-a-zone", []any{row[1], when, false}})
	}
	return append(list, seed{"at-the-end-of-time", []any{"* * * * * *", int64(1<<63 - 1), true}})
}
