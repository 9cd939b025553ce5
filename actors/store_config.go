package actors

import (
	"context"
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// UpdateConfig changes the stream's limits, and its subjects, while it is open: MaxMsgs, MaxBytes, MaxMsgsPer,
// MaxAge, MaxMsgSize, Discard, DiscardNewPer, AllowMsgTTL, SubjectDeleteMarkerTTL and Subjects, each as Open takes
// them: zero keeps what is stored. TTLs that are turned on see the messages that are there, block by block. And what
// headers mean: AllowRollup, Duplicates and MaxDuplicates, zero of which keeps what is in force; ids of messages that
// were stored while none were remembered, or that a narrower window had forgotten, are known from the next Open on.
// AllowMsgSchedules: schedules that are in the stream already are looked for in the background. And Compression.
// And Sync with SyncEvery, which are not stored: what was acknowledged before is durable first, so that it is as safe
// as the old level said and the new one says.
// A change is refused that a nats-server would refuse: DiscardNewPer needs DiscardNew and MaxMsgsPer, AllowMsgSchedules
// excludes DiscardNew, and the name stays. Other than there, what a switch has turned on can be turned off again.
// Whatever else config has is not looked at, but for Name, which has to be that of the stream, and for what
// Validate refuses.
//
// It returns when the change is stored, and what the new limits do not let stay is gone, first by MaxMsgs, then by
// MaxBytes (both with DiscardOld only), MaxMsgsPer, and MaxAge, the oldest first. Where that is much, it goes block by
// block, and stores go on meanwhile. Raising a limit, and a change of policy, removes nothing, and never brings back
// what was removed, also after a crash.
//
// Errors: ErrConfig, ErrStopped, and ErrFailed alone have changed nothing. With ErrUnreadable nobody knows what a limit
// that is to be raised has removed, as a block cannot be read at the moment; it stays as it was. When the configuration
// cannot be stored, that is the error, and the old one stays in force. With ErrOutcomeUnknown the old one may be in
// force or the new one, also at the next Open.
func (s *Store) UpdateConfig(ctx context.Context, config Config) error {
	o := s.ops.get()
	o.fillConfig(config)
	_, err := s.run(ctx, o)
	return err
}

func (o *op) fillConfig(config Config) {
	o.config, o.command = &config, &engine.Flush{} // for its size
}

// checkDiscard refuses a change to what a nats-server takes no stream with, and would not serve one: new messages of a
// full subject are to be discarded, and there are none or none is full.
func checkDiscard(before, after *blockio.StreamMeta) error {
	wrong := func(m *blockio.StreamMeta) bool {
		return m.DiscardNewPerSubj && (limitsOf(m).Discard != engine.DiscardNew || m.MaxMsgsPerSubject <= 0)
	}
	if wrong(after) && !wrong(before) {
		return fmt.Errorf("%w: DiscardNewPer without DiscardNew and MaxMsgsPer", ErrConfig)
	}
	return nil
}

// checkUpdate refuses a configuration that an open stream cannot take.
func (s *stream) checkUpdate(c *Config) error {
	switch {
	case c.Name == "":
		return fmt.Errorf("%w: name is empty", ErrConfig)
	case c.Name != s.config.Name:
		return fmt.Errorf("%w: the name of stream %s cannot be changed to %s", ErrConfig, s.config.Name, c.Name)
	case c.Cipher != CipherAsStored && c.Cipher != s.cipher():
		return fmt.Errorf("%w: the cipher of stream %s cannot be changed while it is open", ErrConfig, c.Name)
	case c.Dir == "":
		c.Dir = s.config.Dir
	}
	return c.Validate()
}
