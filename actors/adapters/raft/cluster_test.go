package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// recorder is a state machine that remembers the numbers that were applied, in order.
type recorder struct {
	mu      sync.Mutex
	applied []uint64
}

func (r *recorder) Apply(entry *raft.Log) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied = append(r.applied, binary.BigEndian.Uint64(entry.Data))
	return nil
}

func (r *recorder) numbers() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.applied)
}

func (r *recorder) Snapshot() (raft.FSMSnapshot, error) { return recorded(r.numbers()), nil }

func (r *recorder) Restore(snapshot io.ReadCloser) error {
	content, err := io.ReadAll(snapshot)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied = nil
	for ; len(content) >= 8; content = content[8:] {
		r.applied = append(r.applied, binary.BigEndian.Uint64(content))
	}
	return nil
}

// recorded is a snapshot of a recorder.
type recorded []uint64

func (r recorded) Persist(sink raft.SnapshotSink) error {
	var content []byte
	for _, number := range r {
		content = binary.BigEndian.AppendUint64(content, number)
	}
	if _, err := sink.Write(content); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (r recorded) Release() {}

// errDead is what a server whose power was cut gets from its stores.
var errDead = errors.New("the power was cut")

// mortal is a Store between which and its raft the power can be cut: from then on nothing that is not on the disk yet is
// ever acknowledged to it, so that it cannot tell others of it.
type mortal struct {
	*Store
	dead atomic.Bool
}

func (m *mortal) StoreLog(entry *raft.Log) error { return m.StoreLogs([]*raft.Log{entry}) }

func (m *mortal) StoreLogs(entries []*raft.Log) error {
	return m.alive(func() error { return m.Store.StoreLogs(entries) })
}

func (m *mortal) DeleteRange(low, high uint64) error {
	return m.alive(func() error { return m.Store.DeleteRange(low, high) })
}

func (m *mortal) Set(key, value []byte) error {
	return m.alive(func() error { return m.Store.Set(key, value) })
}

func (m *mortal) SetUint64(key []byte, value uint64) error {
	err := m.alive(func() error { return m.Store.SetUint64(key, value) })
	if string(key) == "CurrentTerm" && errors.Is(err, errDead) {
		return nil // raft panics if it cannot store its term, and no vote goes out without the other keys
	}
	return err
}

// alive does something, and lets only those know that it was done who were there when it had been.
func (m *mortal) alive(do func() error) error {
	if m.dead.Load() {
		return errDead
	}
	if err := do(); m.dead.Load() || err != nil {
		return errors.Join(err, errDead)
	}
	return nil
}

// server is one of a cluster, with the disk that it has through all its lives.
type server struct {
	address   raft.ServerAddress
	disk      *blocktest.MemFS
	snapshots raft.SnapshotStore
	store     *mortal
	machine   *recorder
	transport *raft.InmemTransport
	raft      *raft.Raft // nil while it is down
}

// cluster is servers in one process.
type cluster struct {
	t       *testing.T
	servers []*server
	random  *rand.Rand
}

func newCluster(t *testing.T, size int, change func(*raft.Config)) *cluster {
	c := &cluster{t: t, random: rand.New(rand.NewSource(3))}
	var members raft.Configuration
	for i := range size {
		address := raft.ServerAddress(fmt.Sprintf("server-%d", i))
		snapshots, err := raft.NewFileSnapshotStoreWithLogger(t.TempDir(), 1, hclog.NewNullLogger())
		require.NoError(t, err)
		c.servers = append(c.servers, &server{address: address, disk: blocktest.NewMemFS(), snapshots: snapshots})
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(address), Address: address})
	}
	for _, s := range c.servers {
		c.start(s, change)
	}
	require.NoError(t, c.servers[0].raft.BootstrapCluster(members).Error())
	return c
}

// start starts a server on what its disk has. change, if it is not nil, changes its configuration.
func (c *cluster) start(s *server, change func(*raft.Config)) {
	store, err := Open(c.t.Context(), testConfig(s.disk, "/raft"))
	require.NoError(c.t, err)
	s.store, s.machine = &mortal{Store: store}, new(recorder)
	_, s.transport = raft.NewInmemTransportWithTimeout(s.address, time.Second)
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(s.address)
	config.Logger = hclog.NewNullLogger()
	config.HeartbeatTimeout, config.ElectionTimeout, config.LeaderLeaseTimeout = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	config.CommitTimeout = 5 * time.Millisecond
	config.SnapshotInterval, config.SnapshotThreshold, config.TrailingLogs = 20*time.Millisecond, 64, 32
	if change != nil {
		change(config)
	}
	s.raft, err = raft.NewRaft(config, s.machine, s.store, s.store, s.snapshots, s.transport)
	require.NoError(c.t, err)
	for _, other := range c.servers {
		if other != s && other.raft != nil {
			s.transport.Connect(other.address, other.transport)
			other.transport.Connect(s.address, s.transport)
		}
	}
}

// kill cuts the power of a server at whatever it is doing, and leaves on its disk what a loss of power may leave.
func (c *cluster) kill(s *server) {
	s.store.dead.Store(true)
	s.disk = s.disk.CrashImage(blocktest.CrashModes[c.random.Intn(len(blocktest.CrashModes))], c.random)
	c.stop(s)
}

