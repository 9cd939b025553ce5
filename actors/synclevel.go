package actors

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// SyncLevel says what an acknowledgement promises.
type SyncLevel uint8

// The sync levels, see Config.Sync.
const (
	// SyncDefault is SyncAlways for Open, and for UpdateConfig the level that is in force.
	SyncDefault SyncLevel = iota
	SyncAlways
	SyncInterval
	SyncNever
)

// String returns the level's name.
func (l SyncLevel) String() string {
	switch {
	case l == SyncDefault:
		return "default"
	case l > SyncNever:
		return fmt.Sprintf("SyncLevel(%d)", uint8(l))
	}
	return l.engine().String()
}

// engine returns what the level is to the engine.
func (l SyncLevel) engine() engine.SyncLevel {
	switch l {
	case SyncInterval:
		return engine.SyncInterval
	case SyncNever:
		return engine.SyncNever
	}
	return engine.SyncAlways
}

// syncing is a sync level with its interval.
type syncing struct {
	level SyncLevel
	every time.Duration
}

// with returns what is in force with a configuration, whose zeros keep it.
func (s syncing) with(c *Config) syncing {
	if c.Sync != SyncDefault {
		s.level = c.Sync
	}
	if c.SyncEvery > 0 {
		s.every = c.SyncEvery
	}
	return s
}

// synchronize has another sync level take the place of the one in force, once all before is durable. An engine that
// recovers meanwhile begins with it.
func (a *storeActor) synchronize(next syncing, tag any) {
	if next == a.syncing && tag == nil {
		return
	}
	a.syncing = next
	a.mailbox.SetShare(next.level == SyncNever)
	a.engine.Step(tag, &engine.SetSync{Level: next.level.engine(), Every: next.every})
}
