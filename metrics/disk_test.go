package metrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// diskSource is a source whose files are looked at; each look takes its time.
type diskSource struct {
	source
	takes  time.Duration
	hangs  chan struct{}
	looks  int
	usage  actors.DiskUsage
	broken bool
}

func (s *diskSource) DiskUsage(context.Context) (actors.DiskUsage, error) {
	s.looks++
	if s.hangs != nil {
		<-s.hangs
	}
	if s.takes > 0 {
		<-time.After(s.takes)
	}
	if s.broken {
		return actors.DiskUsage{}, errors.New("broken")
	}
	return s.usage, nil
}

func (s *diskSource) DiskSpace() (actors.DiskSpace, error) {
	if s.broken {
		return actors.DiskSpace{}, errors.New("broken")
	}
	return actors.DiskSpace{Free: 3, Total: 4}, nil
}

func onDisk(name, dir string) *diskSource {
	s := &diskSource{source: *figures(name), usage: actors.DiskUsage{Blocks: 5, ZerosAhead: 6, Indexes: 7, Other: 8}}
	s.stats.Dir = dir
	return s
}

const (
	usageName = "millrace_disk_usage_bytes"
	freeName  = "millrace_filesystem_free_bytes"
	sizeName  = "millrace_filesystem_size_bytes"
)

func TestDiskUsageAndRoomAreShown(t *testing.T) {
	c := metrics.NewCollector(onDisk("A", "/data"), onDisk("B", "/data"), figures("NO_DISK"))
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`# HELP millrace_disk_usage_bytes Bytes of the stream's files, by kind.
# TYPE millrace_disk_usage_bytes gauge
millrace_disk_usage_bytes{kind="blocks",stream="A"} 5
millrace_disk_usage_bytes{kind="blocks",stream="B"} 5
millrace_disk_usage_bytes{kind="indexes",stream="A"} 7
millrace_disk_usage_bytes{kind="indexes",stream="B"} 7
millrace_disk_usage_bytes{kind="other",stream="A"} 8
millrace_disk_usage_bytes{kind="other",stream="B"} 8
millrace_disk_usage_bytes{kind="zeros_ahead",stream="A"} 6
millrace_disk_usage_bytes{kind="zeros_ahead",stream="B"} 6
# HELP millrace_filesystem_free_bytes Bytes that the process may still use of the file system of a folder of streams.
# TYPE millrace_filesystem_free_bytes gauge
millrace_filesystem_free_bytes{dir="/data"} 3
# HELP millrace_filesystem_size_bytes Bytes of that file system.
# TYPE millrace_filesystem_size_bytes gauge
millrace_filesystem_size_bytes{dir="/data"} 4
`), usageName, freeName, sizeName))
	c.Remove("A")
	require.Equal(t, 4, testutil.CollectAndCount(c, usageName))
}

// TestTheDiskIsNotAskedEachTime, and not for long: the next scrape goes on with what is oldest.
func TestTheDiskIsNotAskedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := metrics.NewCollector()
		var sources []*diskSource
		for _, name := range []string{"A", "B", "C", "D", "E"} {
			s := onDisk(name, "/data")
			s.takes = 120 * time.Millisecond
			sources = append(sources, s)
			c.Add(s)
		}
		looks := func() (total int) {
			synctest.Wait()
			for _, s := range sources {
				total += s.looks
			}
			return total
		}
		began := time.Now()
		require.Equal(t, 0, testutil.CollectAndCount(c, usageName), "the first look takes longer than a scrape waits")
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		<-time.After(time.Second)
		require.Equal(t, 3, looks(), "a quarter of a second")
		require.Equal(t, 4*3, testutil.CollectAndCount(c, usageName))
		<-time.After(time.Second)
		require.Equal(t, 5, looks())
		for _, s := range sources {
			require.Equal(t, 1, s.looks)
		}
		require.Equal(t, 4*5, testutil.CollectAndCount(c, usageName))
		require.Equal(t, 5, looks(), "the figures are fresh")
		<-time.After(10 * time.Second)
		sources[0].broken = true
		testutil.CollectAndCount(c, usageName)
		<-time.After(time.Second)
		testutil.CollectAndCount(c, usageName)
		<-time.After(time.Second)
		require.Equal(t, 10, looks())
		require.Equal(t, 4*4, testutil.CollectAndCount(c, usageName), "what cannot be looked at is not shown")
	})
}

// TestADiskThatHangsHoldsUpNoScrape, and one goroutine at most.
func TestADiskThatHangsHoldsUpNoScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onDisk("A", "/data")
		s.hangs = make(chan struct{})
		c := metrics.NewCollector(s)
		for range 5 {
			began := time.Now()
			require.Equal(t, 1, testutil.CollectAndCount(c, "millrace_messages"))
			require.Equal(t, 100*time.Millisecond, time.Since(began))
		}
		synctest.Wait()
		require.Equal(t, 1, s.looks)
		close(s.hangs)
		synctest.Wait()
		require.Equal(t, 4, testutil.CollectAndCount(c, usageName))
	})
}
