package actors_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-d8b58eba/millrace/actors"
)

// BenchmarkReopen opens streams of one message each, by one goroutine and by eight: nothing in the process makes one wait for
// another.
func BenchmarkReopen(b *testing.B) {
	for _, openers := range []int{1, 8} {
		b.Run(fmt.Sprint(openers), func(b *testing.B) {
			dir, stores := b.TempDir(), make([]*actors.Store, b.N)
			open := func(i int) {
				s, err := actors.Open(context.Background(), quiet, actors.Config{Dir: dir, Name: fmt.Sprint("S", i)})
				if err != nil {
					b.Error(err)
					return
				}
				stores[i] = s
			}
			stop := func(i int) {
				if err := stores[i].Stop(context.Background()); err != nil {
					b.Error(err)
				}
			}
			each := func(workers int, f func(i int)) {
				var next atomic.Int64
				var all sync.WaitGroup
				for range workers {
					all.Go(func() {
						for i := next.Add(1); i <= int64(b.N) && !b.Failed(); i = next.Add(1) {
							f(int(i - 1))
						}
					})
				}
				all.Wait()
			}
			each(8, func(i int) {
				open(i)
				if _, err := stores[i].StoreMsg(context.Background(), "a", nil, []byte("x")); err != nil {
					b.Error(err)
				}
				stop(i)
			})
			b.ResetTimer()
			each(openers, open)
			b.StopTimer()
			each(8, stop)
		})
	}
}
