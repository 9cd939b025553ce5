// Package raftstore keeps the log and the votes of a server of github.com/hashicorp/raft in Millrace streams.
//
// A [Store] is a raft.LogStore and a raft.StableStore, and two things more that raft looks for: its log has no gaps
// (raft.MonotonicLogStore), and it keeps the commit index with the entries (raft.CommitTrackingLogStore), so that
// raft.Config.RestoreCommittedLogs works.
//
// The log is a stream with one message an entry: the sequence is the index, the subject the type of the entry, so that
// tools for streams can show what a server has, and filter it. The stable store is a second stream that keeps the last
// message of each key. Both are in one folder.
//
// What StoreLogs, StoreLog, DeleteRange, Set and SetUint64 have done when they return is durable
// (actors.SyncAlways, unless [Config.Stream] says otherwise).
//
// # When a disk fails
//
// A write that fails leaves open whether the entries are in the log. Raft takes them to be not there, and stores others
// in their place. So a Store waits up to [Config.Patience] for the stream to recover, cuts off what may be there, and
// stores again; if that does not help it returns the error, shows the log as it was before, and cuts it before anything
// else is stored. A DeleteRange that failed is carried out again in the same way.
//
// # What damage does
//
// Entries that raft has been told are stored count in elections. A server that has lost some must not vote as if it had
// not had them, so [Open] refuses a log with damage in it, see [ErrLoss].
package raftstore
