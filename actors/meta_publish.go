package actors

import (
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// publishing is what the headers of messages mean to a stream.
type publishing struct {
	rollups bool            // Nats-Rollup counts
	ids     engine.IDLimits // how long message ids are remembered, and how many; for no time when none are
}

// mergePublishing takes what the headers of messages mean from the configuration where it says so, and else from
// what was in force and from the meta file. It reports whether the meta file has to change. The limits are merged.
func mergePublishing(meta *blockio.StreamMeta, c *Config, before publishing) (next publishing, changed bool) {
	window, rollups := meta.DuplicateWindow, meta.AllowRollup
	if c.AllowRollup != AsStored {
		meta.AllowRollup = c.AllowRollup == On
	}
	schedules := mergeSchedules(meta, c)
	next = publishing{meta.AllowRollup, before.ids}
	if c.MaxDuplicates > 0 {
		next.ids.Entries = c.MaxDuplicates
	}
	if c.Duplicates != 0 {
		next.ids.Age = max(c.Duplicates, 0)
	}
	if next.ids.Age > 0 {
		meta.DuplicateWindow = next.ids.Age
	}
	if meta.MaxAge > 0 {
		// A nats-server refuses a stream whose window is longer than its messages live.
		meta.DuplicateWindow = min(meta.DuplicateWindow, meta.MaxAge)
	}
	return next, schedules || meta.AllowRollup != rollups || meta.DuplicateWindow != window
}
