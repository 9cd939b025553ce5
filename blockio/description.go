package blockio

// A Description is what somebody made of a block, such as an index of it. It lives as
// long as the block is open.
type Description interface {
	// Heap returns the bytes of memory that it takes, about. It is asked once.
	Heap() int64
	// Close releases what it holds. Nobody uses it any more then.
	Close() error
}

// A describeCall is one call of the function that builds a description of a block.
type describeCall struct {
	done chan struct{} // closed when the others are set
	made Description
	err  error
}

// Description returns what build makes of the block: once for as long as it is open,
// however many ask for it at a time. It is usable until the block is released. Its memory
// counts against the bound of the cache. An error goes to all who wait for it, and is not
// kept: the next call builds again. A panic in build goes on, and those who wait get
// ErrPanic.
func (b *Block) Description(build func(*Block) (Description, error)) (Description, error) {
	if d := b.description.Load(); d != nil {
		return *d, nil
	}
	b.describing.Lock()
	if d := b.description.Load(); d != nil {
		b.describing.Unlock()
		return *d, nil
	}
	call := b.attempt
	if call != nil {
		b.describing.Unlock()
		<-call.done
		return call.made, call.err
	}
	call = &describeCall{done: make(chan struct{}), err: ErrPanic} // unless build returns
	b.attempt = call
	b.describing.Unlock()
	return b.describe(call, build)
}

// describe calls build, for the caller and all who wait. The caller's lease keeps the
// block open under it.
func (b *Block) describe(call *describeCall, build func(*Block) (Description, error)) (Description, error) {
	defer func() {
		b.describing.Lock()
		if call.err == nil {
			b.description.Store(&call.made)
		}
		b.attempt = nil
		b.describing.Unlock()
		close(call.done)
	}()
	made, err := build(b)
	if err != nil {
		call.err = err
		return nil, err
	}
	b.key.source.cache.grow(b, made.Heap())
	call.made, call.err = made, nil
	return made, nil
}
