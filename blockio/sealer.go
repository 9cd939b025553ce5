package blockio

import (
	"errors"
	"fmt"
	"strings"
)

// A Sealer is a file system that encrypts what it writes. What is asked of it beside the files is what only those know
// who write the blocks: when the next step with a key is due.
//
// The file of a block and that with its key cannot take their places in one step. A block that is written anew gets
// another key with its new file; that lies ready when the new file is opened, and has to be durable before it takes the place of
// the old one. When that is durable, too, SettleKey puts the key into its place.
type Sealer interface {
	FS
	// Seals reports whether anything is encrypted. Nothing below need be called if it is false.
	Seals() bool
	// SealMeta returns what meta.inf is to hold for what it is to say.
	SealMeta(plain []byte) ([]byte, error)
	// OpenMeta returns what meta.inf says by what it holds: the same if that is not encrypted, or not with a known key.
	OpenMeta(stored []byte) []byte
	// SettleKey puts the key into its place that the new file of a block has. The caller makes the names in
	// the directory of the blocks durable before and after it.
	SettleKey(id uint32) error
	// RenewKey gives an empty block another key, as it may have held something under the one that it has. Files of it that are open
	// go by it. The caller makes the names durable after it.
	RenewKey(id uint32) error
	// RemoveKey removes the key of a block that is gone, durably.
	RemoveKey(id uint32) error
}

// A SealedFile is the file of an encrypted block, which reads and writes as the block is.
type SealedFile interface {
	File
	// Stored is the file as it is on the disk, each byte at the offset that it has in the block.
	Stored() File
	// Unseal makes of bytes that are stored at an offset those of the block, in place.
	Unseal(data []byte, offset int64)
}

// SealerOf returns the file system as one that encrypts, if it does.
func SealerOf(fsys FS) (Sealer, bool) {
	s, ok := fsys.(Sealer)
	return s, ok && s.Seals()
}

// storedFile returns the file as it is on the disk.
func storedFile(file File) File {
	if s, ok := file.(SealedFile); ok {
		return s.Stored()
	}
	return file
}

// RewriteNumber returns the number of the block of which a file of this name, without its directory, is to take the place.
func RewriteNumber(name string) (id uint32, ok bool) {
	stem, ok := strings.CutSuffix(name, rewriteSuffix)
	if !ok {
		return 0, false
	}
	return blockID(stem + blockSuffix)
}

// RewritePath returns the file in which a block of the stream in dir is written anew.
func RewritePath(dir string, id uint32) string {
	return strings.TrimSuffix(BlockPath(dir, id), blockSuffix) + rewriteSuffix
}

// settleKey ends a change of the file of a block whose new file has its place, durably. The error wraps ErrSync:
// the block is the new one, and nobody else may be told the old.
func (b *Blocks) settleKey(id uint32) error {
	s, ok := SealerOf(b.fs)
	if !ok {
		return nil
	}
	if err := s.SettleKey(id); err != nil {
		return syncError(err)
	}
	return b.syncDir()
}

// renewKey gives an empty block another key, durably.
func (b *Blocks) renewKey(id uint32) error {
	s, ok := SealerOf(b.fs)
	if !ok {
		return nil
	}
	if err := s.RenewKey(id); err != nil {
		return err
	}
	return b.syncDir()
}

// removeKeys removes the keys of blocks that are gone, and durably so if synced.
func (b *Blocks) removeKeys(ids []uint32, synced bool) error {
	s, ok := SealerOf(b.fs)
	if !ok {
		return nil
	}
	var errs []error
	if !synced { // an earlier attempt may have removed the blocks, and failed then
		if err := b.syncDir(); err != nil {
			return fmt.Errorf("remove keys of %s: %w", b.stream, err)
		}
	}
	for _, id := range ids {
		errs = append(errs, b.wrap("remove the key of", id, s.RemoveKey(id)))
	}
	return errors.Join(errs...)
}
