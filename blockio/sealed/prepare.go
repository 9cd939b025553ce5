package sealed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Prepare makes the stream ready for changes: it ends what a crash has cut short, wraps keys anew that only OldKey opens, and
// converts what is encrypted in another way than it is to be. It removes thw.db and sched.db, which are never encrypted. All keys are
// tried before anything is changed: after an error that wraps ErrKey nothing was. The directory of the blocks is there,
// and locked.
//
// A crash, and an error, leaves a stream that Look and Prepare go on with, with the same keys. A block with sectors that cannot be
// read stays as it is until they can.
func (s *FS) Prepare(ctx context.Context) error {
	if s.o.ReadOnly {
		return s.check()
	}
	for {
		w, err := s.lookAtKeys()
		if err != nil {
			return err
		}
		if w.converting && w.key == nil && w.next == nil {
			// A conversion to none at all has come to its last step.
			if err := ignoreMissing(s.FS.Remove(s.path(metaNewKeyName))); err != nil {
				return err
			}
			if err := s.FS.SyncDir(s.o.Dir); err != nil {
				return err
			}
			continue
		}
		s.mu.Lock()
		s.take(w)
		target := s.cipher
		if w.converting && w.cipher() != AsStored {
			s.cipher = w.cipher() // first to where it was going
		}
		through := s.cipher
		complete, err := s.prepare(ctx, w)
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("prepare %s: %w", s.o.Stream, err)
		}
		if through == target || !complete {
			return nil
		}
	}
}

// check tries all keys.
func (s *FS) check() error {
	w, err := s.lookAtKeys()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.take(w); s.seals {
		_, err = s.findBlocks()
	}
	return err
}

// prepare is Prepare for one conversion. complete is false when a block could not be converted. s.mu is held.
func (s *FS) prepare(ctx context.Context, w stored) (complete bool, err error) {
	if !s.seals {
		return true, nil
	}
	blocks, err := s.findBlocks()
	if err != nil {
		return false, err
	}
	// Up to here nothing was changed.
	steps := []func() error{
		func() error { return s.rewrapMeta(w) },
		func() error { return s.beginConversion(&w, len(blocks) == 0) },
		func() error { return s.mendKeys(blocks) },
		func() error { complete, err = s.convertBlocks(ctx, blocks); return err },
		s.convertConsumers,
		s.convertState,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return false, err
		}
	}
	if !w.converting {
		return complete, nil
	}
	if err := s.convertOthers(); err != nil {
		return false, err
	}
	if err := s.convertMeta(); err != nil {
		return false, err
	}
	if !complete {
		s.o.Log.Warn("not all blocks could be read, so that not all are encrypted as they are to be", "cipher", s.cipher)
		return false, nil
	}
	return true, s.endConversion()
}

// foundBlock is a block, and what its key files say.
type foundBlock struct {
	id uint32
	found
}

// findBlocks finds out how each block is encrypted.
func (s *FS) findBlocks() (list []foundBlock, err error) {
	entries, err := s.FS.ReadDir(blockio.BlocksDir(s.o.Dir))
	if err != nil {
		return nil, err
	}
	clear(s.blocks)
	for _, e := range entries {
		id, ok := blockio.BlockNumber(e.Name)
		if !ok || e.IsDir {
			continue
		}
		f, err := s.find(id)
		if err != nil {
			return nil, err
		}
		s.blocks[id] = &blockKeys{now: f.now, unsettled: f.unsettled}
		list = append(list, foundBlock{id, f})
	}
	return list, nil
}

