package msgheader

import (
	"bytes"
	"math"
	"time"
)

// AppendWithout appends a block without the headers that drop picks by name. The others
// stay as they are and in order; lines that are no headers go. When none is left, nothing
// is appended.
func AppendWithout(dst, block []byte, drop func(name []byte) bool) []byte {
	kept, some := appendKept(dst, block, drop)
	if !some {
		return dst
	}
	return append(kept, lineEnd...)
}

// appendKept appends the first line of a block and the headers that are kept, without the
// end of the block, and tells whether there were such headers.
func appendKept(dst, block []byte, drop func(name []byte) bool) (kept []byte, some bool) {
	first, _ := cutLine(block)
	if !bytes.HasPrefix(first, []byte(version)) {
		first = []byte(version)
	}
	dst = append(append(dst, first...), lineEnd...)
	for l := walk(block); l.next(); {
		if !drop(l.name) {
			dst = append(append(dst, l.line...), lineEnd...)
			some = true
		}
	}
	return dst, some
}

// appendHeader appends a line. Line breaks in the value become spaces: nobody adds a
// header of their own by the name of a subject.
func appendHeader[N, V string | []byte](dst []byte, name N, value V) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	for i := range len(value) {
		c := value[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return append(dst, lineEnd...)
}

// AppendMarker appends the block of the message that marks that the last message of a
// subject has expired. The marker itself lives for so many seconds.
func AppendMarker(dst []byte, seconds int64) []byte {
	seconds = min(seconds, math.MaxInt64/int64(time.Second))
	dst = append(append(dst, version...), lineEnd...)
	dst = appendHeader(dst, MarkerReason, ReasonMaxAge)
	dst = appendHeader(dst, TTL, (time.Duration(seconds) * time.Second).String())
	dst = appendHeader(dst, Rollup, RollupSub)
	return append(dst, lineEnd...)
}

// Produced are the headers of a message that a schedule produces.
type Produced struct {
	Scheduler   string // the subject of the schedule
	Next        string // when it is due next, or NextPurge
	TTL, Rollup []byte // left out when empty
}

// AppendProduced appends the block of a message that a schedule produces. block is that of
// the schedule, or of the last message of its source. Of its headers those stay that are
// not about schedules or expectations, and that do not identify, expire or roll up
// messages.
func AppendProduced(dst, block []byte, p *Produced) []byte {
	dst, _ = appendKept(dst, block, notOfProduced)
	dst = appendHeader(dst, Scheduler, p.Scheduler)
	dst = appendHeader(dst, ScheduleNext, p.Next)
	if len(p.TTL) > 0 {
		dst = appendHeader(dst, TTL, p.TTL)
	}
	if len(p.Rollup) > 0 {
		dst = appendHeader(dst, Rollup, p.Rollup)
	}
	return append(dst, lineEnd...)
}

func notOfProduced(name []byte) bool {
	switch string(name) {
	case MsgID, TTL, Rollup:
		return true
	}
	return bytes.HasPrefix(name, []byte(schedulePart)) || bytes.HasPrefix(name, []byte(expectedPart))
}
