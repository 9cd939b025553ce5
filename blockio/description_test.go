package blockio_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func TestDescriptionLivesAsLongAsTheBlock(t *testing.T) {
	_, s, _ := newCache(t, 4, 1)
	d := &description{heap: 10}
	b := lease(t, s, 1, lookUp)
	got, err := b.Description(describeAs(d))
	require.NoError(t, err)
	require.Same(t, d, got)
	b.Release()
	b = lease(t, s, 1, lookUp)
	got, err = b.Description(describeAs(nil))
	require.NoError(t, err)
	require.Same(t, d, got, "it is made once")
	s.Forget(1)
	require.Zero(t, d.closed.Load(), "the block is in use")
	anew := lease(t, s, 1, lookUp)
	other := &description{}
	got, err = anew.Description(describeAs(other))
	require.NoError(t, err)
	require.Same(t, other, got, "another block has another description")
	b.Release()
	require.EqualValues(t, 1, d.closed.Load())
	anew.Release()
	s.Close()
	require.EqualValues(t, 1, other.closed.Load())
}

func TestDescriptionOfADroppedBlock(t *testing.T) {
	c, s, _ := newCache(t, 4, 2)
	for _, o := range []blockio.LeaseOptions{lookUp, passing} {
		d := &description{heap: 1 << 40}
		b := lease(t, s, 1, o)
		b.Drop()
		_, err := b.Description(describeAs(d))
		require.NoError(t, err)
		b.Release()
		require.EqualValues(t, 1, d.closed.Load())
		require.Zero(t, c.Open())
	}
	touch(t, s, 1)
	touch(t, s, 2)
	require.Equal(t, 2, c.Open(), "what the cache does not keep does not count")
}

func TestErrorOfADescriptionIsNotKept(t *testing.T) {
	_, s, _ := newCache(t, 4, 1)
	b := lease(t, s, 1, lookUp)
	own := errors.New("own")
	_, err := b.Description(func(*blockio.Block) (blockio.Description, error) { return nil, own })
	require.Equal(t, own, err)
	d := &description{}
	got, err := b.Description(describeAs(d))
	require.NoError(t, err)
	require.Same(t, d, got)
	b.Release()
}

// TestDescriptionIsMadeOnce, while all others wait for it.
func TestDescriptionIsMadeOnce(t *testing.T) {
	own := errors.New("own")
	for _, fail := range []error{nil, own} {
		synctest.Test(t, func(t *testing.T) {
			_, s, files := newCache(t, 4, 1)
			d := &description{}
			var calls atomic.Int64
			var work sync.WaitGroup
			finish := make(chan struct{})
			for range 10 {
				work.Go(func() {
					b, err := s.Lease(ref(1), lookUp)
					if err != nil {
						t.Error(err)
						return
					}
					defer b.Release()
					got, err := b.Description(func(*blockio.Block) (blockio.Description, error) {
						calls.Add(1)
						<-finish
						return d, fail
					})
					if err != fail || fail == nil && got != blockio.Description(d) {
						t.Error(got, err)
					}
				})
			}
			synctest.Wait()
			close(finish)
			work.Wait()
			require.EqualValues(t, 1, calls.Load())
			require.EqualValues(t, 1, files.opens.Load())
			s.Close()
			require.Equal(t, fail == nil, d.closed.Load() == 1)
		})
	}
}

func TestPanicWhileDescribingHangsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := newCache(t, 4, 1)
		b := lease(t, s, 1, lookUp)
		started, blow := make(chan struct{}), make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() {
			defer func() {
				if recover() != "own" {
					t.Error("the panic goes on")
				}
			}()
			_, _ = b.Description(func(*blockio.Block) (blockio.Description, error) {
				close(started)
				<-blow
				panic("own")
			})
		})
		<-started
		for range 3 {
			work.Go(func() {
				if _, err := b.Description(describeAs(nil)); !errors.Is(err, blockio.ErrPanic) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(blow)
		work.Wait()
		_, err := b.Description(describeAs(&description{}))
		require.NoError(t, err, "the next one tries again")
		b.Release()
		s.Close()
		require.Zero(t, c.Open())
	})
}

