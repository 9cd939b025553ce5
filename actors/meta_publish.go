package actors

import "github.com/seed-d8b58eba/millrace/blockio"

// mergePublishing takes what the headers of messages mean from the configuration, and from the meta file. It
// reports whether the meta file has to change. The limits are merged.
func (s *stream) mergePublishing(meta *blockio.StreamMeta) (changed bool) {
	c, before := &s.config, *meta
	meta.AllowRollup = meta.AllowRollup || c.AllowRollup
	c.AllowRollup = meta.AllowRollup
	if c.Duplicates > 0 {
		// A nats-server refuses a stream whose window is longer than its messages live.
		if meta.DuplicateWindow = c.Duplicates; meta.MaxAge > 0 {
			meta.DuplicateWindow = min(c.Duplicates, meta.MaxAge)
		}
	}
	return meta.AllowRollup != before.AllowRollup || meta.DuplicateWindow != before.DuplicateWindow
}
