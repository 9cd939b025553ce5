package read

import "sync/atomic"

// A Gate lets a bounded number of goroutines through at a time, and knows how many wait.
type Gate struct {
	places  chan struct{}
	waiting atomic.Int64
}

// NewGate returns a gate for so many.
func NewGate(places int) *Gate { return &Gate{places: make(chan struct{}, places)} }

// Enter waits for a place.
func (g *Gate) Enter() {
	select {
	case g.places <- struct{}{}:
		return
	default:
	}
	g.waiting.Add(1)
	g.places <- struct{}{}
	g.waiting.Add(-1)
}

// Leave gives the place back.
func (g *Gate) Leave() { <-g.places }

// Inside returns how many have a place now.
func (g *Gate) Inside() int { return len(g.places) }

// Waiting returns how many wait for a place.
func (g *Gate) Waiting() int { return int(g.waiting.Load()) }
