package blockio

import (
	"errors"
	"io/fs"
)

// rewriteSuffix ends the name of the file in which a block is written anew, where that of
// the block ends in .blk. nats-server passes such names over, and RemoveOrphans removes
// what a crash has left: it may hold messages that are to be erased.
const rewriteSuffix = ".rewrite" + UnfinishedSuffix

// Rewrite replaces the file of a block by one with that content, all or nothing: after a
// crash at any moment the block is the old one or the new one, and nothing is left that
// describes the other. A write handle of the block is closed; no append may be under way.
//
// First what describes the block is removed, durably: what is beside it, and derived,
// names in the directory of the blocks. Then the new file is written and synced, the block
// begins a generation (see BlockSource.Replace: who has leased it, or asks for an earlier
// one, reads the old file), and the new file takes the name, which is synced as well.
//
// After an error that wraps ErrSync, or ErrBroken, nobody knows which of the two the disk
// has. After any other the block is as it was, and so is its generation; what described it
// may be gone.
func (b *Blocks) Rewrite(id uint32, generation uint64, content []byte, derived ...string) error {
	closeErr := b.drop(id) // of interest only when the rewriting fails as well
	if err := b.rewrite(id, generation, content, derived); err != nil {
		return b.wrap("rewrite", id, errors.Join(err, closeErr))
	}
	return nil
}

func (b *Blocks) rewrite(id uint32, generation uint64, content []byte, derived []string) error {
	if err := b.clearAround(id, derived); err != nil {
		return err
	}
	if err := b.replace(id, generation, func() error { return b.writeAnew(id, content) }); err != nil {
		return err
	}
	if err := b.syncDir(); err != nil {
		return err
	}
	return b.settleKey(id)
}

// writeAnew writes the file that putInPlace gives the place of that of a block, and syncs it.
func (b *Blocks) writeAnew(id uint32, content []byte) error {
	return writeFile(b.fs, RewritePath(b.dir, id), content)
}

// replace gives the file that write writes the place of that of a block, which begins a generation. That is not durable yet.
func (b *Blocks) replace(id uint32, generation uint64, write func() error) error {
	undo := func() {}
	err := b.putInPlace(id, write, func() (err error) {
		if source := b.opts.Source; source != nil {
			var begun func()
			if begun, err = source.Replace(id, generation); err == nil {
				undo = begun
			}
		}
		return err
	})
	if err != nil {
		undo()
	}
	return err
}

// putInPlace gives the file that write writes the place of that of a block, which is not durable yet. before is called when it
// is written and synced. After an error the block is as it was.
func (b *Blocks) putInPlace(id uint32, write, before func() error) error {
	temp := RewritePath(b.dir, id)
	err := write()
	if err == nil {
		err = before()
	}
	if _, sealed := SealerOf(b.fs); sealed && err == nil {
		err = b.syncDir() // its key is there
	}
	if err == nil {
		err = b.fs.Rename(temp, b.Path(id))
	}
	if err == nil {
		return nil
	}
	if rmErr := b.fs.Remove(temp); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}
