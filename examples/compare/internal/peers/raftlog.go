package peers

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	raftwal "github.com/hashicorp/raft-wal"

	"github.com/seed-d8b58eba/millrace/actors"
	raftstore "github.com/seed-d8b58eba/millrace/actors/adapters/raft"
)

// RaftLog is a store of the log of a raft server. Each is durable as it comes.
type RaftLog struct {
	Name string
	Open func(dir string) (OpenRaftLog, error)
}

// OpenRaftLog is the log as HashiCorp's raft uses it: by one caller, which appends at the end.
type OpenRaftLog interface {
	raft.LogStore
	io.Closer
}

// RaftLogs are the stores that a raft log can be in.
func RaftLogs() []RaftLog {
	return []RaftLog{
		{Name: "raft-boltdb", Open: func(dir string) (OpenRaftLog, error) {
			return raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
		}},
		{Name: "raft-wal", Open: func(dir string) (OpenRaftLog, error) { return raftwal.Open(dir) }},
		{Name: "Millrace", Open: func(dir string) (OpenRaftLog, error) {
			return raftstore.Open(context.Background(), raftstore.Config{System: actorSystem(), Stream: actors.Config{Dir: dir}})
		}},
	}
}

// RaftEntries makes entries from an index on, with the same data.
func RaftEntries(first uint64, count int, data []byte) []*raft.Log {
	made := make([]*raft.Log, count)
	for i := range made {
		made[i] = &raft.Log{Index: first + uint64(i), Term: 1, Type: raft.LogCommand, Data: data}
	}
	return made
}

// errRaftLog: the log is not as it should be.
var errRaftLog = errors.New("peers: the log ends elsewhere")

// RaftEnd returns an error unless the log ends at an index.
func RaftEnd(log raft.LogStore, want uint64) error {
	last, err := log.LastIndex()
	if err == nil && last != want {
		err = errRaftLog
	}
	return err
}
