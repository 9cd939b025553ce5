package pubsub

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The headers of a message.
const (
	uuidHeader = "Watermill-Uuid"
	// metaPrefix is before each key of the metadata, so that none is a header that means something to a stream.
	metaPrefix = "Watermill-Meta-"
)

// topicSubject is the subject of the messages of a topic.
func topicSubject(topic string) string { return "topic." + tokens(topic) }

// cursorSubject is the subject of the cursor of a group in a topic.
func cursorSubject(group, topic string) string {
	return "cursor." + escape(group, plainToken) + "." + tokens(topic)
}

// tokens are the tokens of a subject that stand for a name: one for each part of it between dots, so that filters can
// select topics. What a token should not have is %XX, and an empty part is a % alone. No two names have the same.
func tokens(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if parts[i] = escape(part, plainToken); part == "" {
			parts[i] = "%"
		}
	}
	return strings.Join(parts, ".")
}

// plainToken tells what stands for itself in a token, and in the name of a header.
func plainToken(c byte, _ bool) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// plainValue tells what stands for itself in the value of a header: a blank not at its ends.
func plainValue(c byte, atEnd bool) bool {
	return c > ' ' && c != 0x7f && c != '%' || c == ' ' && !atEnd
}

// escape writes bytes that do not stand for themselves as %XX.
func escape(text string, plain func(c byte, atEnd bool) bool) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c, i == 0 || i == len(text)-1) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// header is the headers for a message: its UUID and its metadata.
func header(m *message.Message) actors.Header {
	h := make(actors.Header, len(m.Metadata)+1)
	h.Set(uuidHeader, escape(m.UUID, plainValue))
	for key, value := range m.Metadata {
		h.Set(metaPrefix+escape(key, plainToken), escape(value, plainValue))
	}
	return h
}

// fromStream makes a message of what is stored. What others have stored on the subject of a topic has the headers that it
// has as metadata.
func fromStream(stored *actors.Message) (*message.Message, error) {
	h, err := stored.Header()
	if err != nil {
		return nil, err
	}
	uuid, ours := h[uuidHeader]
	m := message.NewMessage("", stored.Payload)
	if !ours {
		m.UUID = fmt.Sprint(stored.Sequence)
		for name := range h {
			m.Metadata.Set(name, h.Get(name))
		}
		return m, nil
	}
	if m.UUID, err = url.PathUnescape(uuid[0]); err != nil {
		return nil, err
	}
	for name, values := range h {
		escaped, isMeta := strings.CutPrefix(name, metaPrefix)
		if !isMeta {
			continue
		}
		key, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, err
		}
		value, err := url.PathUnescape(values[0])
		if err != nil {
			return nil, err
		}
		m.Metadata.Set(key, value)
	}
	return m, nil
}
