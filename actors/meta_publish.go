package actors

import "github.com/seed-d8b58eba/millrace/blockio"

// mergePublishing takes what the headers of messages mean from the configuration, and from the meta file. It
// reports whether the meta file has to change.
func (s *stream) mergePublishing(meta *blockio.StreamMeta) (changed bool) {
	c := &s.config
	c.AllowRollup, changed = c.AllowRollup || meta.AllowRollup, c.AllowRollup && !meta.AllowRollup
	meta.AllowRollup = c.AllowRollup
	return changed
}
