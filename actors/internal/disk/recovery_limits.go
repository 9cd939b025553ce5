package disk

import (
	"context"

	"github.com/seed-d8b58eba/millrace/engine"
)

// NewLimits are limits that take the place of the stored ones when a stream is opened, and under which messages
// could be back that those have removed.
type NewLimits struct {
	Limits engine.Limits
	// Save stores them. It is called when it is durable that what the old ones have removed is gone.
	Save func() error
}

// setLimits replaces the limits of a stream that is open.
func (r *Recovery) setLimits(ctx context.Context, e *engine.Engine) error {
	if r.Then == nil {
		return nil
	}
	if err := r.step(ctx, e, &engine.SetLimits{Limits: r.Config.Limits.Join(r.Then.Limits)}); err != nil {
		return err
	}
	if err := r.Then.Save(); err != nil {
		return err
	}
	if err := r.step(ctx, e, &engine.SetLimits{Limits: r.Then.Limits}); err != nil {
		return err
	}
	return r.finish(ctx, e)
}

// step has the engine carry out a command, and returns how that ended.
func (r *Recovery) step(ctx context.Context, e *engine.Engine, c engine.Command) error {
	for e.Step(c, c); ; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		ready := e.Ready()
		var answer *engine.Reply
		for i := range ready.Replies {
			if ready.Replies[i].Tag == c {
				answer = &ready.Replies[i]
			}
		}
		// Also what comes with the reply: nobody is asked for it a second time.
		if err := r.carryOut(e, ready); err != nil {
			return err
		}
		if answer != nil {
			return answer.Err
		}
	}
}
