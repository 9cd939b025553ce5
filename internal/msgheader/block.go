package msgheader

import "bytes"

// lines walks over the headers of a block.
type lines struct {
	rest              []byte // behind the line that next has found
	line, name, value []byte
}

// walk returns the headers of a block, before the first.
func walk(block []byte) lines {
	_, rest := cutLine(block) // the version
	return lines{rest: rest}
}

// next finds the next header. Lines that are none are passed over.
func (l *lines) next() bool {
	for len(l.rest) > 0 {
		var line []byte
		line, l.rest = cutLine(l.rest)
		if len(line) == 0 {
			break
		}
		if colon := bytes.IndexByte(line, ':'); colon > 0 {
			l.line, l.name, l.value = line, line[:colon], line[colon+1:]
			for len(l.value) > 0 && l.value[0] == ' ' {
				l.value = l.value[1:]
			}
			return true
		}
	}
	l.rest = nil
	return false
}

// cutLine cuts the first line, without its end, from what comes behind it.
func cutLine(data []byte) (line, rest []byte) {
	for from := 0; ; {
		i := bytes.IndexByte(data[from:], '\n')
		if i < 0 {
			return data, nil
		}
		if end := from + i; end > 0 && data[end-1] == '\r' {
			return data[: end-1 : end-1], data[end+1:]
		}
		from += i + 1
	}
}

// Scheduling reports whether a block makes its message a schedule, or says that a schedule has produced it. It does
// not allocate.
func Scheduling(block []byte) bool {
	if len(block) == 0 { // as of most messages, each of which is asked about
		return false
	}
	for l := walk(block); l.next(); {
		if name := string(l.name); name == Schedule || name == Scheduler {
			return true
		}
	}
	return false
}

// Find returns the value of the first header with a name, and whether there is one. It
// does not allocate.
func Find(block []byte, name string) (value []byte, ok bool) {
	for l := walk(block); l.next(); {
		if string(l.name) == name {
			return l.value, true
		}
	}
	return nil, false
}
