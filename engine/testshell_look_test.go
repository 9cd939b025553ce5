package engine_test

import (
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// lookInto answers what a work asks of the records of a block.
func (s *shell) lookInto(w engine.Work, done *engine.Done) {
	found := engine.NewScan(w.Block)
	type sum struct{ count, last uint64 }
	sums := map[string]sum{}
	var names []string
	walk(w.Block, s.upTo(w), func(offset int64, r record) {
		switch {
		case r.kind == 't':
			done.Tombstones = append(done.Tombstones, engine.Tombstone{Sequence: r.sequence, Time: r.time})
		case r.kind != 'm':
		case w.Kind == engine.WorkIDs:
			if id, ok := msgheader.Find(r.header, msgheader.MsgID); ok && r.time >= w.Since {
				done.IDs = append(done.IDs, engine.MessageID{Sequence: r.sequence, Time: r.time, ID: string(id)})
			}
		case w.Kind == engine.WorkLives:
			found.Message(r.sequence, r.time, offset, r.size, nil)
			found.Life(r.sequence, r.time, r.header)
		case w.Kind == engine.WorkSubjects && r.subject != "":
			if sums[r.subject].count == 0 {
				names = append(names, r.subject)
			}
			sums[r.subject] = sum{sums[r.subject].count + 1, r.sequence}
		case w.Kind == engine.WorkFind && (w.Sequence == 0 || r.sequence <= w.Sequence) && (w.Filter.All() || r.subject != "" && w.Filter.Match([]byte(r.subject))):
			found.Message(r.sequence, r.time, offset, r.size, []byte(r.subject))
		}
	})
	found.Finish(0, false, nil, 0)
	done.Table, done.Lives = found.Table(), found.Lives()
	if w.Kind == engine.WorkSubjects {
		done.Table = engine.NewSubjectsTable(len(sums))
		for _, name := range names {
			done.Table.AddSubject([]byte(name), sums[name].count, sums[name].last)
		}
	}
}

// upTo returns the bytes of a block that a work is about. It may have been compacted since.
func (s *shell) upTo(w engine.Work) []byte {
	data := s.disk.current[w.Block]
	return data[:min(int64(len(data)), w.Size)]
}
