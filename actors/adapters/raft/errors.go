package raftstore

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
)

var (
	// ErrConfig: the configuration cannot be used. Nothing was changed.
	ErrConfig = errors.New("raftstore: invalid configuration")
	// ErrGap: refused, the entries do not follow each other and the last one of the log. Nothing was changed.
	ErrGap = errors.New("raftstore: entries have to follow each other")
	// ErrMiddle: refused, a range that begins behind the first entry and ends before the last one. Nothing was changed.
	ErrMiddle = errors.New("raftstore: only the beginning or the end of the log can be deleted")
	// ErrNoEntry: the message at an index is no entry that this package has written.
	ErrNoEntry = errors.New("raftstore: no entry of a raft log")
	// ErrLoss: Open has found that entries are missing between the first and the last one, as files were damaged or
	// somebody has removed messages. Nothing was changed by that. It wraps actors.ErrCorrupt.
	//
	// A server that has forgotten what it had acknowledged can vote for a leader that does not have it either, and
	// then it is lost for the cluster. The safe way on is to remove the server from the cluster, delete its folder,
	// and add it as a new one. With Config.AcceptLoss it is opened all the same: entries before the last missing one
	// are of no use to raft, which asks for them with GetLog and gets the error.
	ErrLoss = fmt.Errorf("raftstore: entries of the log are missing: %w", actors.ErrCorrupt)
)
