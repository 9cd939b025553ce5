package cursor

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// has says which fields the events of a kind have, in their order: a sequence, a key, a time, a config.
var has = [...]struct{ sequence, key, time, config bool }{
	evDelivered:  {sequence: true, key: true, time: true},
	evHeld:       {sequence: true, key: true},
	evMoved:      {sequence: true},
	evLasted:     {},
	evAcked:      {sequence: true},
	evTerminated: {sequence: true, time: true},
	evDelayed:    {sequence: true, time: true},
	evExtended:   {sequence: true, time: true},
	evExhausted:  {sequence: true, time: true},
	evRemoved:    {sequence: true, time: true},
	evDamaged:    {sequence: true, time: true},
	evRewound:    {sequence: true},
	evPaused:     {time: true},
	evConfig:     {config: true},
	evReturned:   {sequence: true, time: true},
}

// append appends the event: a byte with its kind, and its fields as varints, the config with its length.
func (e event) append(out []byte) []byte {
	out = append(out, byte(e.kind))
	fields := has[e.kind]
	if fields.sequence {
		out = binary.AppendUvarint(out, e.sequence)
	}
	if fields.key {
		out = binary.AppendUvarint(out, e.key)
	}
	if fields.time {
		out = binary.AppendVarint(out, e.time)
	}
	if fields.config {
		out = appendBytes(out, e.config)
	}
	return out
}

func appendBytes(out, b []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

// Replay applies events that Take has returned. After an error the state is of no use.
func (c *Cursor) Replay(events []byte) error {
	d := decoder{left: events}
	for len(d.left) > 0 && d.err == nil {
		e := event{kind: eventKind(d.left[0])}
		d.left = d.left[1:]
		if e.kind == 0 || int(e.kind) >= len(has) {
			return fmt.Errorf("%w: event %d", ErrDamaged, e.kind)
		}
		fields := has[e.kind]
		if fields.sequence {
			e.sequence = d.sequence()
		}
		if fields.key {
			e.key = d.uvarint()
		}
		if fields.time {
			e.time = d.varint()
		}
		if fields.config {
			e.config = slices.Clone(d.bytes())
		}
		if d.err != nil {
			break
		}
		if err := c.apply(e); err != nil {
			return err
		}
	}
	return d.err
}

// snapshotVersion is the first byte of a snapshot.
const snapshotVersion = 1

// Snapshot returns the whole state.
func (c *Cursor) Snapshot() []byte {
	out := appendBytes([]byte{snapshotVersion}, c.config)
	for _, n := range c.numbers() {
		out = binary.AppendUvarint(out, *n)
	}
	out = binary.AppendVarint(out, c.paused)
	out = binary.AppendUvarint(out, uint64(len(c.pending)))
	for _, sequence := range slices.Sorted(maps.Keys(c.pending)) {
		e := c.pending[sequence]
		for _, n := range []uint64{sequence, e.first, e.last, e.deliveries, e.key} {
			out = binary.AppendUvarint(out, n)
		}
		out = binary.AppendVarint(out, e.due)
	}
	out = binary.AppendUvarint(out, uint64(len(c.held)))
	for _, sequence := range slices.Sorted(maps.Keys(c.held)) {
		out = binary.AppendUvarint(binary.AppendUvarint(out, sequence), c.held[sequence])
	}
	out = binary.AppendUvarint(out, uint64(len(c.notices)))
	for _, n := range c.notices {
		out = binary.AppendUvarint(append(out, byte(n.Kind)), n.Sequence)
		out = binary.AppendVarint(binary.AppendUvarint(out, n.Deliveries), n.Time)
	}
	return out
}

// numbers are the plain numbers of the state, in their order in a snapshot.
func (c *Cursor) numbers() []*uint64 {
	k := &c.counts
	return []*uint64{
		&c.position, &c.lasts, &c.number, &c.noticed,
		&k.Redelivered, &k.Acked, &k.Delayed, &k.Extended, &k.Terminated, &k.Exhausted, &k.Removed, &k.Damaged,
	}
}

// Restore returns the state of a snapshot, of which it keeps nothing.
func Restore(s Settings, snapshot []byte) (*Cursor, error) {
	if len(snapshot) == 0 || snapshot[0] != snapshotVersion {
		return nil, fmt.Errorf("%w: no snapshot of version %d", ErrDamaged, snapshotVersion)
	}
	c, d := empty(s), decoder{left: snapshot[1:]}
	c.config = slices.Clone(d.bytes())
	for _, n := range c.numbers() {
		*n = d.uvarint()
	}
	c.told, c.paused = c.position, d.varint()
	d.pending(c)
	d.held(c)
	d.notices(c)
	switch {
	case d.err != nil:
		return nil, d.err
	case len(d.left) > 0 || c.position == 0 || c.position > mostSequence:
		return nil, fmt.Errorf("%w: the snapshot does not end where it should", ErrDamaged)
	}
	return c, nil
}

// mostSequence is above every sequence of a stream.
const mostSequence = 1 << 63

// decoder reads what is left. After an error everything is zero.
type decoder struct {
	left []byte
	err  error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	d.left = nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.left)
	if n <= 0 {
		d.fail("a number is cut short")
		return 0
	}
	d.left = d.left[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.left)
	if n <= 0 {
		d.fail("a time is cut short")
		return 0
	}
	d.left = d.left[n:]
	return v
}

// sequence reads one that a stream can have.
func (d *decoder) sequence() uint64 {
	v := d.uvarint()
	if d.err == nil && (v == 0 || v > mostSequence) {
		d.fail("a sequence out of range")
	}
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.left)) {
		d.fail("bytes are cut short")
		return nil
	}
	b := d.left[:n]
	d.left = d.left[n:]
	return b
}

// each calls read so often as the number says that comes next.
func (d *decoder) each(read func()) {
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		read()
	}
}

func (d *decoder) pending(c *Cursor) {
	last := uint64(0)
	d.each(func() {
		e := &entry{sequence: d.sequence(), first: d.uvarint(), last: d.uvarint(), deliveries: d.uvarint(), key: d.uvarint(), due: d.varint()}
		switch {
		case d.err != nil:
		case e.sequence <= last || e.sequence >= c.position || e.first == 0 || e.first > e.last || e.last > c.number:
			d.fail("a message that is pending makes no sense")
		default:
			last = e.sequence
			c.pending[e.sequence] = e
			c.later.add(e)
			if c.Ordered {
				c.lineOf(e.key).busy = true
			}
		}
	})
}

func (d *decoder) held(c *Cursor) {
	last := uint64(0)
	d.each(func() {
		sequence, key := d.sequence(), d.uvarint()
		switch {
		case d.err != nil:
		case sequence <= last || sequence >= c.position || c.pending[sequence] != nil:
			d.fail("a message that is held makes no sense")
		default:
			last = sequence
			c.queueUp(sequence, key)
		}
	})
}

func (d *decoder) notices(c *Cursor) {
	count := d.uvarint()
	if count > c.noticed || count > mostNotices {
		d.fail("too many notices")
		return
	}
	for i := range count {
		if len(d.left) == 0 {
			d.fail("notices are cut short")
			return
		}
		n := Notice{Number: c.noticed - count + i + 1, Kind: NoticeKind(d.left[0])}
		d.left = d.left[1:]
		n.Sequence, n.Deliveries, n.Time = d.uvarint(), d.uvarint(), d.varint()
		c.notices = append(c.notices, n)
	}
}
