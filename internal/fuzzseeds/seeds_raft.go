package main

// raftEntries are payloads of the log of a raft server, each with its index: a version, term, type, how far the commit
// index is behind, seconds, nanoseconds, the length of the extensions, these, and the data.
func raftEntries() []seed {
	return []seed{
		{"noop", []any{[]byte("\x01\x01\x01\x00\x00\x00\x00"), uint64(1)}},
		{"whole", []any{[]byte("\x01\x07\x00\x02\x80\xa0\xe3\x9a\x0c\x05\x03extdata"), uint64(9)}},
		{"without-time", []any{[]byte("\x01\x01\x00\x00\x01\xff\x93\xeb\xdc\x03\x00data"), uint64(1)}},
		{"version-2", []any{[]byte("\x02\x01\x01\x00\x00\x00\x00"), uint64(1)}},
		{"cut", []any{[]byte("\x01\x07\x00\x02\x80\xa0"), uint64(9)}},
		{"extensions-highest", []any{[]byte("\x01\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a"), uint64(1)}},
		{"behind-the-first", []any{[]byte("\x01\x01\x00\x05\x00\x00\x00"), uint64(4)}},
		{"a-long-number", []any{[]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), uint64(1)}},
	}
}
