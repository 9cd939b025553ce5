package actors

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A stream's configuration can ask for what a store does not do. Where that would make something else of the messages
// than the stream's owner expects, the stream is refused; where a server above the store does it, or it is lost without
// one, the store warns.

// apiLevel is the highest level of nats-server's JetStream of which it is known that the files say nothing that would
// have to be known here.
const apiLevel = 5

// checkServed refuses a configuration with something that this version would make something else of.
func checkServed(meta *blockio.StreamMeta) error {
	for _, member := range []struct {
		name, value string
		known       []string
	}{
		{"storage", meta.Storage, []string{"file"}},
		{"discard policy", meta.Discard, []string{"old", "new"}},
		{"retention", meta.Retention, []string{"limits", "interest", "workqueue"}},
		{"compression", meta.Compression, []string{compressionNone, compressionS2}},
	} {
		if !slices.Contains(member.known, member.value) {
			return fmt.Errorf("%w: the stream's %s is %q", ErrUnsupported, member.name, member.value)
		}
	}
	if level, ok := requiredLevel(meta); !ok || level > apiLevel {
		return fmt.Errorf("%w: the stream requires level %s of JetStream's interface, and what is known here is level %d",
			ErrUnsupported, requiredText(meta), apiLevel)
	}
	return nil
}

// requiredKey is where nats-server keeps the level of its interface that a stream requires.
const requiredKey = "_nats.req.level"

func requiredText(meta *blockio.StreamMeta) string {
	raw, ok := meta.Member("metadata")
	var metadata map[string]string
	if !ok || json.Unmarshal(raw, &metadata) != nil {
		return ""
	}
	return metadata[requiredKey]
}

// requiredLevel returns the level that a stream requires, 0 when it does not say. It is false for what is no level.
func requiredLevel(meta *blockio.StreamMeta) (level int, ok bool) {
	text := requiredText(meta)
	if text == "" {
		return 0, true
	}
	level, err := strconv.Atoi(text)
	return level, err == nil
}

// unserved lists what a configuration asks for that the store does not do.
func unserved(meta *blockio.StreamMeta) (list []string) {
	ask := func(name string, asks bool) {
		if asks {
			list = append(list, name)
		}
	}
	ask("sealed", meta.Sealed)
	ask("deny_delete", meta.DenyDelete)
	ask("deny_purge", meta.DenyPurge)
	ask("retention="+meta.Retention, meta.Retention != "limits")
	ask("num_replicas="+strconv.Itoa(meta.Replicas), meta.Replicas > 1)
	ask("allow_msg_counter", meta.AllowMsgCounter)
	for _, name := range []string{"mirror", "sources", "subject_transform", "republish"} {
		value, ok := meta.Member(name)
		ask(name, ok && string(value) != "null" && string(value) != "[]")
	}
	return list
}

// warnUnserved tells what of its configuration the stream does not get.
func (s *stream) warnUnserved(meta *blockio.StreamMeta) {
	if list := unserved(meta); len(list) > 0 {
		s.log.Warn("the stream's configuration asks for what a server does and the store does not", "fields", list)
	}
}
