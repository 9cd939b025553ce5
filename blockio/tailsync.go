package blockio

import "fmt"

// syncTail makes durable what was written to an open block. Those who sync a block take turns: the system tells of what it could
// not write once, to one of them, and after that none may take the block for synced. Besides the one who appends, that is
// the background sync, and Tails.
func (b *Blocks) syncTail(t *tail, file File) error {
	t.turn.Lock()
	defer t.turn.Unlock()
	b.mu.Lock()
	broken := t.broken
	b.mu.Unlock()
	if broken != nil {
		return fmt.Errorf("%w: %w", ErrBroken, broken)
	}
	err := SyncFile(file)
	if err != nil {
		b.mu.Lock()
		if t.broken == nil {
			t.broken = err
		}
		b.mu.Unlock()
	}
	return err
}
