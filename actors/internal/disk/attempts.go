package disk

import (
	"errors"
	"sync"
)

// mostAttempts is how many times in a row a file with sectors that cannot be read is tried until what these cover
// is taken for lost. Whoever asks for the work lets some time pass between two of them.
const mostAttempts = 3

// errTryAgain: a later attempt may have another outcome.
var errTryAgain = errors.New("to be tried again")

// attempts counts the attempts for each block.
type attempts struct {
	mu   sync.Mutex
	made map[uint32]int
}

// hasPatience counts an attempt, and reports whether there will be others.
func (a *attempts) hasPatience(id uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made == nil {
		a.made = make(map[uint32]int)
	}
	a.made[id]++
	return a.made[id] < mostAttempts
}

// done forgets the attempts: one had a result.
func (a *attempts) done(id uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.made, id)
}
