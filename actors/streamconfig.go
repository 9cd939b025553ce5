package actors

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// StreamConfig returns the stream's configuration as the directory has it: the JSON object of meta.inf, which is a
// server's StreamConfig with the time of the stream's creation, Created. Members that mean nothing to the store are as
// they were written. It works on a stopped store, too. Config.StreamConfig is how to change it.
func (s *Store) StreamConfig() ([]byte, error) { return s.shownMeta.Load().Bytes() }

// ReadStreamConfig returns what Store.StreamConfig does of a stream that need not be open. Of the configuration, Dir,
// Name, FS and Logger count. A stream that there is none of is fs.ErrNotExist; other errors are those of Open.
func ReadStreamConfig(config Config) ([]byte, error) {
	_, meta, err := readClosed(config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", config.Name, err)
	}
	return meta.Bytes()
}

// WriteStreamConfig has config.StreamConfig take the place of the configuration of a stream that is not open: a crash
// leaves the one or the other, whole. A limit that removes messages cannot be raised so (ErrConfig): what it has removed
// would be back. UpdateConfig, and Open with the same Config, take that, too. Of config, Dir, Name, FS, Logger and StreamConfig count. Errors are those of
// ReadStreamConfig, and ErrLocked.
func WriteStreamConfig(config Config) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the configuration of %s: %w", config.Name, blockio.NameCause(err))
		}
	}()
	if config.StreamConfig == nil {
		return fmt.Errorf("%w: StreamConfig is nil", ErrConfig)
	}
	// A directory without a stream does not get a lock file.
	s, _, err := readClosed(config)
	if err != nil {
		return err
	}
	lock, err := s.config.FS.Lock(filepath.Join(s.dir, lockFile), holder())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	stored, err := s.readMeta()
	if err != nil {
		return err
	}
	next, changed, err := givenMeta(&s.config, stored.StreamMeta)
	if err == nil {
		err = checkSchedules(next)
	}
	if err != nil {
		return err
	}
	if limitsOf(stored.StreamMeta).Brings(limitsOf(next)) {
		return fmt.Errorf("%w: a limit of a closed stream cannot be raised", ErrConfig)
	}
	stored.StreamMeta = next
	return s.saveMeta(stored, changed)
}

// readClosed reads the configuration of a stream that need not be open.
func readClosed(config Config) (*stream, *blockio.StreamMeta, error) {
	if err := config.Validate(); err != nil {
		return nil, nil, err
	}
	s := newStream(nil, config.withDefaults())
	stored, err := s.readMeta()
	switch {
	case err != nil:
		return nil, nil, err
	case stored.isNew:
		return nil, nil, &fs.PathError{Op: "open", Path: s.dir, Err: fs.ErrNotExist}
	case stored.lost != nil:
		return nil, nil, stored.lost
	}
	return s, stored.StreamMeta, nil
}

// givenMeta returns the meta that takes the place of a stored one: Config.StreamConfig, if there is one. What that does
// not say of the name and the time of creation stays. It reports whether anything differs.
func givenMeta(c *Config, stored *blockio.StreamMeta) (next *blockio.StreamMeta, changed bool, err error) {
	if c.StreamConfig == nil {
		return stored, false, nil
	}
	next, err = parseGiven(c)
	if err != nil {
		return nil, false, err
	}
	if next.Created.IsZero() {
		next.Created = stored.Created
	}
	was, err := stored.Bytes()
	if err != nil {
		return nil, false, err
	}
	is, err := next.Bytes()
	if err != nil {
		return nil, false, fmt.Errorf("%w: StreamConfig: %w", ErrConfig, err)
	}
	if len(is) > blockio.MaxMetaSize {
		return nil, false, fmt.Errorf("%w: StreamConfig has %d bytes, at most %d", ErrConfig, len(is), blockio.MaxMetaSize)
	}
	return next, !bytes.Equal(was, is), nil
}

// parseGiven reads Config.StreamConfig.
func parseGiven(c *Config) (*blockio.StreamMeta, error) {
	meta, err := blockio.ParseMeta(c.StreamConfig)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: StreamConfig: %w", ErrConfig, err)
	case meta.Name != "" && meta.Name != c.Name:
		return nil, fmt.Errorf("%w: StreamConfig is of %q, not of %q", ErrConfig, meta.Name, c.Name)
	case meta.MaxAge < 0 || meta.MaxAge > 0 && meta.MaxAge < minAge:
		return nil, fmt.Errorf("%w: StreamConfig: max_age of %v is below %v", ErrConfig, meta.MaxAge, minAge)
	}
	if meta.Name == "" {
		if meta.Name = c.Name; slices.Equal(meta.Subjects, []string{""}) {
			meta.Subjects = []string{c.Name}
		}
	}
	if meta.DeleteMarkerTTL > 0 {
		if meta.DeleteMarkerTTL < time.Second {
			return nil, fmt.Errorf("%w: StreamConfig: subject_delete_marker_ttl is %v, at least 1s", ErrConfig, meta.DeleteMarkerTTL)
		}
		meta.AllowMsgTTL, meta.AllowRollup = true, true // as a nats-server has it
	}
	meta.AllowRollup = meta.AllowRollup || meta.AllowMsgSchedules
	return meta, checkServed(meta)
}

// showMeta has StreamConfig return a meta, which does not change any more.
func (s *stream) showMeta(meta *blockio.StreamMeta) {
	meta.Rest()
	s.shownMeta.Store(meta)
}
