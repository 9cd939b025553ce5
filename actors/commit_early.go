package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// earlyCommit decides whether a commit is begun before all operations of a round are staged. To stage thousands of messages takes
// as long as a sync. Were all staged first and then all synced, the disk would wait for the processor and
// the processor for the disk. When a commit begins as soon as staging has taken as long as the last commit did, the rest is
// staged while it is on its way, and there is no more than one sync for each time that staging takes as long as a sync.
type earlyCommit struct {
	took  time.Duration // of the last commit
	began int64         // when the round began, see instant
	bytes int64         // that were staged since the clock was looked at
}

// earlyLook is after how many bytes the clock is looked at.
const earlyLook = 64 << 10

// begin tells that a round of so many messages begins. With the last one of a round it is too late, so a single one needs no clock.
func (c *earlyCommit) begin(messages int) {
	if c.bytes = 0; messages > 1 {
		c.began = instant()
	}
}

// due reports whether what is staged is to be committed now, since there is more to stage.
func (c *earlyCommit) due(a *storeActor, b *mailbox.Batch) bool {
	if c.bytes < earlyLook || b.Next == len(b.Messages) {
		return false
	}
	c.bytes = 0
	if len(a.writer.out) > 0 || a.engine.Level() == engine.SyncNever || a.config.ReadOnly {
		return false
	}
	return time.Duration(instant()-c.began) >= c.took
}

// commitEarly hands out what the engine has ready in the middle of a round.
func (a *storeActor) commitEarly(ctx actor.Context) {
	ready := a.engine.Ready()
	a.deliver(ready.Replies)
	if c := ready.Commit; c != nil {
		a.meters.groups.observe(sizes, uint64(c.Records), 1)
		w := &commitWork{files: a.files, commit: c, owner: a}
		w.task.job = w
		a.gathered = 0
		a.assign(ctx, &a.writer, &w.task)
	}
	a.maintainAll(ctx, ready.Maintenance)
}
