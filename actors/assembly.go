package actors

import (
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// This file says what a stream's engine and files are made with, at Open and after a failure alike.

// newFiles returns the files of the stream for the lanes and for recovery. It opens none.
func (s *stream) newFiles() *disk.Files {
	return &disk.Files{
		Log: s.log, FS: s.config.FS, Derived: derivedFiles, Source: s.source.Blocks(), Published: s.published,
		ReadOnly: s.config.ReadOnly, Encrypted: func() bool { return s.cipher() != CipherNone },
		Blocks: blockio.NewBlocks(s.config.FS, s.dir, s.config.Name, blockio.BlocksOptions{
			BlockSize: s.config.BlockSize, NoZeroAhead: s.config.NoPreallocation, Beside: []string{blockindex.Suffix},
			Source: s.source.Blocks(), Tails: s.runtime.tails,
			OnStray: func(name string) {
				s.log.Warn("a name that looks like a block; nats-server would refuse the directory", "name", name)
			},
		}),
	}
}

// engineConfig returns the configuration of the stream's engine.
func (s *stream) engineConfig() engine.Config {
	config := engine.Config{
		Limits: s.limits, BlockSize: s.config.BlockSize, Level: s.syncing.level.engine(),
		SyncEvery: s.syncing.every, Codec: disk.Codec(s.config.Name), Buffers: s.runtime.buffers,
		Linger: lingerMost, FirstSequence: s.config.FirstSequence, MaxUnwritten: s.config.MaxUnwritten,
		RollupHeaders: s.publishing.rollups, Duplicates: s.publishing.ids, Schedules: s.meta.AllowMsgSchedules,
		Derived: derivedFiles, Seed: s.runtime.seed, IndexFrom: s.config.IndexFrom, CompactBelow: max(s.config.CompactBelow, 0),
		Compress: s.meta.Compression == compressionS2,
	}
	if s.config.ReadOnly {
		return readOnlyEngine(config)
	}
	return config
}

// lingerMost is how long SyncNever keeps an acknowledged message in memory.
const lingerMost = time.Millisecond

// derivedFiles are beside the blocks, and describe the stream as it was before the first change.
var derivedFiles = []string{blockio.StateFile, blockio.SchedulesFile, blockio.EndProofFile, blockio.TTLFile}
