package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	fullSubjects = 256
	fullPayload  = 256 // bytes
	fullScanners = 24
	// pacedMatches is how many messages a second each scanner reads where it is paced.
	pacedMatches = 1_000
	// readMessages is how the table calls what the scanners read.
	readMessages = "scanners read"
)

// fullRows are the rows that append to a stream that removes its oldest messages to make room.
func fullRows() []row {
	theirs := peers.NATS(peers.NATSDefault).Name
	fullRow := func(name, title string, scanners, pace int, targets ...target) row {
		enter := func(name string, open func(maxBytes int64) peers.Peer) contestant {
			return &appendingFull{called: name, open: open, scanners: scanners, pace: pace}
		}
		return row{
			name: name, title: "append to a full stream, " + title, targets: targets,
			contestants: []contestant{
				enter(theirs, func(maxBytes int64) peers.Peer { return peers.NATSBounded(peers.NATSDefault, maxBytes) }),
				enter(millraceName, func(maxBytes int64) peers.Peer { return peers.MillraceBounded(peers.Buffered, maxBytes) }),
				enter(millraceName+" interval", func(maxBytes int64) peers.Peer {
					return peers.MillraceBounded(peers.Written, maxBytes)
				}),
			},
		}
	}
	written := row{
		name: "full-flat-interval", title: "append at SyncInterval to a full stream, 24 filtered scanners flat out",
		contestants: []contestant{&appendingFull{called: millraceName, scanners: fullScanners, open: func(maxBytes int64) peers.Peer {
			return peers.MillraceBounded(peers.Written, maxBytes)
		}}},
		targets: []target{{against: millraceName, figure: rateFigure, bound: 50_000}},
	}
	return []row{
		written,
		fullRow("full-alone", "no scanner", 0, 0),
		fullRow("full-paced", "24 filtered scanners at 1,000 messages/s each", fullScanners, pacedMatches,
			target{against: millraceName, figure: p99Figure, bound: float64(100 * time.Microsecond)}),
		fullRow("full-flat", "24 filtered scanners flat out", fullScanners, 0,
			target{against: theirs, figure: rateFigure, bound: onCores(25, 50)},
			target{against: theirs, figure: p99Figure, bound: 1.0 / 5}),
	}
}

// appendingFull is one caller that stores message after message in a full stream, beside scanners that
// each read the messages of one subject, from the oldest to the newest, again and again.
type appendingFull struct {
	called   string
	open     func(maxBytes int64) peers.Peer
	scanners int
	pace     int // messages a second; 0: as fast as it goes
}

func (a *appendingFull) name() string { return a.called }
func (a *appendingFull) close() error { return nil }

func (a *appendingFull) run(ctx context.Context, place workplace) (measure.Run, error) {
	peer, all := a.open(place.size.fullBytes), fullShape(place.size.fullBytes)
	return place.withFixture(ctx, peer, all, func(_ fixture, store peers.QueryStore) (run measure.Run, err error) {
		ctx := context.WithoutCancel(ctx)
		first, last, err := store.Range(ctx)
		if err != nil {
			return run, err
		}
		if first <= 1 {
			return run, fmt.Errorf("%s: the stream is not full: it has the messages from %d to %d", a.called, first, last)
		}
		reading := newScanners(ctx, store, a.scanners, a.pace)
		defer func() { err = errors.Join(err, reading.stop()) }()
		reading.warm(place.size.fullWarm)
		writer := hand{sampleEvery: 1, step: appendNext(ctx, store, all)}
		before, start := reading.matches.Load(), time.Now()
		run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
			before, start = reading.matches.Load(), time.Now()
			done, err := runCrew(place.size.full, []hand{writer})
			return done[0].steps, done[0].latencies, err
		})
		if a.scanners > 0 {
			rate := float64(reading.matches.Load()-before) / time.Since(start).Seconds()
			run.Extras = []measure.Extra{{Name: readMessages, Value: rate, Unit: measure.PerSecond}}
		}
		return run, err
	})
}

