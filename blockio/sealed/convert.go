package sealed

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// convertBlocks encrypts each block as it is to be, one after the other. complete is false when there was one with
// sectors that cannot be read.
func (s *FS) convertBlocks(ctx context.Context, blocks []foundBlock) (complete bool, err error) {
	complete = true
	for _, b := range blocks {
		if s.blocks[b.id].now.cipher == s.cipher {
			continue
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		err := s.convertBlock(b.id)
		if blockio.Unreadable(err) != nil {
			s.o.Log.Warn("a block cannot be encrypted as it is to be", "block", b.id, "error", err)
			complete = false
			continue
		}
		if err != nil {
			return false, err
		}
	}
	return complete, nil
}

// convertBlock writes a block anew, with another key. The bytes that it has when it is read stay the same, damage and
// zeros at its end among them.
func (s *FS) convertBlock(id uint32) error {
	name := blockio.BlockPath(s.o.Dir, id)
	file, err := s.FS.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return err
	}
	k := s.blocks[id]
	data, err := blockio.ReadStored(k.now.file(file), name, s.o.Stream, id)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	next, err := s.fresh(id, newKeySuffix)
	if err != nil {
		return err
	}
	temp := blockio.RewritePath(s.o.Dir, id)
	if err := s.fill(temp, data, next.file); err != nil {
		return err
	}
	if err := s.syncBlocks(); err != nil {
		return err
	}
	if err := s.FS.Rename(temp, name); err != nil {
		return err
	}
	k.now, k.unsettled = next, true
	if err := s.syncBlocks(); err != nil {
		return err
	}
	if err := s.settle(id, k); err != nil {
		return err
	}
	return s.syncBlocks()
}

// fill makes a file of the real file system with a content that is written through another, and syncs it.
func (s *FS) fill(name string, data []byte, through func(blockio.File) blockio.File) error {
	file, err := s.FS.OpenFile(name, blockio.ModeReplace)
	if err != nil {
		return err
	}
	open := through(file)
	if len(data) > 0 {
		_, err = open.WriteAt(data, 0)
	}
	if err == nil {
		err = open.Sync()
	}
	return errors.Join(err, file.Close())
}

// convertState encrypts index.db as it is to be: a nats-server may have left it as it is, too. One that is damaged says nothing, but may have
// subjects, and goes.
func (s *FS) convertState() error {
	name := filepath.Join(blockio.BlocksDir(s.o.Dir), blockio.StateFile)
	data, err := s.read(name)
	if data == nil || err != nil {
		if blockio.Unreadable(err) != nil {
			return nil // it says nothing as long as that is so
		}
		return err
	}
	plain, by := s.openedState(data)
	if by != nil && by == s.meta && s.cipher != None || by == nil && s.cipher == None {
		return nil
	}
	content, err := s.sealState(plain)
	if err != nil {
		err = ignoreMissing(s.FS.Remove(name))
	} else {
		err = s.write(name, content)
	}
	if err != nil {
		return err
	}
	return s.syncBlocks()
}

// convertOthers encrypts as it is to be what nats-server knows nothing of: beside the blocks, and what was set aside.
func (s *FS) convertOthers() error {
	for _, dir := range []string{blockio.BlocksDir(s.o.Dir), s.path("lost+found")} {
		entries, err := s.FS.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name)
			if k, _ := s.kindOf(name); k != other || e.IsDir {
				continue
			}
			if strings.HasSuffix(name, blockio.UnfinishedSuffix) {
				err = ignoreMissing(s.FS.Remove(name))
			} else {
				err = s.convertOther(name)
			}
			if err != nil {
				return err
			}
		}
		if err := s.FS.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// convertOther writes one such file anew, unless it is encrypted as it is to be. One of which sectors cannot be read is removed:
// it can be made again, or is a copy.
func (s *FS) convertOther(name string) error {
	file, err := s.FS.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return err
	}
	open, by, err := s.openHead(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if by != nil && by == s.meta && s.cipher != None || by == nil && open == file && s.cipher == None {
		return file.Close()
	}
	stat, err := open.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	data := make([]byte, stat.Size)
	n, err := open.ReadAt(data, 0)
	closeErr := file.Close()
	if blockio.IsReadFailure(err) {
		return ignoreMissing(s.FS.Remove(name))
	}
	if err != nil && !errors.Is(err, io.EOF) || closeErr != nil {
		return errors.Join(err, closeErr)
	}
	temp := name + blockio.UnfinishedSuffix
	target, err := s.FS.OpenFile(temp, blockio.ModeReplace)
	if err != nil {
		return err
	}
	open = target
	if s.cipher != None {
		open, err = s.newHead(target)
	}
	if err == nil && n > 0 {
		_, err = open.WriteAt(data[:n], 0)
	}
	if err == nil {
		err = target.Sync()
	}
	if err = errors.Join(err, target.Close()); err != nil {
		return err
	}
	return s.FS.Rename(temp, name)
}

// convertMeta encrypts meta.inf as it is to be. One that is lost stays as it is.
func (s *FS) convertMeta() error {
	data, err := s.read(s.path("meta.inf"))
	if data == nil || err != nil {
		if blockio.Unreadable(err) != nil {
			return nil
		}
		return err
	}
	plain, by, sealed := s.openSmall(data)
	if sealed && by == s.meta && s.cipher != None || !sealed && s.cipher == None {
		return nil
	}
	if !sealed {
		plain = data
	}
	meta, err := blockio.ParseMeta(plain)
	if err != nil || meta.Name != s.o.Stream {
		return nil
	}
	// What the file says stays the same, byte for byte.
	return blockio.WriteMetaBytes(s.FS, s.o.Dir, s.o.Stream, plain, s.SealMeta)
}
