package raftstore

import (
	"testing"

	"github.com/hashicorp/raft"
	raftbench "github.com/hashicorp/raft/bench"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// openBench opens a Store on the disk.
func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Config{System: testSystem, Stream: actors.Config{Dir: b.TempDir()}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// dense is a log for those benchmarks of raft's that begin at index 0 or leave gaps, which raft itself never does: it
// numbers the entries anew. Of every ten indexes it has the first per ones.
type dense struct {
	raft.LogStore
	per uint64
}

func (d dense) index(sparse uint64) uint64 { return sparse/10*d.per + min(sparse%10, d.per) + 1 }

func (d dense) StoreLog(entry *raft.Log) error { return d.StoreLogs([]*raft.Log{entry}) }

func (d dense) StoreLogs(entries []*raft.Log) error {
	for _, entry := range entries {
		entry.Index = d.index(entry.Index)
	}
	return d.LogStore.StoreLogs(entries)
}

func (d dense) DeleteRange(low, high uint64) error {
	return d.LogStore.DeleteRange(d.index(low), d.index(high)-1)
}

func BenchmarkFirstIndex(b *testing.B) { raftbench.FirstIndex(b, openBench(b)) }
func BenchmarkLastIndex(b *testing.B)  { raftbench.LastIndex(b, openBench(b)) }
func BenchmarkGetLog(b *testing.B)     { raftbench.GetLog(b, openBench(b)) }
func BenchmarkStoreLog(b *testing.B)   { raftbench.StoreLog(b, dense{openBench(b), 10}) }
func BenchmarkStoreLogs(b *testing.B)  { raftbench.StoreLogs(b, openBench(b)) }
func BenchmarkDeleteRange(b *testing.B) {
	raftbench.DeleteRange(b, dense{openBench(b), 3})
}
func BenchmarkSet(b *testing.B)       { raftbench.Set(b, openBench(b)) }
func BenchmarkGet(b *testing.B)       { raftbench.Get(b, openBench(b)) }
func BenchmarkSetUint64(b *testing.B) { raftbench.SetUint64(b, openBench(b)) }
func BenchmarkGetUint64(b *testing.B) { raftbench.GetUint64(b, openBench(b)) }