func TestCacheIsBoundedInMemory(t *testing.T) {
	c, s, _ := newCache(t, 10, 6) // 1000 bytes
	var made []*description
	describe := func(id uint32, heap int64) {
		d := &description{heap: heap}
		made = append(made, d)
		b := lease(t, s, id, lookUp)
		_, err := b.Description(describeAs(d))
		require.NoError(t, err)
		b.Release()
	}
	kept := func() (n int) {
		for _, d := range made {
			if d.closed.Load() == 0 {
				n++
			}
		}
		return n
	}
	describe(1, 400)
	describe(2, 400)
	touch(t, s, 3)
	require.Equal(t, 3, c.Open())
	describe(4, 400)
	require.Equal(t, 2, kept())
	s.Forget(4)
	describe(4, 400)
	require.Equal(t, 2, kept(), "what is forgotten counts no more")
	describe(5, 5000)
	require.Equal(t, 1, kept())
	require.Equal(t, 1, c.Open(), "one block is kept whatever it takes")
	require.Zero(t, made[len(made)-1].closed.Load())
	touch(t, s, 6)
	require.Zero(t, kept())
	require.Equal(t, 1, c.Open())
	describe(1, 400)
	require.Equal(t, 2, c.Open())
}

// panickingFS panics when it opens a file, once it is told to.
type panickingFS struct {
	blockio.FS
	started, blow chan struct{}
}

func (f *panickingFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	if f.blow != nil && mode == blockio.ModeRead {
		close(f.started)
		<-f.blow
		f.blow = nil
		panic("own")
	}
	return f.FS.OpenFile(name, mode)
}

func TestPanicWhileOpeningHangsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &panickingFS{blocktest.NewMemFS(), make(chan struct{}), make(chan struct{})}
		putBlocks(t, files, "/s", 1, 100)
		c := blockio.NewBlockCache(4, 0)
		s := c.Source(files, "/s", "S")
		blow := files.blow
		var work sync.WaitGroup
		work.Go(func() {
			defer func() {
				if recover() != "own" {
					t.Error("the panic goes on")
				}
			}()
			_, _ = s.Lease(ref(1), lookUp)
		})
		<-files.started
		for range 3 {
			work.Go(func() {
				if _, err := s.Lease(ref(1), lookUp); !errors.Is(err, blockio.ErrPanic) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(blow)
		work.Wait()
		touch(t, s, 1)
		require.Equal(t, 1, c.Open())
	})
}

// TestForgottenWhileItIsOpened: what was opened before is served to who opened it, and
// kept for nobody.
func TestForgottenWhileItIsOpened(t *testing.T) {
	rows := map[string]struct {
		change     func(s *blockio.BlockSource)
		superseded bool
		keeps      int
	}{
		"forget":    {func(s *blockio.BlockSource) { s.Forget(1) }, false, 1},
		"close":     {func(s *blockio.BlockSource) { s.Close() }, false, 0},
		"supersede": {func(s *blockio.BlockSource) { s.Supersede(1) }, true, 0},
	}
	for name, row := range rows {
		for _, o := range []blockio.LeaseOptions{lookUp, passing} {
			faults := blocktest.NewFaultFS(blocktest.NewMemFS())
			putBlocks(t, faults, "/s", 1, 100)
			c := blockio.NewBlockCache(4, 0)
			s := c.Source(faults, "/s", "S")
			once := sync.OnceFunc(func() { row.change(s) })
			faults.SetHook(func(op blocktest.Op) blocktest.Fault {
				if op.Kind == blocktest.OpStat {
					once()
				}
				return blocktest.Fault{}
			})
			b, err := s.Lease(ref(1), o)
			if row.superseded {
				require.ErrorIs(t, err, blockio.ErrSuperseded, name)
				require.Zero(t, c.Open(), name)
				continue
			}
			require.NoError(t, err, name)
			require.False(t, b.Retain(), name)
			require.Equal(t, plain(1, 100), contentOf(t, b), name)
			b.Release()
			require.Zero(t, c.Open(), name)
			touch(t, s, 1)
			require.Equal(t, row.keeps, c.Open(), name)
			s.Close()
			require.Zero(t, c.Open(), name)
		}
	}
}

// TestDescriptionIsMadeOnceByWhoComesLate: who looked for a description before it was
// there finds it when it is their turn.
func TestDescriptionIsMadeOnceByWhoComesLate(t *testing.T) {
	_, s, _ := newCache(t, 4, 1)
	for range 3000 {
		b := lease(t, s, 1, lookUp)
		var calls atomic.Int64
		var work sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			work.Go(func() {
				<-begin
				_, _ = b.Description(func(*blockio.Block) (blockio.Description, error) {
					calls.Add(1)
					return &description{}, nil
				})
			})
		}
		close(begin)
		work.Wait()
		require.EqualValues(t, 1, calls.Load())
		b.Drop()
		b.Release()
	}
}
