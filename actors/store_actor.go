package actors

import (
	"fmt"
	"io"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// The way of a commit through the store actor:
//
//  1. Callers take credit and post operations (op.run in store_write.go); actors send requests
//     (writing.go). The mailbox gathers them and hands the actor a *mailbox.Batch.
//  2. onBatch stamps the time once and steps each operation into the engine, which assigns its sequence,
//     encodes its record into the memory of the tail block, applies the limits, and holds the reply back.
//  3. The mailbox yields once, takes in what has arrived meanwhile, and ends the round: onTurnEnd takes
//     the engine's Ready. Its commit is all that has gathered since the last one, if none is in flight.
//  4. The commit goes to the block-writer, which creates, writes, syncs and seals files in order
//     (children.go, internal/disk); that of a lone caller is put aside (commits.go). Maintenance work goes to the flusher, block indexes to the indexer.
//  5. While the commit is on its way the actor goes on with rounds: what is stepped in gathers for the
//     next commit.
//  6. commitDone overtakes the data in the mailbox. onCommitDone tells the engine, which publishes the
//     group to readers and lets its replies go. The actor delivers them, before anything else, so that
//     their callers are back in time for the next commit.
//
// What holds all the way:
//
//   - Only the actor's turn touches the engine. Children get work that is a value, and answer once.
//   - One commit is in flight at a time. A reply leaves after the work that makes it true.
//   - Whoever took credit gives it back exactly once, with its reply.
//   - After a failed write or sync, and after a panic (crash.go), the engine answers everybody with ErrFailed (and ErrOutcomeUnknown
//     where it had accepted the operation) and emits no more work;
//     recovery makes a new engine from the files (failure.go).
//   - Every message that reached the mailbox is answered, also when the actor panics or is stopped from
//     outside (store_actor_stop.go).

// storeActor owns a stream. Its children do the I/O: the block-writer runs the commits, the flusher the
// maintenance work, the indexer writes block indexes.
type storeActor struct {
	*stream
	engine *engine.Engine
	files  *disk.Files
	lock   io.Closer

	writer, flusher, indexer lane
	compactors               []*lane // as many as were needed at a time
	aside                    asideGate
	early                    earlyCommit
	gathered                 uint32 // operations that were stepped since the last commit was handed out
	ticked                   bool   // in this turn
	inTurn                   bool   // Receive has not returned
	clock, read              int64  // what Runtime.times said last
	now                      int64  // nanoseconds that have passed, by which pauses go, see tellTime; positive
	load                     load

	watches map[*watch]struct{}
	pids    map[string]*actor.PID // actors that watch
	noticed advance               // what watches were told of
	takers  takers

	timer     *time.Timer
	timerEnds int64 // when it goes off, see instant; 0 when it is not set

	// What a panic would leave half done.
	inHand   any            // the data message that is being handled
	stepping *op            // the operation of it, while the engine steps
	replies  []engine.Reply // that are being delivered
	told     int            // how many of them were
	piped    pipedReplies   // of those

	updates []*op         // of the configuration, that wait
	update  *configUpdate // that is being carried out, or nil

	state      stateLoop
	failure    failure
	crashes    crashes
	readies    []*readyOp // who wait for the store to be usable again
	truncation truncation
	remains    remains
	stops      []*op // the stops that were asked for; all are answered at the end
	stopping   bool  // a stop was asked for
	closed     bool  // the engine has completed the stop
	whole      bool  // and everything was written and synced
	ended      bool  // the actor library is stopping the actor: completions no longer count
}

// The control messages of the store actor.
type (
	// commitDone completes a commit.
	commitDone struct {
		done engine.Done
		// How long it took, and how much of that were syncs. Both are 0 when it was not carried out.
		took, syncs time.Duration
	}
	// workDone completes maintenance work.
	workDone struct {
		work engine.Work
		done engine.Done
		took time.Duration
	}
	// tick wakes the actor at a time the engine asked for.
	tick struct{}
	// retry starts an attempt to recover.
	retry struct{}
	// recovered ends an attempt to recover.
	recovered struct {
		engine  *engine.Engine
		files   *disk.Files
		highest uint32 // number of a block
		err     error
	}
)

func (*tick) Control()  {}
func (*retry) Control() {}

// Receive implements actor.Actor.
func (a *storeActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping:
		a.onStopping()
	case *actor.Stopped:
		a.onStopped(ctx)
	default:
		a.inTurn = true
		for !a.attempt(ctx) && again(ctx.Message()) {
		}
		a.inTurn = false
	}
}

func (a *storeActor) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *mailbox.Batch:
		a.onBatch(ctx, m)
	case *mailbox.TurnEnd:
		a.onTurnEnd(ctx)
	case *task:
		a.onTask(ctx, m)
	case *tick:
		a.timerEnds = 0
	case *retry:
		a.onRetry(ctx)
	case *childEnded:
		a.onChildEnded(ctx, m)
	case *reindexRequest:
		if a.engine.Failed() == nil {
			a.engine.Reindex(m.block)
		}
	case *renewRequest:
		a.onRenew(ctx, m)
	case *lossReport:
		a.onLoss(m)
	case *endRequest:
		a.onEnd(m)
	case *readyOp:
		a.onReady(m)
	case *watchOp:
		a.onWatch(m)
	case *freezeRequest:
		a.onFreeze(m)
	case *noticesOp:
		a.onNotices(m)
	case *actor.Started:
		a.onStarted(ctx)
	case *actor.Terminated:
		a.onTerminated(m)
	case *actor.Restarting:
	default:
		a.log.Error("unknown message", "type", fmt.Sprintf("%T", m))
	}
}

func (a *storeActor) onStarted(ctx actor.Context) {
	a.writer.name, a.flusher.name, a.indexer.name = "block-writer", "flusher", "indexer"
	if a.config.ReadOnly {
		return
	}
	a.clock, a.read = a.runtime.times()
	a.now = 1
	a.tellTime()
	a.arm(ctx)
}

// HandleFailure implements actor.SupervisorStrategy for the children: one that has panicked outside of its work ends,
// and onChildEnded goes on.
func (a *storeActor) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any,
) {
	a.log.Error("panic in a child", "child", child.Id, "reason", reason)
	supervisor.StopChildren(child)
}
