package streamstate_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// BenchmarkOwnNext decodes the subjects of a stream of very many.
func BenchmarkOwnNext(b *testing.B) {
	const subjects = 1_000_000
	f := ownFile{own: streamstate.Own{LastTime: 5}}
	for i := range uint64(subjects) {
		at := i*7919%subjects + 1
		f.subjects = append(f.subjects, streamstate.OwnSubject{
			Name: fmt.Appendf(nil, "kv.%02d.%06d", i/10_000, i), Messages: 1, First: at, Last: at, Flags: 3, LastSize: 170,
		})
	}
	body := f.encode()
	for b.Loop() {
		own, err := streamstate.DecodeOwn(body)
		require.NoError(b, err)
		var s streamstate.OwnSubject
		for range subjects {
			if !own.Next(&s) {
				b.Fatal("no subject")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subjects, "ns/subject")
}
