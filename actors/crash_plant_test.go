package actors

import (
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// plant is a bug that the sweep must find.
type plant uint8

const (
	nothing      plant = iota
	noSync             // syncs of block files are dropped
	noSyncDir          // syncs of the directory of blocks are dropped
	earlyAck           // acknowledged after the write, before its sync
	earlyRemoval       // evicted blocks are removed before what evicted them is durable
)

func (p plant) String() string {
	return [...]string{"nothing", "no sync", "no directory sync", "acknowledged before the sync", "removed too early"}[p]
}

// wrap puts the bug between the store and its file system.
func (p plant) wrap(files blockio.FS) blockio.FS {
	if p == noSync || p == noSyncDir {
		return plantedFS{files, p}
	}
	return files
}

// change puts the bug into an operation of the commit lane.
func (p plant) change(op engine.Op) engine.Op {
	if p == earlyAck {
		op.Sync = false
	}
	return op
}

// afterCommand removes blocks that the limits will empty once the command is
// durable, right away.
func (p plant) afterCommand(l *crashLife) error {
	if p != earlyRemoval {
		return nil
	}
	live := l.model.live(len(l.model.events))
	if len(live) == 0 {
		return nil
	}
	highest := make(map[uint32]uint64)
	if err := l.records(func(block uint32, _ int64, r blockio.Record) {
		highest[block] = max(highest[block], r.Sequence)
	}); err != nil {
		return err
	}
	list, err := l.store.files.Blocks.List()
	if err != nil {
		return err
	}
	for i, b := range list {
		if i+1 < len(list) && highest[b.ID] > 0 && highest[b.ID] < live[0].sequence {
			if err := l.store.files.Blocks.Remove(b.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// plantedFS leaves out syncs.
type plantedFS struct {
	blockio.FS
	plant plant
}

func (p plantedFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := p.FS.OpenFile(name, mode)
	if err == nil && p.plant == noSync && strings.HasSuffix(name, ".blk") {
		file = unsyncedFile{file}
	}
	return file, err
}

func (p plantedFS) SyncDir(name string) error {
	if p.plant == noSyncDir && strings.HasSuffix(name, "msgs") {
		return nil
	}
	return p.FS.SyncDir(name)
}

type unsyncedFile struct{ blockio.File }

func (unsyncedFile) Sync() error { return nil }
