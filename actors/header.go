package actors

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Header holds the headers of a message, like net/textproto.MIMEHeader, with one
// difference: names are case-sensitive, as NATS has them. On disk headers are a
// NATS header block.
type Header map[string][]string

// headerVersion is the first line of a header block.
const headerVersion = "NATS/1.0"

// Get returns the first value of a name, or "".
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a name. The slice is not a copy.
func (h Header) Values(name string) []string { return h[name] }

// Set replaces all values of a name.
func (h Header) Set(name, value string) { h[name] = []string{value} }

// Add adds a value to a name.
func (h Header) Add(name, value string) { h[name] = append(h[name], value) }

// Del removes a name.
func (h Header) Del(name string) { delete(h, name) }

// AppendBlock appends the header block for h, with names in order so that equal
// headers give equal bytes. An empty header appends nothing. It fails with
// ErrBadHeader where ParseHeader would not give the same header back: when a name is empty or holds a colon, a
// space or a control character, or has no value, or when a value holds a line break, or begins or ends with a blank.
func (h Header) AppendBlock(dst []byte) ([]byte, error) {
	if len(h) == 0 {
		return dst, nil
	}
	dst = append(dst, headerVersion+"\r\n"...)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !validHeaderName(name) {
			return nil, fmt.Errorf("%w: name %q", ErrBadHeader, name)
		}
		if len(h[name]) == 0 {
			return nil, fmt.Errorf("%w: %q has no value", ErrBadHeader, name)
		}
		for _, value := range h[name] {
			if value != strings.Trim(value, " \t") {
				return nil, fmt.Errorf("%w: a value of %q begins or ends with a blank: %q", ErrBadHeader, name, shown(value))
			}
			if strings.ContainsAny(value, "\r\n") {
				return nil, fmt.Errorf("%w: line break in a value of %q", ErrBadHeader, name)
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, value...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

// shown is what an error shows of a value.
func shown(value string) string { return value[:min(len(value), 64)] }

// size returns about as many bytes as the header block will have.
func (h Header) size() int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

func validHeaderName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == ':' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

// ParseHeader reads a header block. Spaces and tabs around values are dropped. A
// block that carries a status in its first line gives it as the pseudo header "Status".
func ParseHeader(block []byte) (Header, error) {
	if len(block) == 0 {
		return nil, nil
	}
	line, rest, ok := bytes.Cut(block, []byte("\r\n"))
	if !ok || !bytes.HasPrefix(line, []byte(headerVersion)) {
		return nil, fmt.Errorf("%w: block of %d bytes does not begin with %s", ErrBadHeader, len(block), headerVersion)
	}
	h := make(Header)
	if status := bytes.TrimSpace(line[len(headerVersion):]); len(status) > 0 {
		h.Set("Status", string(status))
	}
	for n := 2; len(rest) > 0; n++ {
		if line, rest, ok = bytes.Cut(rest, []byte("\r\n")); !ok {
			return nil, fmt.Errorf("%w: line %d has no end", ErrBadHeader, n)
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return nil, fmt.Errorf("%w: line %d has no name", ErrBadHeader, n)
		}
		h.Add(string(name), string(bytes.Trim(value, " \t")))
	}
	return nil, fmt.Errorf("%w: block has no end", ErrBadHeader)
}
