package actors

import (
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A change of the configuration goes from the limits that are stored to limits under which nothing goes that does
// not go under both (engine.Limits.Join), if messages could be back otherwise; then it is stored; and then the new
// limits are set. A crash leaves the old limits with what they had left, or the new ones with nothing that is back.

// configUpdate is a change of the configuration that is being carried out.
type configUpdate struct {
	op     *op
	meta   *blockio.StreamMeta
	limits engine.Limits // the new ones
	// publishing is the new meaning of headers.
	publishing publishing
	syncing    syncing // the new sync level
	joined     bool    // the limits in force are those of Join
	saving     bool    // the flusher is writing the meta files
	saved      bool    // they are written
	ready      bool    // to be written
}

// metaWork writes the meta files on the flusher.
type metaWork struct {
	write, restore func() error
}

// metaDone completes metaWork.
type metaDone struct {
	err error
	// restored tells, with err, that the files are what they were before.
	restored bool
}

func (w *metaWork) run() any {
	err := blockio.NameCause(w.write())
	return &metaDone{err, err != nil && w.restore() == nil}
}

func (w *metaWork) failed(err error) any {
	return &metaDone{err: fmt.Errorf("%w: %w", ErrFailed, err)}
}

// onUpdate takes an operation that changes the configuration.
func (a *storeActor) onUpdate(o *op) {
	o.state.CompareAndSwap(opClaimed, opStaged)
	a.updates, a.inHand = append(a.updates, o), nil
}

// goOnUpdating begins the next change of the configuration, or has the one that is under way stored.
func (a *storeActor) goOnUpdating(ctx actor.Context) {
	for a.update == nil && len(a.updates) > 0 {
		o := a.updates[0]
		a.updates = a.updates[1:]
		if err := a.beginUpdate(o); err != nil || a.update == nil {
			a.finish(o, engine.Reply{Tag: o, Err: err})
		}
	}
	a.saveUpdate(ctx)
}

// afterReplies goes on with a change of the configuration for which the engine has just answered. Nothing else
// need happen that would begin another turn.
func (a *storeActor) afterReplies(ctx actor.Context) {
	a.saveUpdate(ctx)
	if a.update == nil && len(a.updates) > 0 {
		a.mailbox.PostUserMessage(&tick{})
	}
}

// saveUpdate has the configuration stored, if it is ready for that.
func (a *storeActor) saveUpdate(ctx actor.Context) {
	u := a.update
	if u == nil || !u.ready || u.saving || u.saved {
		return
	}
	c, dir, old, next := &a.config, a.dir, a.meta, u.meta
	a.assign(ctx, &a.flusher, &task{job: &metaWork{
		write:   func() error { return blockio.WriteMeta(c.FS, dir, c.Name, next) },
		restore: func() error { return blockio.WriteMeta(c.FS, dir, c.Name, old) },
	}})
	u.saving = true
}

// beginUpdate begins a change of the configuration, unless nothing changes.
func (a *storeActor) beginUpdate(o *op) error {
	switch err := a.engine.Failed(); {
	case a.stopping:
		return ErrStopped
	case err != nil:
		return err
	}
	if err := a.checkUpdate(o.config); err != nil {
		return err
	}
	given, changed, err := givenMeta(o.config, a.meta)
	if err != nil {
		return err
	}
	meta := *given
	changed = mergeLimits(&meta, o.config) || changed
	if list := o.config.Subjects; len(list) > 0 && !slices.Equal(meta.Subjects, list) {
		meta.Subjects, changed = slices.Clone(list), true
	}
	next, means := mergePublishing(&meta, o.config, a.publishing)
	if err := errors.Join(checkSchedules(&meta), checkDiscard(a.meta, &meta)); err != nil {
		return err
	}
	u := &configUpdate{op: o, meta: &meta, limits: a.limitsOf(&meta), publishing: next, syncing: a.syncing.with(o.config)}
	if !changed && !means {
		a.publish(next)
		if u.syncing != a.syncing {
			a.update, u.saved = u, true
			a.synchronize(u.syncing, u)
		}
		return nil
	}
	a.update = u
	if u.ready = !a.limits.Brings(u.limits); !u.ready {
		u.joined = true
		a.engine.Step(u, &engine.SetLimits{Limits: a.limits.Join(u.limits)})
	}
	return nil
}

// onLimitsSet takes the engine's reply to a change of the limits.
func (a *storeActor) onLimitsSet(u *configUpdate, err error) {
	switch {
	case u != a.update:
	case u.saved && err != nil:
		a.endUpdate(fmt.Errorf("%w: the configuration is in force from the next recovery or Open on: %w", ErrOutcomeUnknown, err))
	case u.saved:
		a.endUpdate(nil)
	case err != nil:
		a.engine.Step(nil, &engine.SetLimits{Limits: a.limits})
		a.endUpdate(err)
	default:
		u.ready = true
	}
}

// onMetaDone goes on when the configuration is stored, or could not be.
func (a *storeActor) onMetaDone(m *metaDone) {
	u := a.update
	if a.ended || u == nil {
		return
	}
	u.saving = false
	switch {
	case m.err == nil:
		u.saved, a.meta = true, u.meta
		a.showMeta(u.meta)
		a.publish(u.publishing)
		a.synchronize(u.syncing, nil)
		a.setLimits(u.limits)
		a.engine.Step(nil, &engine.SetSchedules{On: a.meta.AllowMsgSchedules})
		a.engine.Step(nil, &engine.SetCompression{On: a.meta.Compression == compressionS2})
		a.engine.Step(u, &engine.SetLimits{Limits: u.limits})
	case m.restored:
		a.log.Error("cannot store the configuration; the old one stays in force", "error", m.err)
		if u.joined {
			a.engine.Step(nil, &engine.SetLimits{Limits: a.limits})
		}
		a.endUpdate(fmt.Errorf("cannot store the configuration: %w", m.err))
	default:
		// Nobody knows which one the next Open finds. Until there is a new one, nothing goes that could be back then.
		a.log.Error("cannot store the configuration; the old one may be in force at the next open or the new one", "error", m.err)
		a.setLimits(a.limits.Join(u.limits))
		a.engine.Step(nil, &engine.SetLimits{Limits: a.limits})
		a.endUpdate(fmt.Errorf("%w: cannot store the configuration: %w", ErrOutcomeUnknown, m.err))
	}
}

// publish gives headers another meaning, if it is another one.
func (a *storeActor) publish(next publishing) {
	if next != a.publishing {
		a.publishing = next
		a.engine.Step(nil, &engine.SetPublishing{RollupHeaders: next.rollups, Duplicates: next.ids})
	}
}

// endUpdate answers the change of the configuration that is under way.
func (a *storeActor) endUpdate(err error) {
	o := a.update.op
	a.update = nil
	a.finish(o, engine.Reply{Tag: o, Err: err})
}

// endUpdates answers all who wait for a change of the configuration when the store ends.
func (a *storeActor) endUpdates() {
	if a.update != nil {
		a.endUpdate(fmt.Errorf("%w: the store was stopped meanwhile", ErrOutcomeUnknown))
	}
	for _, o := range a.updates {
		a.finish(o, engine.Reply{Tag: o, Err: ErrStopped})
	}
	a.updates = nil
}