// appendNext stores the messages of a shape one after the other, from the start again at its end.
func appendNext(ctx context.Context, store peers.Store, all shape) func() error {
	next := 0
	return func() error {
		position := next % all.messages
		next++
		return store.Append(ctx, peers.Message{Subject: all.subject(position), Payload: all.payload(position)})
	}
}

// scanners are goroutines that read the messages of one subject each.
type scanners struct {
	*background
	matches atomic.Int64
	passes  sync.WaitGroup // the first of each
}

func newScanners(ctx context.Context, store peers.QueryStore, count, pace int) *scanners {
	s := new(scanners)
	s.passes.Add(count)
	s.background = startBackground(count, func(number int, over *atomic.Bool) error {
		firstPass := sync.OnceFunc(s.passes.Done)
		defer firstPass()
		scanner := scanner{filter: fullSubject(number * 10), start: time.Now()}
		if pace > 0 {
			scanner.every = time.Second / time.Duration(pace)
		}
		for !over.Load() {
			if err := scanner.pass(ctx, store, over, &s.matches); err != nil {
				return err
			}
			firstPass()
		}
		return nil
	})
	return s
}

// warm waits until each scanner has come to the end once, or the time is over.
func (s *scanners) warm(atMost time.Duration) {
	done := make(chan struct{})
	go func() {
		s.passes.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(atMost):
	}
}

// scanner reads the messages of one subject.
type scanner struct {
	filter string
	every  time.Duration // the time between two messages; 0: none
	start  time.Time
	read   int64
}

// pass reads from the oldest message to the one that is the newest at the beginning.
func (s *scanner) pass(ctx context.Context, store peers.QueryStore, over *atomic.Bool, matches *atomic.Int64) error {
	var before uint64
	ascending := true
	err := store.Matching(ctx, s.filter, func(sequence uint64) bool {
		ascending = sequence > before
		before = sequence
		matches.Add(1)
		s.wait()
		return ascending && !over.Load()
	})
	if err == nil && !ascending {
		err = fmt.Errorf("the scanner of %q came to %d out of order", s.filter, before)
	}
	return err
}

// wait lets a paced scanner pause until its next message is due.
func (s *scanner) wait() {
	s.read++
	if s.every > 0 {
		time.Sleep(time.Until(s.start.Add(time.Duration(s.read) * s.every)))
	}
}

// fullShape is messages that fill a stream, and a twentieth more.
func fullShape(maxBytes int64) shape {
	const recordBytes = fullPayload + recordOverhead + len("sensors.000")
	messages := int(maxBytes/int64(recordBytes)) * 21 / 20
	text := readings()
	return shape{
		name: "full-" + strconv.FormatInt(maxBytes, 10), messages: messages,
		subject: func(position int) string { return fullSubject(position) },
		payload: func(position int) []byte {
			at := position * 331 % (len(text) - fullPayload)
			return text[at : at+fullPayload]
		},
	}
}

// recordOverhead is what a record has besides subject and payload, in bytes.
const recordOverhead = 30

var fullNames = func() []string {
	names := make([]string, fullSubjects)
	for i := range names {
		name := []byte("sensors.000")
		putDigits(name[len(name)-3:], i)
		names[i] = string(name)
	}
	return names
}()

func fullSubject(position int) string { return fullNames[position%fullSubjects] }

// readingsBytes is more than a block, so that compression cannot find in a block what it has seen.
const readingsBytes = 16 << 20

// readings is text as devices send it: the same words again and again, with numbers that differ.
var readings = sync.OnceValue(func() []byte {
	random := rand.New(rand.NewPCG(3, 1))
	text := make([]byte, 0, readingsBytes+fullPayload)
	for len(text) < readingsBytes {
		text = append(text, `{"device":"`...)
		text = strconv.AppendUint(text, random.Uint64N(1e9), 36)
		text = append(text, `","temperature":`...)
		text = strconv.AppendFloat(text, 15+10*random.Float64(), 'f', 3, 64)
		text = append(text, `,"humidity":`...)
		text = strconv.AppendFloat(text, 100*random.Float64(), 'f', 2, 64)
		text = append(text, `,"at":`...)
		text = strconv.AppendUint(text, 1_700_000_000_000+random.Uint64N(1e11), 10)
		text = append(text, "}\n"...)
	}
	return text
})