// stop shuts a server down.
func (c *cluster) stop(s *server) {
	for _, other := range c.servers {
		if other != s && other.raft != nil {
			other.transport.Disconnect(s.address)
		}
	}
	s.transport.DisconnectAll()
	require.NoError(c.t, s.raft.Shutdown().Error())
	require.NoError(c.t, s.store.Close())
	s.raft = nil
}

// apply has the cluster apply a number, if it has a leader that can.
func (c *cluster) apply(number uint64) bool {
	for _, s := range c.servers {
		if s.raft != nil && s.raft.State() == raft.Leader {
			return s.raft.Apply(binary.BigEndian.AppendUint64(nil, number), time.Second).Error() == nil
		}
	}
	return false
}

// applySome applies numbers until so many were acknowledged, and returns these.
func (c *cluster) applySome(next *uint64, count int) (acknowledged []uint64) {
	for len(acknowledged) < count {
		*next++
		if c.apply(*next) {
			acknowledged = append(acknowledged, *next)
			continue
		}
		select {
		case <-time.After(5 * time.Millisecond): // there is an election
		case <-c.t.Context().Done():
			c.t.Fatal("the cluster came to nothing")
		}
	}
	return acknowledged
}

// victim is the leader, or any of the servers that are up.
func (c *cluster) victim() *server {
	var up []*server
	for _, s := range c.servers {
		if s.raft != nil {
			if s.raft.State() == raft.Leader && c.random.Intn(3) > 0 {
				return s
			}
			up = append(up, s)
		}
	}
	return up[c.random.Intn(len(up))]
}

// settled waits until all servers have applied the same, and returns it.
func (c *cluster) settled(next *uint64) []uint64 {
	last := c.applySome(next, 1)[0]
	for {
		var all [][]uint64
		for _, s := range c.servers {
			all = append(all, s.machine.numbers())
		}
		if slices.Contains(all[0], last) && len(all[0]) == len(all[1]) && len(all[1]) == len(all[2]) {
			require.Equal(c.t, all[0], all[1])
			require.Equal(c.t, all[0], all[2])
			return all[0]
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-c.t.Context().Done():
			c.t.Fatal("the servers did not come to the same")
		}
	}
}

// TestAClusterThatLosesPower runs three servers, cuts the power of one after the other in the middle of their work, mostly
// of the leader, sometimes of a second one before the first is back, and starts them again on what is on their disks. In
// the end all three have applied the same, and all that was acknowledged, once and in order. Entries are compacted away
// behind snapshots all the while, which servers that were down for long are sent.
func TestAClusterThatLosesPower(t *testing.T) {
	kills := 24
	if testing.Short() {
		kills = 5
	}
	c := newCluster(t, 3, nil)
	next, acknowledged := uint64(0), []uint64(nil)
	for kill := range kills {
		acknowledged = append(acknowledged, c.applySome(&next, 1+c.random.Intn(100))...)
		var down []*server
		for range 1 + kill%3/2 { // every third time two, and then the cluster stands still
			s := c.victim()
			if kill%4 == 3 {
				c.stop(s)
			} else {
				c.kill(s)
			}
			down = append(down, s)
		}
		if len(down) == 1 {
			acknowledged = append(acknowledged, c.applySome(&next, 1+c.random.Intn(100))...)
		}
		for _, s := range down {
			c.start(s, nil)
		}
	}
	applied := c.settled(&next)
	at := 0
	for _, number := range acknowledged {
		found := slices.Index(applied[at:], number)
		require.GreaterOrEqual(t, found, 0, "%d was acknowledged, and is not where it should be", number)
		at += found + 1
	}
	sorted := slices.Clone(applied)
	slices.Sort(sorted)
	require.Len(t, slices.Compact(sorted), len(applied), "a number was applied twice")
	compacted := 0
	for _, s := range c.servers {
		first, err := s.store.FirstIndex()
		require.NoError(t, err)
		if first > 1 {
			compacted++
		}
		c.stop(s)
	}
	require.Equal(t, 3, compacted, "logs that were compacted")
	t.Logf("%d kills, %d acknowledged, %d applied", kills, len(acknowledged), len(applied))
}

// TestCommittedEntriesAreAppliedAtTheStart has raft restore what the log says is committed: a server that starts, and is
// no leader and has none, has applied all but what was committed after the last store.
func TestCommittedEntriesAreAppliedAtTheStart(t *testing.T) {
	c := newCluster(t, 1, func(config *raft.Config) { config.RestoreCommittedLogs = true })
	next := uint64(0)
	acknowledged := c.applySome(&next, 40)
	s := c.servers[0]
	c.stop(s)
	c.start(s, func(config *raft.Config) {
		config.RestoreCommittedLogs = true
		config.HeartbeatTimeout, config.ElectionTimeout = time.Hour, time.Hour // it will not become the leader
	})
	for len(s.machine.numbers()) < 39 {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("too little was applied")
		}
	}
	require.Equal(t, acknowledged[:39], s.machine.numbers())
	c.stop(s)
}
