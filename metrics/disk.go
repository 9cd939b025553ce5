package metrics

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// DiskSource is a Source that can say what its files take and how much room there is: an *actors.Store.
type DiskSource interface {
	Source
	DiskUsage(ctx context.Context) (actors.DiskUsage, error)
	DiskSpace() (actors.DiskSpace, error)
}

// What a look at the disk may take. A scrape must not wait for a disk that hangs, nor read ten thousand folders each time.
const (
	freshFor = 10 * time.Second       // how long figures are good enough
	lookFor  = 250 * time.Millisecond // how long the folders are looked at; the next scrape goes on
	waitFor  = 100 * time.Millisecond // how long a scrape waits for it
)

// disk is what the files of the streams took when somebody looked last. One goroutine looks at a time, for a scrape; if
// the disk hangs, so does the goroutine, and scrapes go on with what was seen before.
type disk struct {
	mu     sync.Mutex
	seen   map[string]seen // by stream
	spaces map[string]actors.DiskSpace
	looks  chan struct{} // closed when the look that is under way has ended; nil when none is
}

type seen struct {
	usage actors.DiskUsage
	at    time.Time
	fails bool
}

// forget drops what is known of a stream.
func (d *disk) forget(stream string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, stream)
}

// look returns what is known, after it has been brought up to date as far as there is time.
func (d *disk) look(sources map[string]Source) (map[string]actors.DiskUsage, map[string]actors.DiskSpace) {
	d.mu.Lock()
	if d.looks == nil {
		d.looks = make(chan struct{})
		go d.goThrough(sources, d.looks)
	}
	looks := d.looks
	d.mu.Unlock()
	patience := time.NewTimer(waitFor)
	defer patience.Stop()
	select {
	case <-looks:
	case <-patience.C:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	usage := make(map[string]actors.DiskUsage, len(d.seen))
	for name, s := range d.seen {
		if !s.fails {
			usage[name] = s.usage
		}
	}
	return usage, maps.Clone(d.spaces)
}

// goThrough looks at the streams that nobody has looked at for the longest, and at the file systems of all.
func (d *disk) goThrough(sources map[string]Source, done chan struct{}) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.looks = nil
		close(done)
	}()
	began := time.Now()
	d.lookAtSpaces(sources)
	for _, name := range d.due(sources, began) {
		source := sources[name].(DiskSource)
		usage, err := source.DiskUsage(context.Background())
		d.mu.Lock()
		d.seen[name] = seen{usage, time.Now(), err != nil}
		d.mu.Unlock()
		if time.Since(began) > lookFor {
			return
		}
	}
}

// due returns the streams to look at, and forgets those that are gone.
func (d *disk) due(sources map[string]Source, now time.Time) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = make(map[string]seen)
	}
	maps.DeleteFunc(d.seen, func(name string, _ seen) bool { return sources[name] == nil })
	var names []string
	for name, s := range sources {
		if _, ok := s.(DiskSource); ok && now.Sub(d.seen[name].at) >= freshFor {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return d.seen[a].at.Compare(d.seen[b].at) })
	return names
}

// lookAtSpaces looks at the file system of each folder of streams once.
func (d *disk) lookAtSpaces(sources map[string]Source) {
	spaces := make(map[string]actors.DiskSpace)
	asked := make(map[string]bool)
	for _, s := range sources {
		source, ok := s.(DiskSource)
		if !ok {
			continue
		}
		dir := s.Stats().Dir
		if asked[dir] {
			continue
		}
		asked[dir] = true
		if space, err := source.DiskSpace(); err == nil {
			spaces[dir] = space
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spaces = spaces
}
