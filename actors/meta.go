package actors

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// storedMeta is a stream's configuration as its directory has it.
type storedMeta struct {
	*blockio.StreamMeta
	isNew bool  // there is no stream yet
	lost  error // why the stream's own is lost and a new one takes its place, nil if it does not
	// hasIndex: nats-server's own state of the stream lies beside the blocks.
	hasIndex bool
}

// openMeta reads the stream's configuration, and merges its limits with those of this Open. It changes
// nothing, and returns what writes the files, which has to wait until the blocks are known to be readable.
func (s *stream) openMeta() (save func() error, err error) {
	c := &s.config
	meta, err := s.readMeta()
	if err != nil {
		return nil, err
	}
	s.noteServerLimits(meta)
	changed := s.mergeLimits(meta.StreamMeta)
	if len(c.Subjects) > 0 && !slices.Equal(meta.Subjects, c.Subjects) {
		meta.Subjects, changed = c.Subjects, true
	}
	if (meta.isNew || meta.lost != nil) && c.FirstSequence > 1 {
		meta.FirstSeq = c.FirstSequence
	}
	c.FirstSequence = meta.FirstSeq
	if c.BlockSize == 0 {
		c.BlockSize = blockSizeFor(s.limits.MaxBytes)
	}
	return func() error { return s.saveMeta(meta, changed) }, nil
}

// readMeta reads the stream's configuration, without any change: that of a new stream if there is none. It
// refuses directories that this version would misread.
func (s *stream) readMeta() (storedMeta, error) {
	c := &s.config
	meta, err := blockio.ReadMeta(c.FS, s.dir, c.Name)
	stored := storedMeta{StreamMeta: meta}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		stored.isNew = true
	case errors.Is(err, blockio.ErrEncrypted):
		return stored, fmt.Errorf("%w: the stream is encrypted", ErrUnsupported)
	case errors.Is(err, ErrMetaLost) && c.RecreateMeta:
		stored.lost = err
	case errors.Is(err, ErrMetaLost):
		return stored, fmt.Errorf("%w; nothing was changed: put meta.inf and meta.sum back from a backup, or open "+
			"the stream with Config.RecreateMeta and the limits that it should have", err)
	default:
		return stored, err
	}
	if meta == nil {
		stored.StreamMeta = blockio.NewStreamMeta(c.Name, s.runtime.clock())
	}
	features, err := blockio.ReadDirectoryFeatures(c.FS, s.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && stored.isNew:
	case err != nil:
		return stored, err
	case features.Encrypted:
		return stored, fmt.Errorf("%w: the stream is encrypted", ErrUnsupported)
	case features.PurgeCut:
		return stored, fmt.Errorf("%w: a purge by nats-server was cut short; let it finish the purge first", ErrUnsupported)
	}
	stored.hasIndex = features.HasIndex
	return stored, nil
}

// saveMeta writes the meta files, as far as they are not right already.
func (s *stream) saveMeta(meta storedMeta, changed bool) error {
	c := &s.config
	switch {
	case meta.lost != nil:
		s.log.Warn("the stream's configuration is lost; that of this open takes its place, and messages that the old limits had removed may be back",
			"error", meta.lost, "maxMsgs", meta.MaxMsgs, "maxBytes", meta.MaxBytes, "maxAge", meta.MaxAge, "discard", meta.Discard)
		// The way back from a full disk must not depend on room for the copy.
		if err := blockio.SetAsideMeta(c.FS, s.dir); err != nil {
			s.log.Warn("cannot set aside what is left of the meta files", "error", err)
		}
	case !meta.isNew:
		renewed, err := blockio.FinishMeta(c.FS, s.dir, c.Name)
		if err != nil {
			return err
		}
		if renewed {
			s.log.Warn("meta.sum was missing or empty, so nothing but its form says that meta.inf is right; it has a sum again")
		}
	}
	if meta.isNew || meta.lost != nil || changed {
		return blockio.WriteMeta(c.FS, s.dir, c.Name, meta.StreamMeta)
	}
	return nil
}

// noteServerLimits notes by which limits nats-server may have removed messages, and warns of those that this
// version does not apply. Of a stream whose configuration is lost nobody knows.
func (s *stream) noteServerLimits(meta storedMeta) {
	s.serverLimits.maxMsgsPer = meta.MaxMsgsPerSubject
	s.serverLimits.cannotTell = meta.lost != nil || meta.hasIndex || meta.AllowMsgTTL || meta.AllowMsgSchedules
	for name, set := range map[string]bool{
		"allow_msg_ttl":       meta.AllowMsgTTL,
		"allow_msg_schedules": meta.AllowMsgSchedules,
	} {
		if set {
			s.log.Warn("the stream has a limit that this version does not apply", "limit", name)
		}
	}
}

// mergeLimits takes limits from the configuration where it has them and from the
// meta file where not. It reports whether the meta file has to change.
func (s *stream) mergeLimits(meta *blockio.StreamMeta) (changed bool) {
	c, before := &s.config, *meta
	publishing := s.mergePublishing(meta)
	meta.MaxMsgs = limit(meta.MaxMsgs, c.MaxMsgs, Unlimited)
	meta.MaxBytes = limit(meta.MaxBytes, c.MaxBytes, Unlimited)
	meta.MaxMsgsPerSubject = limit(meta.MaxMsgsPerSubject, c.MaxMsgsPer, Unlimited)
	meta.DiscardNewPerSubj = meta.DiscardNewPerSubj || c.DiscardNewPer
	meta.MaxMsgSize = limit(meta.MaxMsgSize, int32(max(c.MaxMsgSize, Unlimited)), Unlimited)
	meta.MaxAge = limit(meta.MaxAge, c.MaxAge, 0)
	switch c.Discard {
	case DiscardOld:
		meta.Discard = "old"
	case DiscardNew:
		meta.Discard = "new"
	}
	s.limits = engine.Limits{
		MaxMsgs: meta.MaxMsgs, MaxBytes: meta.MaxBytes, MaxMsgsPer: meta.MaxMsgsPerSubject, DiscardNewPer: meta.DiscardNewPerSubj,
		MaxAge: meta.MaxAge, MaxMsgSize: int(meta.MaxMsgSize),
	}
	if meta.Discard == "new" {
		s.limits.Discard = engine.DiscardNew
	}
	return meta.MaxMsgs != before.MaxMsgs || meta.MaxBytes != before.MaxBytes ||
		meta.MaxMsgsPerSubject != before.MaxMsgsPerSubject || meta.DiscardNewPerSubj != before.DiscardNewPerSubj ||
		meta.MaxMsgSize != before.MaxMsgSize || meta.MaxAge != before.MaxAge ||
		meta.Discard != before.Discard || publishing
}

// limit returns the limit that is in force: the stored one unless the
// configuration wants another, or none.
func limit[T int32 | int64 | time.Duration](stored, wanted, unlimited T) T {
	switch {
	case wanted == 0:
		return stored
	case wanted < 0:
		return unlimited
	}
	return wanted
}
