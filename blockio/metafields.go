package blockio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A metaField is one member of the object in meta.inf, as it is in the file.
type metaField struct {
	key   json.RawMessage // with its quotes and escapes
	name  string          // what the key says
	value json.RawMessage
}

// A metaSlot is a place in the order in which nats-server writes the fields.
// Those that StreamMeta has a typed field for say where it is.
type metaSlot struct {
	name      string
	omitEmpty bool
	at        func(*StreamMeta) any // pointer to the typed field; nil when there is none
}

// metaSlots is every field, in nats-server's order.
var metaSlots = []metaSlot{
	{"Created", false, func(m *StreamMeta) any { return &m.Created }},
	{"name", false, func(m *StreamMeta) any { return &m.Name }},
	{"description", true, nil},
	{"subjects", true, func(m *StreamMeta) any { return &m.Subjects }},
	{"retention", false, func(m *StreamMeta) any { return &m.Retention }},
	{"max_consumers", false, nil},
	{"max_msgs", false, func(m *StreamMeta) any { return &m.MaxMsgs }},
	{"max_bytes", false, func(m *StreamMeta) any { return &m.MaxBytes }},
	{"max_age", false, func(m *StreamMeta) any { return &m.MaxAge }},
	{"max_msgs_per_subject", false, func(m *StreamMeta) any { return &m.MaxMsgsPerSubject }},
	{"max_msg_size", true, func(m *StreamMeta) any { return &m.MaxMsgSize }},
	{"discard", false, func(m *StreamMeta) any { return &m.Discard }},
	{"storage", false, func(m *StreamMeta) any { return &m.Storage }},
	{"num_replicas", false, func(m *StreamMeta) any { return &m.Replicas }},
	{"no_ack", true, nil},
	{"duplicate_window", true, func(m *StreamMeta) any { return &m.DuplicateWindow }},
	{"placement", true, nil},
	{"mirror", true, nil},
	{"sources", true, nil},
	{"compression", false, func(m *StreamMeta) any { return &m.Compression }},
	{"first_seq", true, func(m *StreamMeta) any { return &m.FirstSeq }},
	{"subject_transform", true, nil},
	{"republish", true, nil},
	{"allow_direct", false, nil},
	{"mirror_direct", false, nil},
	{"discard_new_per_subject", true, func(m *StreamMeta) any { return &m.DiscardNewPerSubj }},
	{"sealed", false, func(m *StreamMeta) any { return &m.Sealed }},
	{"deny_delete", false, func(m *StreamMeta) any { return &m.DenyDelete }},
	{"deny_purge", false, func(m *StreamMeta) any { return &m.DenyPurge }},
	{"allow_rollup_hdrs", false, func(m *StreamMeta) any { return &m.AllowRollup }},
	{"consumer_limits", false, nil},
	{"allow_msg_ttl", false, func(m *StreamMeta) any { return &m.AllowMsgTTL }},
	{"subject_delete_marker_ttl", true, func(m *StreamMeta) any { return &m.DeleteMarkerTTL }},
	{"allow_msg_counter", true, func(m *StreamMeta) any { return &m.AllowMsgCounter }},
	{"allow_atomic", true, func(m *StreamMeta) any { return &m.AllowAtomicPublish }},
	{"allow_msg_schedules", true, func(m *StreamMeta) any { return &m.AllowMsgSchedules }},
	{"persist_mode", true, nil},
	{"allow_batched", true, nil},
	{"metadata", true, nil},
}

// slotOf finds the slot of a name as nats-server would: case does not count.
func slotOf(name string) int {
	for i, slot := range metaSlots {
		if strings.EqualFold(slot.name, name) {
			return i
		}
	}
	return -1
}

var errNotObject = errors.New("not a JSON object")

// parseMeta reads the object, keeping every member as it is. Fields that are
// missing get the values that nats-server gives them.
func parseMeta(data []byte) (*StreamMeta, error) {
	fields, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	m := &StreamMeta{fields: fields, text: data}
	for _, field := range fields {
		i := slotOf(field.name)
		if i < 0 || metaSlots[i].at == nil {
			continue
		}
		if json.Unmarshal(field.value, metaSlots[i].at(m)) != nil {
			return nil, fmt.Errorf("field %s has the wrong type", metaSlots[i].name)
		}
	}
	m.fillDefaults()
	return m, nil
}

func (m *StreamMeta) fillDefaults() {
	m.Retention = orString(m.Retention, "limits")
	m.Discard = orString(m.Discard, "old")
	m.Storage = orString(m.Storage, "file")
	m.Compression = orString(m.Compression, "none")
	m.MaxMsgs = orUnlimited(m.MaxMsgs)
	m.MaxBytes = orUnlimited(m.MaxBytes)
	m.MaxMsgsPerSubject = orUnlimited(m.MaxMsgsPerSubject)
	if m.MaxMsgSize == 0 || m.MaxMsgSize < -1 {
		m.MaxMsgSize = -1
	}
	if m.Replicas == 0 {
		m.Replicas = 1
	}
	if len(m.Subjects) == 0 {
		m.Subjects = []string{m.Name}
	}
	if m.DuplicateWindow == 0 {
		m.DuplicateWindow = 2 * time.Minute
		if m.MaxAge > 0 {
			m.DuplicateWindow = min(m.DuplicateWindow, m.MaxAge)
		}
	}
}

