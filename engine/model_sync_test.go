package engine_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// drawFlush draws a flush, of either kind, or another sync level.
func drawFlush(t *rapid.T) engine.Command {
	switch rapid.IntRange(0, 3).Draw(t, "flush") {
	case 0:
		return &engine.Flush{ToSystem: true}
	case 1:
		return &engine.SetSync{
			Level: rapid.SampledFrom([]engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever}).Draw(t, "next level"),
			Every: rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second}).Draw(t, "next interval"),
		}
	}
	return &engine.Flush{}
}

// noteFlush notes what a flush waits for.
func (mc *machine) noteFlush(c sent) {
	if f, ok := c.command.(*engine.Flush); ok && f.ToSystem {
		mc.toSystem[c.tag] = true
	}
}

// flushedTo notes what a flush that was answered promises.
func (mc *machine) flushedTo(r engine.Reply) {
	if mc.toSystem[r.Tag] {
		mc.written = mc.cap(max(mc.written, r.Sequence))
		return
	}
	mc.flushed = mc.cap(max(mc.flushed, r.Sequence))
}

// switches reports whether a command changes the level. All that was before it is durable when it is answered, as with
// a flush.
func (mc *machine) switches(c sent) bool {
	next, ok := c.command.(*engine.SetSync)
	return ok && next.Level != mc.cfg.Level
}

// followSync follows a change of the level that is in force.
func (mc *machine) followSync(c sent, want engine.Reply) {
	next, ok := c.command.(*engine.SetSync)
	if !ok || want.Err != nil || mc.e.Failed() != nil {
		return
	}
	mc.cfg.Level, mc.cfg.SyncEvery = next.Level, next.Every
}
