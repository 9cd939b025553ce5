package msgheader

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
)

// naiveFind takes the block apart first.
func naiveFind(block, name string) (string, bool) {
	for _, line := range strings.Split(block, "\r\n")[1:] {
		if line == "" {
			break
		}
		if before, after, ok := strings.Cut(line, ":"); ok && before == name && name != "" {
			return strings.TrimLeft(after, " "), true
		}
	}
	return "", false
}

// FuzzBlock: a block that may be anything.
func FuzzBlock(f *testing.F) {
	f.Fuzz(func(t *testing.T, block []byte, name string) {
		value, ok := Find(block, name)
		if want, wanted := naiveFind(string(block), name); ok != wanted || string(value) != want {
			t.Fatalf("found %q %v, want %q %v", value, ok, want, wanted)
		}
		var fields Fields
		fields.Read(block)
		for _, field := range []string{TTL, KVOperation, Scheduler, Schedule, ExpectedLastSubjectSequenceSubject} {
			value, ok := Find(block, field)
			if got := *fields.field([]byte(field)); ok != (got != nil) || !bytes.Equal(got, value) {
				t.Fatalf("%s: %q in one pass, found %q", field, got, value)
			}
		}
		checkWithout(t, block, name)
		checkProduced(t, block, name)
	})
}

// checkWithout: what is built is whole, has all but what was dropped, and nothing else.
func checkWithout(t *testing.T, block []byte, name string) {
	drop := func(n []byte) bool { return string(n) == name }
	built := AppendWithout(nil, block, drop)
	if len(built) > len(block)+len(version)+3*len(lineEnd) {
		t.Fatalf("%d bytes of %d", len(built), len(block))
	}
	if again := AppendWithout(nil, built, drop); !bytes.Equal(again, built) {
		t.Fatalf("built again it is %q, it was %q", again, built)
	}
	l := walk(built)
	for old := walk(block); old.next(); {
		if drop(old.name) {
			continue
		}
		if !l.next() || !bytes.Equal(l.name, old.name) || !bytes.Equal(l.value, old.value) {
			t.Fatalf("%q is not in %q", old.line, built)
		}
	}
	if l.next() {
		t.Fatalf("%q was not there", l.line)
	}
}

func checkProduced(t *testing.T, block []byte, scheduler string) {
	built := AppendProduced(nil, block, &Produced{Scheduler: scheduler, Next: NextPurge})
	var fields Fields
	fields.Read(built)
	if fields.TTL != nil || fields.Schedule != nil || fields.MsgID != nil || fields.Rollup != nil || fields.ExpectedLastSequence != nil {
		t.Fatalf("%q has more than it may have", built)
	}
	if string(fields.ScheduleNext) != NextPurge || len(scheduler) > 0 && fields.Scheduler == nil {
		t.Fatalf("%q has less than it must have", built)
	}
	if !bytes.HasPrefix(built, []byte(version)) || !bytes.HasSuffix(built, []byte(lineEnd+lineEnd)) {
		t.Fatalf("%q is not whole", built)
	}
}

// FuzzValues: the value of a header that may be anything.
func FuzzValues(f *testing.F) {
	f.Fuzz(func(t *testing.T, value []byte, stamp int64) {
		ttl, err := ParseTTL(value)
		switch {
		case ttl < Never || err != nil && ttl != 0:
			t.Fatalf("%d, %v", ttl, err)
		case ttl > 0:
			if due := Due(stamp, ttl); due != math.MaxInt64 && due-stamp != ttl*1e9 {
				t.Fatalf("%d after %d is %d", ttl, stamp, due)
			}
		}
		if d, wrong := time.ParseDuration(string(value)); wrong == nil && len(value) <= longestNumber && (d >= time.Second) != (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if kind, err := ParseRollup(value); kind > RollupAll || err != nil && kind != RollupNone {
			t.Fatalf("%d, %v", kind, err)
		}
		if sequence, expected, err := ParseSequence(ExpectedLastSequence, value); !expected && sequence != 0 || expected && err != nil {
			t.Fatalf("%d, %v, %v", sequence, expected, err)
		}
		if next, purge, err := ParseNext(value); err == nil && !purge {
			if again, _, err := ParseNext([]byte(time.Unix(0, next).UTC().Format(time.RFC3339Nano))); err != nil || again != next {
				t.Fatalf("%d, then %d, %v", next, again, err)
			}
		}
	})
}
