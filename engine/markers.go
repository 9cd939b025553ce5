package engine

import (
	"time"

	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// With Limits.MarkerTTL a subject whose last message goes, for its age or by its TTL, gets a marker: a message without
// a payload that says so in its header. The message is removed, and the marker stored, in one frame of one block, so
// that a crash leaves both or neither; readers see both or neither. A marker goes by its own TTL, and is not marked.
//
// While a stream is being opened nothing goes for its age then: the marker would have to be stored with it.

// marks reports whether markers are stored.
func (e *Engine) marks() bool { return e.cfg.Limits.marks() }

func (l *Limits) marks() bool { return l.MsgTTL != TTLOff && l.MarkerTTL >= time.Second }

// markersReady reports whether markers can be stored in the place of messages. It has asked for what is missing.
func (e *Engine) markersReady(due []match) bool {
	if !e.marks() {
		return true
	}
	e.track()
	bytes := uint64(0)
	for i := range due {
		bytes += uint64(due[i].table.slot(due[i].index).size()) + markerRoom
	}
	return e.tablesReady(uint64(len(due)), bytes)
}

// markerRoom is how much larger a marker can be than the message whose place it takes, in bytes.
const markerRoom = 128

// mark adds the marker of a message that is about to be removed, if it is the last of its subject.
func (e *Engine) mark(list []Message, m *match) []Message {
	if !e.marks() || m.block.isMarker(m.sequence()) {
		return list
	}
	id := m.table.subjectOf(e.subjects, m.index)
	if id == noSubject || e.countOf(id) != 1 {
		return list
	}
	marker := Message{
		Subject: string(e.subjects.AppendName(nil, id)),
		Header:  msgheader.AppendMarker(nil, int64(e.cfg.Limits.MarkerTTL/time.Second)),
	}
	most := e.cfg.Limits.MaxBytes
	if e.cfg.Codec.Check(len(marker.Subject), len(marker.Header), 0) != nil || most > 0 && int64(e.recordSize(&marker)) > most {
		return list // nothing could hold it
	}
	return append(list, marker)
}

// storeMarkers stores markers, and the tombstones of the messages that were removed.
func (e *Engine) storeMarkers(list []Message, graves []Tombstone) {
	total := len(graves) * e.emptySize
	for i := range list {
		total += e.recordSize(&list[i])
	}
	e.beforePer()
	if e.full(total) {
		e.roll()
	}
	now, first := e.stampNow(), e.last()+1
	for i := range list {
		m := &list[i]
		size := e.recordSize(m)
		var before subjectNow
		if e.perLimited() {
			before = e.subjectNow(m.Subject)
		}
		id := e.add(m, e.last()+1, now, size)
		e.enforcePer(id, before, e.last(), size)
	}
	for _, t := range graves {
		e.openFrame(e.emptySize)
		e.entombed(t)
	}
	e.enforce()
	e.noteOrder(first)
}
