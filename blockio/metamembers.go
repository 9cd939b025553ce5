package blockio

import (
	"encoding/json"
	"strings"
)

// Member returns what the meta says of a name that it has no typed field for, as it is in the file: of several, the
// last, as nats-server takes it.
func (m *StreamMeta) Member(name string) (value json.RawMessage, ok bool) {
	for _, field := range m.fields {
		if strings.EqualFold(field.name, name) {
			value, ok = field.value, true
		}
	}
	return value, ok
}
