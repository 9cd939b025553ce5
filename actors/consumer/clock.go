package consumer

import "time"

// clock tells what time it is, nanoseconds since the epoch, and takes no notice when that of the system is put back or forward:
// what waits for its time would otherwise wait as much longer as the step was, or come again, and be given up, while it
// is being handled. It begins with each opening. Only the actor uses it.
type clock struct {
	read  func() (wall int64, run time.Duration) // what the system says, and for how long the clock has run, whatever that was
	ahead int64                                  // of what the system says; below 0 when it is behind

	wall int64 // when it was read last
	run  time.Duration
}

// leastStep is by how much the system's clock has to differ from what it should be for a step. Clocks that are slewed differ
// by little.
const leastStep = int64(100 * time.Millisecond)

func newClock(read func() (int64, time.Duration)) *clock {
	if read == nil {
		started := time.Now()
		read = func() (int64, time.Duration) {
			now := time.Now()
			return now.UnixNano(), now.Sub(started) // which takes no notice of steps
		}
	}
	c := &clock{read: read}
	c.wall, c.run = read()
	return c
}

func (c *clock) now() int64 {
	wall, run := c.read()
	step := wall - c.wall - int64(run-c.run)
	c.wall, c.run = wall, run
	if step < -leastStep || step > leastStep {
		c.ahead -= step
	}
	return wall + c.ahead
}
