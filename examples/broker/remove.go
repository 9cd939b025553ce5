package main

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A removal asks a topic actor to take messages out of its stream for a goroutine: the one of a sequence, or, when
// that is 0, those that subject, below and keep select.
type removal struct {
	sequence    uint64
	subject     string // perhaps with wildcards; empty: any
	below, keep uint64 // 0: any, and none
	done        chan<- removalResult
}

type removalResult struct {
	removed uint64
	err     error
}

func (m *removal) fail(err error) { m.done <- removalResult{err: err} }

// request returns what the store is asked. A subject with below and keep is a purge; below alone is a compaction.
func (m *removal) request() any {
	switch {
	case m.sequence > 0:
		return &actors.RemoveRequest{Sequence: m.sequence, Tag: m}
	case m.subject == "" && m.keep == 0 && m.below > 0:
		return &actors.CompactRequest{Sequence: m.below, Tag: m}
	}
	request := &actors.PurgeRequest{Below: m.below, Keep: m.keep, Tag: m}
	if m.subject != "" {
		request.Filters = []actors.Filters{actors.Filter(m.subject)}
	}
	return request
}

// Remove takes messages out of the stream, and returns how many once that is durable. Errors are as of Publish.
func (t *Topic) Remove(ctx context.Context, what removal) (uint64, error) {
	answers := make(chan removalResult, 1)
	what.done = answers
	t.system.Root.Send(t.pid, &what)
	answer, err := await(ctx, t.gone, answers)
	if err != nil {
		return 0, t.unanswered(err)
	}
	return answer.removed, answer.err
}

// remove passes a goroutine's removal on, unless too much is under way.
func (t *topicActor) remove(ctx actor.Context, m *removal) {
	if t.take(m) {
		sendToStore(ctx, t.store, m.request())
	}
}

// removed passes the store's answer on.
func (t *topicActor) removed(ctx actor.Context, tag any, count uint64, err error) {
	m, ours := tag.(*removal)
	if ours && t.answered(m) {
		m.done <- removalResult{count, err}
		t.closeWhenIdle(ctx)
	}
}
