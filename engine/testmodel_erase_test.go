package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// erase is remove, which the model does in no other way.
func (m *model) erase(c *engine.Erase, r engine.Reply) engine.Reply {
	r = m.remove(&engine.Remove{Sequence: c.Sequence}, r)
	return r
}

// erasing is an erasure that is not answered yet.
type erasing struct {
	want  engine.Reply
	after int // events of the model after it
}

// erased takes the reply to an erasure. One that has a record to overwrite answers late.
func (mc *machine) erased(r engine.Reply) (found bool, err error) {
	i := slices.IndexFunc(mc.erasing, func(x erasing) bool { return x.want.Tag == r.Tag })
	if i < 0 {
		return false, nil
	}
	want := mc.erasing[i].want
	if r.Err == nil && want.Err != nil {
		want.Err = nil // there was a record of a message that is before the first
	}
	if errors.Is(r.Err, engine.ErrUnreadable) && want.Count == 0 && mc.disk.fault != nil {
		// It had been removed, and a file that may have its bytes cannot be.
		want.Err = r.Err
	}
	if err := matches(r, want); err != nil {
		return true, err
	}
	if r.Err == nil {
		mc.ackedEvents = max(mc.ackedEvents, mc.erasing[i].after)
	}
	mc.erasing = slices.Delete(mc.erasing, i, i+1)
	used := slices.ContainsFunc(mc.m.log, func(ev event) bool { return ev.truncates }) // perhaps again
	for _, files := range []map[uint32][]byte{mc.disk.current, mc.disk.durable} {
		for id, data := range files {
			walk(id, data, func(_ int64, record record) {
				if record.kind == 'm' && record.sequence == r.Sequence && !used && r.Err == nil {
					err = fmt.Errorf("message %d was erased, and block %d has it", r.Sequence, id)
				}
			})
		}
	}
	return true, err
}

// erase overwrites a record with one of the same length.
func (s *shell) erase(w engine.Work) error {
	data := slices.Clone(s.disk.current[w.Block])
	r, ok := decode(w.Block, data[w.Size:])
	if !ok || r.size != w.Length || r.sequence != w.Sequence || r.kind != 'm' && r.kind != 's' {
		panic(fmt.Sprintf("%v: message %d is not at %d", w, w.Sequence, w.Size))
	}
	old := data[w.Size : w.Size+int64(r.size)]
	var header []byte
	payload := r.size - 30
	if binary.LittleEndian.Uint32(old)&headerBit != 0 { // the lengths stay
		header, payload = []byte{0}, payload-5
	}
	copy(old, blockCodec(w.Block).AppendMessage(nil, w.Sequence|erasedBit, 0, "", header, make([]byte, payload)))
	return s.disk.run(w.String(), true, w.Block, change{kind: 'w', block: w.Block, data: data})
}