// rewrapMeta wraps the keys of the stream with the key function that holds from now on.
func (s *FS) rewrapMeta(w stored) error {
	changed := false
	for _, file := range []struct {
		name   string
		key    *metaKey
		rewrap bool
	}{{metaKeyName, w.key, w.keyRewrap}, {metaNewKeyName, w.next, w.nextRewrap}} {
		if !file.rewrap {
			continue
		}
		changed = true
		if err := s.writeKey(s.path(file.name), file.key.secret, s.o.Stream); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	s.o.Log.Info("the keys of the stream are wrapped with another key now")
	return s.FS.SyncDir(s.o.Dir)
}

// writeKey writes a key file, which is not durable yet.
func (s *FS) writeKey(name string, key *secret, context string) error {
	data, err := key.wrap(s.o.Key, context)
	if err != nil {
		return err
	}
	return s.write(name, data)
}

// beginConversion makes a new key for the stream if its cipher is to be another one, and says so in meta.newkey, so that
// it is gone on with after a crash. A stream that holds nothing gets its key at once.
func (s *FS) beginConversion(w *stored, empty bool) error {
	if w.converting {
		return s.goOnConverting(w)
	}
	if w.key == nil && s.cipher == None || w.key != nil && w.key.cipher == s.cipher {
		return nil
	}
	var next *metaKey
	var data []byte
	if s.cipher != None {
		secret, err := newSecret(s.cipher, s.o.Random)
		if err != nil {
			return err
		}
		if data, err = secret.wrap(s.o.Key, s.o.Stream); err != nil {
			return err
		}
		next = newMetaKey(secret)
	}
	if w.key == nil && empty {
		inf, err := s.read(s.path("meta.inf"))
		if err != nil {
			return err
		}
		if inf == nil {
			s.meta = next
			return s.putKey(metaKeyName, data)
		}
	}
	s.o.Log.Info("the stream is being converted", "cipher", s.cipher)
	if err := s.putKey(metaNewKeyName, data); err != nil {
		return err
	}
	w.converting, w.next = true, next
	if next != nil {
		s.meta, s.earlier = next, nil
		if w.key != nil {
			s.earlier = []*metaKey{w.key}
		}
	}
	return s.goOnConverting(w)
}

// goOnConverting makes sure that nobody takes a stream that is partly encrypted for a plain one: with the first key
// beside meta.newkey there is a meta.key.
func (s *FS) goOnConverting(w *stored) error {
	if w.key != nil || w.next == nil {
		return nil
	}
	data, err := w.next.wrap(s.o.Key, s.o.Stream)
	if err != nil {
		return err
	}
	return s.putKey(metaKeyName, data)
}

// putKey makes a key file of the stream that was not there, durably. One whose name may not be on the disk is removed:
// no later sync would write a name that a failed one has forgotten, but a name that is given anew.
func (s *FS) putKey(name string, data []byte) error {
	err := s.write(s.path(name), data)
	if err == nil {
		if err = s.FS.SyncDir(s.o.Dir); err != nil {
			err = errors.Join(err, ignoreMissing(s.FS.Remove(s.path(name))))
		}
	}
	return err
}

// endConversion ends a conversion: everything is encrypted as it is to be.
func (s *FS) endConversion() error {
	if s.cipher != None {
		if err := s.FS.Rename(s.path(metaNewKeyName), s.path(metaKeyName)); err != nil {
			return err
		}
		s.earlier = nil
		return s.FS.SyncDir(s.o.Dir)
	}
	for _, name := range []string{metaKeyName, metaNewKeyName} {
		if err := ignoreMissing(s.FS.Remove(s.path(name))); err != nil {
			return err
		}
		if err := s.FS.SyncDir(s.o.Dir); err != nil {
			return err
		}
	}
	s.meta, s.earlier, s.seals = nil, nil, false
	return nil
}

// mendKeys puts the key files of all blocks into order, and removes those that have no block, and what was being
// written when the machine stopped.
func (s *FS) mendKeys(blocks []foundBlock) error {
	// What was found may not be on the disk yet, if the process alone was killed.
	if slices.ContainsFunc(blocks, func(b foundBlock) bool { return b.unsettled || b.stale }) {
		if err := s.syncBlocks(); err != nil {
			return err
		}
	}
	changed := false
	for _, b := range blocks {
		var err error
		switch k := s.blocks[b.id]; {
		case b.unsettled:
			err = s.settle(b.id, k)
		case b.stale:
			err = ignoreMissing(s.FS.Remove(s.keyPath(b.id, newKeySuffix)))
		}
		if err == nil && b.rewrap {
			if b.unsettled {
				err = s.syncBlocks()
			}
			if err == nil {
				err = s.writeKey(s.keyPath(b.id, keySuffix), b.now.secret, s.context(b.id))
			}
		}
		if err != nil {
			return err
		}
		changed = changed || b.unsettled || b.stale || b.rewrap
	}
	removed, err := s.removeLeft()
	if err == nil && (changed || removed) {
		err = s.syncBlocks()
	}
	return err
}

// removeLeft removes the keys of blocks that are gone, unfinished files, and those that are never encrypted.
func (s *FS) removeLeft() (removed bool, err error) {
	dir := blockio.BlocksDir(s.o.Dir)
	entries, err := s.FS.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.IsDir || !s.isLeft(e.Name) {
			continue
		}
		if !removed {
			// That a block is gone may not be on the disk yet, if the process alone was killed.
			if err := s.syncBlocks(); err != nil {
				return false, err
			}
		}
		if err := s.FS.Remove(filepath.Join(dir, e.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = true
	}
	return removed, nil
}

// isLeft reports whether a file beside the blocks is one that removeLeft removes.
func (s *FS) isLeft(name string) bool {
	if strings.HasSuffix(name, blockio.UnfinishedSuffix) {
		return true
	}
	for _, suffix := range []string{keySuffix, newKeySuffix} {
		if stem, ok := strings.CutSuffix(name, suffix); ok {
			id, ok := blockio.BlockNumber(stem + ".blk")
			return ok && s.blocks[id] == nil
		}
	}
	return s.cipher != None && (name == blockio.TTLFile || name == blockio.SchedulesFile)
}
