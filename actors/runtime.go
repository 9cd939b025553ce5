package actors

import (
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Runtime holds what all stores of a process share, so that many streams do not
// mean many of anything expensive: open files, memory for blocks that are being
// written, indexes of blocks that are being read, and workers. A Runtime needs
// no closing; it holds no goroutine of its own.
type Runtime struct {
	readers *read.Shared // what readers of all streams share
	buffers *bufferPool
	tails   *blockio.Tails // files that are open for writing
	// short and long bound the reads for actors that run at a time, see asked.
	short, long *read.Gate
	scans       int    // goroutines that scan blocks when a stream is recovered
	seed        uint64 // of hash tables
	most        RuntimeConfig
	clock       func() time.Time
	ownClock    bool // RuntimeConfig names one
	logger      *slog.Logger
	// plant, if not nil, is called with every message of a store actor and every job of a child, before it is handled.
	// Tests let it panic.
	plant func(any)
	child *actor.Props // of the children of store actors
}

// RuntimeConfig describes a Runtime. Zero means the default.
type RuntimeConfig struct {
	// MaxOpenFiles bounds the blocks that are kept open for scans and look-ups. Each is an open file, mapped or not; those
	// in use are not closed. Besides, a quarter as many stay open for writing of
	// streams that nobody has stored in lately. Default 256.
	MaxOpenFiles int
	// IndexBytes bounds two caches on the heap, in bytes each: the pages of index files
	// that were verified, and the indexes of blocks that have no index file, or whose
	// file cannot be mapped. Default 64 MiB.
	IndexBytes int64
	// SpareBytes bounds the memory kept for the next blocks to be written, in
	// bytes. Default 16 MiB.
	SpareBytes int64
	// TailBytes bounds the memory in which streams keep the block that is being
	// written, up to 8 MiB each, in bytes: beyond it they keep about 512 KiB
	// each, and reads of older messages go to the file. Default 256 MiB.
	TailBytes int64
	// Workers bounds the scans that run at a time, the short reads for actors, and
	// the long ones, each on a goroutine that ends with it. Default 4.
	Workers int
	// Clock gives the time by which messages are stamped, grow old and outlive their TTLs, and schedules fire. It may be
	// set, and may stand still: nothing else waits for it. Default time.Now.
	Clock func() time.Time
	// Logger is for stores whose Config has none. Default: no logging.
	Logger *slog.Logger
}

// tailIdle is how long nobody has stored in a stream before its last block is closed, if there are many such.
const tailIdle = 10 * time.Second

// NewRuntime returns a Runtime.
func NewRuntime(c RuntimeConfig) *Runtime {
	def(&c.MaxOpenFiles, 256)
	def(&c.IndexBytes, 64<<20)
	def(&c.SpareBytes, 16<<20)
	def(&c.TailBytes, 256<<20)
	def(&c.Workers, 4)
	own := c.Clock != nil
	if !own {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runtime{
		readers: read.NewShared(c.MaxOpenFiles, c.IndexBytes, c.Workers),
		buffers: &bufferPool{
			most:    int(c.SpareBytes / engine.BufferSize),
			mostOut: c.TailBytes / engine.BufferSize,
		},
		tails: blockio.NewTails(c.MaxOpenFiles/4, tailIdle),
		short: read.NewGate(c.Workers),
		long:  read.NewGate(c.Workers),
		most:  c,
		scans: runtime.GOMAXPROCS(0),
		seed:  rand.Uint64(),
		clock: c.Clock, ownClock: own,
		logger: c.Logger,
	}
	r.child = actor.PropsFromProducer(func() actor.Actor { return &childActor{plant: r.plant} })
	return r
}

// Made before any test can make it within its synctest bubble.
var defaultRuntime = NewRuntime(RuntimeConfig{})

// DefaultRuntime returns the Runtime of stores whose Config names none.
func DefaultRuntime() *Runtime { return defaultRuntime }

func (r *Runtime) now() int64 { return r.clock().UnixNano() }

// times returns what the clock shows, and the same instant as instant has it.
func (r *Runtime) times() (now, steady int64) {
	if r.ownClock { // which may be set, or stand still
		return r.now(), instant()
	}
	t := time.Now() // which has both times
	return t.UnixNano(), int64(t.Sub(started)) | 1
}

// bufferPool keeps spare memory of blocks. It implements engine.Buffers.
type bufferPool struct {
	mu    sync.Mutex
	spare [][]byte
	most  int
	// out counts the buffers in use; beyond mostOut streams keep less in memory.
	out     atomic.Int64
	mostOut int64
}

func (p *bufferPool) Get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Add(1)
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare[n-1] = nil
		p.spare = p.spare[:n-1]
		return b
	}
	return make([]byte, engine.BufferSize)
}

// Tight implements engine.Buffers.
func (p *bufferPool) Tight() bool { return p.out.Load() > p.mostOut }

func (p *bufferPool) Put(b []byte, reuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.Add(-1) == 0 {
		// Nobody writes at the moment: a spare buffer saves less than it takes.
		p.spare = nil
		return
	}
	if reuse && len(p.spare) < p.most {
		p.spare = append(p.spare, b)
	}
}
