package blockio

import (
	"encoding/json"
	"strings"
)

// Member returns what the meta says of a name that it has no typed field for, as it is in the file: of several, the
// last, as nats-server takes it.
func (m *StreamMeta) Member(name string) (value json.RawMessage, ok bool) {
	for _, field := range m.members() {
		if strings.EqualFold(field.name, name) {
			value, ok = field.value, true
		}
	}
	return value, ok
}

// Rest lets go of what can be had again from the text of the file: it takes four times its room, and an open stream keeps its
// meta, but seldom needs more of it than the typed fields.
func (m *StreamMeta) Rest() {
	if m.text != nil && m.fields != nil {
		m.fields = nil
	}
}

// members returns the members of the file as it was read, in order.
func (m *StreamMeta) members() []metaField {
	if m.fields != nil || m.text == nil {
		return m.fields
	}
	fields, err := splitObject(m.text)
	if err != nil {
		panic(err) // it could be read before
	}
	return fields
}
