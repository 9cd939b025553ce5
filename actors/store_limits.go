package actors

import "github.com/seed-d8b58eba/millrace/engine"

// Limits are what bounds a stream: zero or negative values mean unlimited.
type Limits = engine.Limits

// Limits returns the limits that the stream has: those of its Config or of the last UpdateConfig, and of its meta file
// where these name none. MaxMsgSize is unlimited with Config.MaxMsgSizeElsewhere.
func (s *Store) Limits() Limits { return *s.shown.Load() }

// setLimits sets the limits of the stream. Only the store actor does, once it runs.
func (s *stream) setLimits(limits Limits) {
	s.limits = limits
	s.shown.Store(&limits)
}
