package engine_test

import (
	"fmt"
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

func TestMemoryOfRolledBlocksComesBack(t *testing.T) {
	for _, row := range []struct {
		name    string
		touch   bool
		limits  engine.Limits
		level   engine.SyncLevel
		returns bool
	}{
		{"untouched", false, engine.Limits{}, engine.SyncAlways, true},
		{"touched by a reader", true, engine.Limits{}, engine.SyncAlways, false},
		{"evicted", false, engine.Limits{MaxBytes: 4 << 20}, engine.SyncAlways, true},
		{"interval", false, engine.Limits{MaxMsgs: 10}, engine.SyncInterval, true},
		{"never", false, engine.Limits{}, engine.SyncNever, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			pool := &buffers{}
			s := open(func(c *engine.Config) {
				c.BlockSize, c.Limits, c.Level, c.Buffers = 2<<20, row.limits, row.level, pool
			})
			messages := 200
			if testing.Short() { // the limit and a few blocks more
				messages = 80
			}
			for range messages {
				s.must(t, store("a", 100_000))
				if row.touch {
					if _, ok := s.read(s.pub.Last()); !ok {
						t.Fatal("cannot be read")
					}
				}
			}
			if n := s.e.MemoryBlocks(); n != 1 {
				t.Errorf("%d blocks in memory", n)
			}
			if row.returns != (pool.puts > 0) || row.returns && pool.lent > 6 {
				t.Errorf("%d slices came back, %d are out", pool.puts, pool.lent)
			}
		})
	}
}

func TestMemoryOfAnIdleTailComesBack(t *testing.T) {
	pool := &buffers{}
	s := open(func(c *engine.Config) { c.BlockSize, c.Buffers = 8<<20, pool })
	s.must(t, repeat(store("a", 100_000), 20)...)
	at, ok := s.e.NextTick()
	if !ok || at != start+10*second {
		t.Fatalf("next tick %v, in %d s", ok, (at-start)/second)
	}
	s.tick(at)
	s.settle()
	if pool.lent != 0 || s.e.MemoryBlocks() != 0 || s.e.Tables() != 0 {
		t.Fatalf("%d slices are out, %d blocks and %d tables in memory", pool.lent, s.e.MemoryBlocks(), s.e.Tables())
	}
	if _, ok := s.e.NextTick(); ok {
		t.Fatal("an idle stream wants to be woken up")
	}
	s.must(t, store("b", 10))
	tail := s.pub.View().Blocks()[0].Tail
	for sequence := uint64(1); sequence <= 21; sequence++ {
		if _, ok := s.read(sequence); !ok {
			t.Errorf("%d cannot be read", sequence)
		}
		if tail.Covers(sequence) != (sequence == 21) {
			t.Errorf("covers %d: %v", sequence, tail.Covers(sequence))
		}
	}
	if records, known := tail.Table(); !known || tail.From() != 21 || records.Len() != 1 || records.Sequence(0) != 21 {
		t.Errorf("the table has %d records from %d on", records.Len(), tail.From())
	}
}

func TestATouchedTailStaysReadable(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 2 << 20 })
	s.must(t, repeat(store("a", 100_000), 10)...)
	tail := s.pub.View().Find(5).Tail
	offset, size, found, known := tail.Locate(5)
	data := tail.Bytes(offset, size)
	if !found || !known {
		t.Fatal("not in memory")
	}
	s.must(t, repeat(store("a", 100_000), 100)...)
	if r, ok := decode(1, data); !ok || r.sequence != 5 {
		t.Fatal("the bytes changed under a reader")
	}
	if _, _, _, known := tail.Locate(5); known || tail.Bytes(offset, size) != nil {
		t.Fatal("the table of a rolled block stays")
	}
}

// counting stores messages without a disk.
type counting struct {
	e       *engine.Engine
	c       engine.Store
	subject []string
	n       int
}

func newCounting(limits engine.Limits, level engine.SyncLevel, blockSize int64) *counting {
	cfg := testConfig()
	cfg.BlockSize, cfg.Limits, cfg.Level = blockSize, limits, level
	s := &counting{e: engine.New(cfg, engine.NewPublished(), start)}
	for i := range 10_000 {
		s.subject = append(s.subject, fmt.Sprintf("orders.%d.new", i))
	}
	s.c = engine.Store{Message: engine.Message{Payload: payload(128)}}
	s.drain()
	return s
}

// store stores n messages in one group.
func (s *counting) store(n int) {
	for range n {
		s.n++
		s.c.Subject = s.subject[s.n%len(s.subject)]
		s.e.Step(s, &s.c)
	}
	s.drain()
}

func (s *counting) drain() {
	for {
		ready := s.e.Ready()
		work := ready.Maintenance
		if ready.Commit == nil && len(work) == 0 {
			return
		}
		if ready.Commit != nil {
			s.e.Done(engine.Done{ID: ready.Commit.ID})
		}
		for _, w := range work {
			if w.Kind == engine.WorkLoad {
				panic("a table was dropped that is needed")
			}
			s.e.Done(engine.Done{ID: w.ID})
		}
	}
}

func TestStoringDoesNotAllocate(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits engine.Limits
		level  engine.SyncLevel
		most   float64 // allocations a message
	}{
		{"always", engine.Limits{}, engine.SyncAlways, 0.01},
		{"interval", engine.Limits{}, engine.SyncInterval, 0.01},
		{"never", engine.Limits{}, engine.SyncNever, 0.01},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newCounting(row.limits, row.level, 2<<20)
			for range 1000 {
				s.store(100)
			}
			// 40,000 messages are three blocks.
			got := testing.AllocsPerRun(1, func() {
				for range 400 {
					s.store(100)
				}
			}) / 40_000
			if got > row.most {
				t.Errorf("%.4f allocations a message", got)
			}
			s = newCounting(row.limits, row.level, 64<<20)
			s.store(1000)
			for range 100 {
				s.store(100)
			}
			if got := testing.AllocsPerRun(10, func() { s.store(100) }); got > 1 {
				t.Errorf("%.0f allocations in a group of 100 without a roll", got)
			}
		})
	}
}
