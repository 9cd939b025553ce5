package actors

import "github.com/seed-d8b58eba/millrace/engine"

// Limits are what bounds a stream: zero or negative values mean unlimited.
type Limits = engine.Limits

// Limits returns the limits that the stream has: those of its Config, and of its meta file where that names none.
func (s *Store) Limits() Limits { return s.limits }
