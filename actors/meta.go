package actors

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
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
	// purgeCut: a purge by nats-server was cut short.
	purgeCut bool
	// hasBlocks: the directory of the blocks is there.
	hasBlocks bool
}

// openedMeta is what is to be written of the stream's configuration while it is opened.
type openedMeta struct {
	// save writes the files. It has to wait until the blocks are known to be readable.
	save func() error
	// then, if not nil, has the limits of this Open: those that are stored, limits, are applied before.
	then   *disk.NewLimits
	limits engine.Limits
	// purgeCut: a purge by nats-server is to be finished first.
	purgeCut bool
	// hasBlocks: the directory of the blocks is there, unless that purge has made off with it.
	hasBlocks bool
}

// openMeta reads the stream's configuration, and merges its limits with those of this Open. It changes
// nothing.
func (s *stream) openMeta() (opened openedMeta, err error) {
	c := &s.config
	meta, err := s.readMeta()
	if err != nil {
		return opened, err
	}
	s.noteServerLimits(meta)
	opened.purgeCut, opened.hasBlocks = meta.purgeCut, meta.hasBlocks
	opened.limits = s.limitsOf(meta.StreamMeta)
	given, changed, err := givenMeta(c, meta.StreamMeta)
	if err != nil {
		return opened, err
	}
	meta.StreamMeta, s.meta = given, given
	changed = mergeLimits(meta.StreamMeta, c) || changed
	var means bool
	s.publishing, means = mergePublishing(meta.StreamMeta, c, publishing{})
	changed = means || changed
	if err := checkSchedules(meta.StreamMeta); err != nil {
		return opened, err
	}
	s.setLimits(s.limitsOf(meta.StreamMeta))
	if len(c.Subjects) > 0 && !slices.Equal(meta.Subjects, c.Subjects) {
		meta.Subjects, changed = c.Subjects, true
	}
	if (meta.isNew || meta.lost != nil) && c.FirstSequence > 1 {
		meta.FirstSeq = c.FirstSequence
	}
	c.FirstSequence = meta.FirstSeq
	s.warnUnserved(meta.StreamMeta)
	s.showMeta(meta.StreamMeta)
	if c.BlockSize == 0 {
		c.BlockSize = blockSizeFor(s.limits.MaxBytes, meta.Retention, s.cipher() != CipherNone)
	}
	if c.ReadOnly {
		return opened, s.checkReadOnly(meta)
	}
	opened.save = func() error { return s.saveMeta(meta, changed) }
	if !meta.isNew && meta.lost == nil && opened.limits.Brings(s.limits) {
		opened.save = func() error { return s.saveMeta(meta, false) }
		opened.then = &disk.NewLimits{Limits: s.limits, Save: func() error {
			return blockio.WriteMeta(c.FS, s.dir, c.Name, meta.StreamMeta)
		}}
	}
	return opened, nil
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
		if err := s.checkNewName(); err != nil && !c.ReadOnly {
			return stored, err
		}
	case errors.Is(err, blockio.ErrEncrypted):
		return stored, errNoKey
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
	if err := checkServed(stored.StreamMeta); err != nil {
		return stored, err
	}
	features, err := blockio.ReadDirectoryFeatures(c.FS, s.dir)
	if features.IndexError != nil {
		s.log.Warn("cannot read who has written what is written of the stream", "error", features.IndexError)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && stored.isNew:
	case err != nil:
		return stored, err
	case features.Encrypted && c.Key == nil:
		return stored, errNoKey
	}
	stored.hasIndex, stored.purgeCut, stored.hasBlocks = features.HasIndex, features.PurgeCut, features.HasBlocksDir
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
	case !meta.isNew && !meta.Finished():
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

// noteServerLimits notes by which limits nats-server may have removed messages. Of a stream whose configuration is
// lost nobody knows.
func (s *stream) noteServerLimits(meta storedMeta) {
	s.serverLimits.maxMsgsPer = meta.MaxMsgsPerSubject
	s.serverLimits.removes = meta.lost != nil || meta.Retention != "limits" || meta.AllowMsgTTL
	s.serverLimits.had = meta.lost != nil || meta.hasIndex
	s.serverLimits.cannotTell = s.serverLimits.had || meta.AllowMsgTTL || meta.AllowMsgSchedules
}

// mergeLimits takes limits from the configuration where it has them and from the
// meta file where not. It reports whether the meta file has to change.
func mergeLimits(meta *blockio.StreamMeta, c *Config) (changed bool) {
	before := *meta
	meta.MaxMsgs = limit(meta.MaxMsgs, c.MaxMsgs, Unlimited)
	meta.MaxBytes = limit(meta.MaxBytes, c.MaxBytes, Unlimited)
	meta.MaxMsgsPerSubject = limit(meta.MaxMsgsPerSubject, c.MaxMsgsPer, Unlimited)
	if c.DiscardNewPer != AsStored {
		meta.DiscardNewPerSubj = c.DiscardNewPer == On
	}
	meta.MaxMsgSize = limit(meta.MaxMsgSize, int32(max(c.MaxMsgSize, Unlimited)), Unlimited)
	meta.MaxAge = limit(meta.MaxAge, c.MaxAge, 0)
	mergeTTLs(meta, c)
	switch c.Compression {
	case On:
		meta.Compression = compressionS2
	case Off:
		meta.Compression = compressionNone
	}
	switch c.Discard {
	case DiscardOld:
		meta.Discard = "old"
	case DiscardNew:
		meta.Discard = "new"
	}
	return meta.MaxMsgs != before.MaxMsgs || meta.MaxBytes != before.MaxBytes ||
		meta.MaxMsgsPerSubject != before.MaxMsgsPerSubject || meta.DiscardNewPerSubj != before.DiscardNewPerSubj ||
		meta.MaxMsgSize != before.MaxMsgSize || meta.MaxAge != before.MaxAge ||
		meta.AllowMsgTTL != before.AllowMsgTTL || meta.DeleteMarkerTTL != before.DeleteMarkerTTL || meta.AllowRollup != before.AllowRollup ||
		meta.Discard != before.Discard || meta.Compression != before.Compression
}

// What a meta file says of the compression of blocks.
const (
	compressionNone = "none"
	compressionS2   = "s2"
)

// limitsOf returns the limits that a meta file has, as far as the store applies them.
func (s *stream) limitsOf(meta *blockio.StreamMeta) engine.Limits {
	limits := limitsOf(meta)
	if s.config.MaxMsgSizeElsewhere {
		limits.MaxMsgSize = Unlimited
	}
	return limits
}

// limitsOf returns the limits that a meta file has.
func limitsOf(meta *blockio.StreamMeta) engine.Limits {
	limits := engine.Limits{
		MaxMsgs: meta.MaxMsgs, MaxBytes: meta.MaxBytes, MaxMsgsPer: meta.MaxMsgsPerSubject, DiscardNewPer: meta.DiscardNewPerSubj,
		MaxAge: meta.MaxAge, MaxMsgSize: int(meta.MaxMsgSize),
	}
	if meta.Discard == "new" {
		limits.Discard = engine.DiscardNew
	}
	if meta.AllowMsgTTL || meta.DeleteMarkerTTL >= time.Second {
		limits.MsgTTL, limits.MarkerTTL = engine.TTLOn, meta.DeleteMarkerTTL
	}
	return limits
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
