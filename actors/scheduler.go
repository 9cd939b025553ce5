package actors

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// checkSchedules refuses what a stream with schedules cannot have, as a nats-server does: nobody would be told that
// what a schedule produces was refused.
func checkSchedules(meta *blockio.StreamMeta) error {
	if meta.AllowMsgSchedules && limitsOf(meta).Discard == engine.DiscardNew {
		return fmt.Errorf("%w: a stream with schedules of messages cannot discard new ones", ErrConfig)
	}
	return nil
}

// mergeSchedules takes from the configuration whether there are schedules, and from the meta file where it does not
// say. What they produce may roll up what was before, so that is allowed with them. It reports whether there are
// schedules now and were not, or the other way round.
func mergeSchedules(meta *blockio.StreamMeta, c *Config) (changed bool) {
	before := meta.AllowMsgSchedules
	if c.AllowMsgSchedules != AsStored {
		meta.AllowMsgSchedules = c.AllowMsgSchedules == On
	}
	meta.AllowRollup = meta.AllowRollup || meta.AllowMsgSchedules
	return meta.AllowMsgSchedules != before
}

// fetchWork asks the flusher for what schedules produce that are due.
type fetchWork struct {
	stream *stream
	work   engine.Work
}

// fetchDone completes it.
type fetchDone struct{ done engine.Done }

// mostFetchedBytes is about how many bytes are looked for at a time.
const mostFetchedBytes = 4 << 20

func (m *fetchWork) failed(err error) any { return &fetchDone{engine.Done{ID: m.work.ID, Err: err}} }

func (m *fetchWork) run() any {
	done := &fetchDone{engine.Done{ID: m.work.ID}}
	bytes := 0
	for _, f := range m.work.Fetch {
		found := m.stream.fetch(f)
		done.done.Fetched = append(done.done.Fetched, found)
		if bytes += len(found.Header) + len(found.Block) + len(found.Payload); bytes > mostFetchedBytes {
			break
		}
	}
	return done
}

// fetch looks for what a schedule produces.
func (s *stream) fetch(f engine.Fetch) (found engine.Fetched) {
	if found.Later, found.Newest, found.Err = s.laterThan(f); found.Err != nil || found.Later > 0 {
		return found
	}
	var own read.Buffer
	if found.Err = s.source.Load(f.Sequence, &own); found.Err != nil {
		return found
	}
	found.Header, found.Block, found.Payload = own.Record.Header, own.Record.Header, own.Record.Payload
	source, _ := msgheader.Find(found.Header, msgheader.ScheduleSource)
	if len(source) == 0 {
		return found
	}
	var other read.Buffer
	switch err := s.source.LoadNewest(forever, literal(string(source)), &other); {
	case err == nil:
		found.Block, found.Payload = other.Record.Header, other.Record.Payload
	case !errors.Is(err, ErrNotFound):
		found.Err = err
	}
	return found
}

// laterThan returns the first message of a schedule's subject that is later than what was checked and that no
// schedule has produced, 0 when there is none, and the last one that was looked at.
func (s *stream) laterThan(f engine.Fetch) (later, newest uint64, err error) {
	var m read.Buffer
	set := literal(f.Subject)
	if err := s.source.LoadNewest(forever, set, &m); err != nil {
		return 0, 0, err
	}
	newest = max(f.Checked, m.Record.Sequence)
	for at := f.Checked + 1; at <= newest; at = m.Record.Sequence + 1 {
		_, err := s.source.LoadNext(forever, at, set, &m)
		if errors.Is(err, ErrEOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		if _, produced := msgheader.Find(m.Record.Header, msgheader.Scheduler); !produced {
			return m.Record.Sequence, newest, nil
		}
	}
	return 0, newest, nil
}

func literal(name string) subject.Set { return subject.NewSet(subject.Literal(name)) }

// fetchSchedules hands out the work of looking for what schedules produce.
func (a *storeActor) fetchSchedules(ctx actor.Context, w engine.Work) {
	a.assign(ctx, &a.flusher, &task{job: &fetchWork{a.stream, w}})
}

func (a *storeActor) onFetched(m *fetchDone) {
	if a.ended {
		return
	}
	for i := range m.done.Fetched {
		if err := m.done.Fetched[i].Err; err != nil && !errors.Is(err, ErrNotFound) {
			a.log.Error("cannot read what a schedule produces; it is tried again", "error", err)
		}
	}
	a.engine.Done(m.done)
}
