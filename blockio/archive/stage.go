package archive

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A Stage is a directory beside those of streams, in which somebody makes a stream of its name before anybody sees it. What
// a crash leaves of one is removed by the next one of the stream, and by the next Unpack.
type Stage struct{ staging *staging }

// NewStage makes a directory in which a stream is to be made. Of the destination Check and Bases mean nothing. The error
// wraps fs.ErrExist when there is something of that name already.
func NewStage(to Destination, stream string) (*Stage, error) {
	s := &staging{Destination: to, syncs: syncBehind{ctx: context.Background()}}
	if err := s.begin(stream); err != nil {
		return nil, errors.Join(err, s.end())
	}
	return &Stage{s}, nil
}

// Dir is the directory in which the stream's is to be made.
func (s *Stage) Dir() string { return s.staging.dir }

// Show gives the stream its place. Its files are durable, and closed.
func (s *Stage) Show() error {
	made := filepath.Join(s.staging.dir, filepath.Base(s.staging.final))
	for _, dir := range []string{blockio.BlocksDir(made), made, s.staging.dir} {
		if err := s.staging.FS.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := s.staging.clear(filepath.Base(s.staging.final)); err != nil {
		return err
	}
	if err := s.staging.FS.Rename(made, s.staging.final); err != nil {
		return err
	}
	return s.staging.FS.SyncDir(s.staging.Dir)
}

// End removes what is left, which is all of it if Show was not called, or failed.
func (s *Stage) End() error { return s.staging.end() }