func orString(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func orUnlimited(n int64) int64 {
	if n == 0 || n < -1 {
		return -1
	}
	return n
}

// splitObject takes a JSON object apart without changing a byte of its members.
func splitObject(data []byte) ([]metaField, error) {
	if !json.Valid(data) {
		return nil, errNotObject
	}
	rest := bytes.TrimLeft(data, " \t\r\n")
	if rest[0] != '{' {
		return nil, errNotObject
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return nil, errNotObject
	}
	var fields []metaField
	for decoder.More() {
		var field metaField
		before := decoder.InputOffset()
		if err := decodeKey(decoder, &field); err != nil {
			return nil, err
		}
		field.key = trimKey(data[before:decoder.InputOffset()])
		if err := decoder.Decode(&field.value); err != nil {
			return nil, errNotObject
		}
		// What is kept as long as the stream is open is the text itself, once.
		end := int(decoder.InputOffset())
		field.value = json.RawMessage(data[end-len(field.value) : end : end])
		if i := slotOf(field.name); i >= 0 && metaSlots[i].name == field.name {
			field.name = metaSlots[i].name
		}
		fields = append(fields, field)
	}
	return slices.Clone(fields), nil
}

func decodeKey(decoder *json.Decoder, field *metaField) error {
	token, err := decoder.Token()
	if err != nil {
		return errNotObject
	}
	name, ok := token.(string)
	if !ok {
		return errNotObject
	}
	field.name = name
	return nil
}

// trimKey cuts the separator off the bytes that a key was read from.
func trimKey(raw []byte) json.RawMessage {
	return json.RawMessage(bytes.Trim(raw, " \t\r\n,:"))
}

// encode returns the bytes of meta.inf: members that were read and did not change
// are as they were; a typed field that did is encoded anew in its place; one
// that the file does not have is put where nats-server would have it, if it is
// not the default.
func (m *StreamMeta) encode() ([]byte, error) {
	fields := append([]metaField(nil), m.members()...)
	defaults := &StreamMeta{Name: m.Name, MaxAge: m.MaxAge}
	defaults.fillDefaults() // of which one depends on the age
	defaults.MaxAge = 0
	inFile := len(fields) > 0 && slotIn(fields, "name") >= 0
	for i, slot := range metaSlots {
		if slot.at == nil {
			continue
		}
		value, err := json.Marshal(slot.at(m))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", slot.name, err)
		}
		switch have := slotIn(fields, slot.name); {
		case have >= 0:
			m.update(fields, slot, value)
		case inFile && sameValue(slot.at(m), slot.at(defaults)), slot.omitEmpty && reflect.ValueOf(slot.at(m)).Elem().IsZero():
		default:
			key := json.RawMessage(`"` + slot.name + `"`)
			fields = insertField(fields, i, metaField{key: key, name: slot.name, value: value})
		}
	}
	return joinObject(fields), nil
}

// slotIn finds a field by its name as nats-server would.
func slotIn(fields []metaField, name string) int {
	for i, field := range fields {
		if strings.EqualFold(field.name, name) {
			return i
		}
	}
	return -1
}

// update gives the members of that name a new value, if it differs from what
// they say. nats-server takes the last of several.
func (m *StreamMeta) update(fields []metaField, slot metaSlot, value json.RawMessage) {
	was := &StreamMeta{Name: m.Name, MaxAge: m.MaxAge}
	for _, field := range fields {
		if strings.EqualFold(field.name, slot.name) {
			_ = json.Unmarshal(field.value, slot.at(was)) // it could be read before
		}
	}
	was.fillDefaults()
	if sameValue(slot.at(was), slot.at(m)) {
		return
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, slot.name) {
			fields[i].value = value
		}
	}
}

func sameValue(x, y any) bool {
	if a, ok := x.(*time.Time); ok {
		return a.Equal(*y.(*time.Time))
	}
	return reflect.DeepEqual(x, y)
}

// insertField puts a field behind those that nats-server writes before it.
func insertField(fields []metaField, slot int, field metaField) []metaField {
	at := 0
	for i, have := range fields {
		if other := slotOf(have.name); other >= 0 && other < slot {
			at = i + 1
		}
	}
	fields = append(fields, metaField{})
	copy(fields[at+1:], fields[at:])
	fields[at] = field
	return fields
}

func joinObject(fields []metaField) []byte {
	out := []byte{'{'}
	for i, field := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, field.key...)
		out = append(out, ':')
		out = append(out, field.value...)
	}
	return append(out, '}')
}
