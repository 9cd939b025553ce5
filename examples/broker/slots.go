package main

// slots are places for so many at a time as they have capacity.
type slots chan struct{}

// enter takes a place, and reports false if there is none.
func (s slots) enter() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

// leave gives a place back.
func (s slots) leave() { <-s }
