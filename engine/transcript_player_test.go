package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// transcript is the shell of an engine whose inputs are the lines of a transcript. It carries work out
// when a line says that it is done, on a disk in memory, and not before.
type transcript struct {
	cfg  engine.Config
	disk *disk
	pub  *engine.Published
	e    *engine.Engine
	now  int64

	work    map[engine.WorkID]func() engine.Done
	shown   string // of what readers see
	tickAt  string
	answers []string
}

func newTranscript() *transcript {
	return &transcript{disk: newDisk(), now: start, work: make(map[engine.WorkID]func() engine.Done)}
}

func (p *transcript) answer(format string, args ...any) {
	p.answers = append(p.answers, fmt.Sprintf(format, args...))
}

// unfinished reports what a transcript leaves open: work that was handed out gets its completion.
func (p *transcript) unfinished() error {
	if p.e == nil {
		return errors.New("no stream was opened")
	}
	for id := range p.work {
		if p.e.Failed() == nil {
			return fmt.Errorf("work %d is not completed", id)
		}
	}
	return nil
}

// input carries out one line.
func (p *transcript) input(line string) error {
	fields := strings.Fields(line)
	verb, args := fields[0], fields[1:]
	switch verb {
	case "stream":
		return p.stream(args)
	case "block":
		return p.block(args)
	case "open":
		return p.open(args)
	case "disk":
		p.showDisk()
		return nil
	}
	if p.e == nil {
		return errors.New("there is no stream yet")
	}
	if err := p.act(verb, args); err != nil {
		return err
	}
	p.showPublished()
	return p.e.CheckInvariants()
}

// act carries out a line that is about a stream.
func (p *transcript) act(verb string, args []string) error {
	switch verb {
	case "ready":
		p.ready()
		return nil
	case "done":
		return p.done(args, nil)
	case "fail":
		return p.done(args, errors.New("input/output error"))
	case "tick":
		return p.tick(args)
	}
	return p.command(verb, args)
}

// stream takes the configuration. Sizes are in bytes.
func (p *transcript) stream(args []string) (err error) {
	p.cfg = testConfig()
	p.cfg.BlockSize, p.cfg.IndexFrom, p.cfg.Linger = 1<<20, -1, time.Millisecond
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		n, notNumber := strconv.ParseInt(value, 10, 64)
		switch name {
		case "sync":
			p.cfg.Level, notNumber = level(value), nil
		case "every":
			p.cfg.SyncEvery, notNumber = time.ParseDuration(value)
		case "max-age":
			p.cfg.Limits.MaxAge, notNumber = time.ParseDuration(value)
		case "block-size":
			p.cfg.BlockSize = n
		case "max-msgs":
			p.cfg.Limits.MaxMsgs = n
		case "discard":
			if notNumber = nil; value == "new" {
				p.cfg.Limits.Discard = engine.DiscardNew
			}
		case "index-from":
			p.cfg.IndexFrom = n
		case "derived":
			p.cfg.Derived, notNumber = []string{value}, nil
		default:
			return fmt.Errorf("there is no setting %q", name)
		}
		err = errors.Join(err, notNumber)
	}
	return err
}

func level(name string) engine.SyncLevel {
	for _, l := range []engine.SyncLevel{engine.SyncInterval, engine.SyncNever} {
		if l.String() == name {
			return l
		}
	}
	return engine.SyncAlways
}

// block puts a block file on the disk: m2 is a message, s2 a skip, t2 a tombstone, each with its
// sequence.
func (p *transcript) block(args []string) error {
	id, err := strconv.Atoi(strings.TrimSuffix(args[0], ":"))
	if err != nil {
		return err
	}
	var records []appender
	for _, word := range args[1:] {
		sequence, err := strconv.ParseUint(word[1:], 10, 64)
		if err != nil {
			return err
		}
		switch word[0] {
		case 'm':
			records = append(records, bareMessage(sequence))
		case 's':
			records = append(records, skipped(sequence, int64(sequence)))
		case 't':
			records = append(records, tomb(sequence))
		default:
			return fmt.Errorf("there is no record %q", word)
		}
	}
	p.disk.current[uint32(id)] = blockOf(uint32(id), records...)
	return nil
}

// bareMessage is a message of 30 bytes, as the commands of a transcript store them.
func bareMessage(sequence uint64) appender {
	return func(b blockCodec, dst []byte) []byte {
		return b.AppendMessage(dst, sequence, int64(sequence), "", nil, nil)
	}
}

// open recovers the stream from the disk. keep-tables=n is the most records that recovery keeps tables
// of. After a failure it goes on with what readers have seen.
func (p *transcript) open(args []string) error {
	for _, arg := range args {
		n, err := strconv.Atoi(strings.TrimPrefix(arg, "keep-tables="))
		if err != nil {
			return err
		}
		defer engine.SetKeepRecords(n)()
	}
	after := p.pub != nil
	if !after {
		p.pub = engine.NewPublished()
	}
	r := engine.NewRecovery(p.cfg, p.pub)
	if after {
		r.AtLeast(p.pub.Last())
		r.RemoveBelow(p.pub.First())
	}
	ids := p.disk.blocks()
	for i, id := range ids {
		r.Add(scan(id, p.disk.current[id], i == len(ids)-1 && !after))
	}
	p.e, p.work = r.Finish(p.now), map[engine.WorkID]func() engine.Done{}
	if p.e.Opening() {
		p.answer("opening")
	}
	return p.e.CheckInvariants()
}

// showDisk prints the records of each block, as layout does.
func (p *transcript) showDisk() {
	for _, id := range p.disk.blocks() {
		p.answer("block %d: %s", id, layout(id, p.disk.current[id]))
	}
}

// command gives the engine a command. Its first argument is the tag.
func (p *transcript) command(verb string, args []string) error {
	if len(args) == 0 {
		return errors.New("a command has a tag")
	}
	tag, args := args[0], args[1:]
	number := func(name string) (n uint64) {
		for _, arg := range args {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				n, _ = strconv.ParseUint(value, 10, 64)
			}
		}
		return n
	}
	// Records of messages are then 30 bytes, as the others are, and easy to count.
	message := engine.Message{Payload: make([]byte, number("payload"))}
	var c engine.Command
	switch verb {
	case "store":
		expect := slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "expect-last=") })
		c = &engine.Store{Message: message,
			Precondition: engine.Precondition{ExpectLast: number("expect-last"), HasExpectLast: expect}}
	case "raw":
		c = &engine.StoreRaw{Message: message, Sequence: number("sequence"), Time: start + int64(number("time"))}
	case "batch":
		c = &engine.StoreBatch{Messages: slices.Repeat([]engine.Message{message}, int(number("messages")))}
	case "skip":
		c = &engine.Skip{Count: number("count")}
	case "flush":
		c = &engine.Flush{}
	case "stop":
		c = &engine.Stop{}
	default:
		return fmt.Errorf("there is no input %q", verb)
	}
	p.e.Step(tag, c)
	return nil
}

// tick sets the clock, counted from the start of the transcript.
func (p *transcript) tick(args []string) error {
	after, err := time.ParseDuration(args[0])
	p.now = start + int64(after)
	p.e.Tick(p.now)
	return err
}

// ready takes a Ready and prints it.
func (p *transcript) ready() {
	ready := p.e.Ready()
	for _, r := range ready.Replies {
		if r.Err != nil {
			p.answer("reply to %v: error: %v", r.Tag, r.Err)
		} else {
			p.answer("reply to %v: sequence %d", r.Tag, r.Sequence)
		}
	}
	if c := ready.Commit; c != nil {
		p.answer("commit %d", c.ID)
		for _, op := range c.Ops {
			line := "  " + strings.Replace(op.String(), "remove derived", "remove-derived", 1)
			if op.Kind == engine.OpWrite {
				before := p.disk.current[op.Block]
				line += ": " + layoutFrom(op.Block, slices.Concat(op.Data...), markCRC(op.Block, before))
			}
			p.answer("%s", line)
		}
		p.work[c.ID] = func() engine.Done { return p.carryOut(c) }
	}
	for _, w := range ready.Maintenance {
		p.answer("work %d", w.ID)
		p.answer("  %v", w)
		p.work[w.ID] = func() engine.Done { return p.maintain(w) }
	}
	p.showTick()
}

// done completes one piece of work, which is carried out now or has failed.
func (p *transcript) done(args []string, failure error) error {
	n, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	run, ok := p.work[engine.WorkID(n)]
	if !ok {
		return errors.New("there is no such work")
	}
	delete(p.work, engine.WorkID(n))
	if failure != nil {
		p.e.Done(engine.Done{ID: engine.WorkID(n), Err: failure})
		return nil
	}
	done := run()
	p.e.Done(done)
	return done.Err
}

func (p *transcript) carryOut(c *engine.Commit) engine.Done {
	done := engine.Done{ID: c.ID}
	for _, op := range c.Ops {
		var changes []change
		switch op.Kind {
		case engine.OpCreate:
			changes = []change{{kind: 'c', block: op.Block}}
		case engine.OpWrite:
			changes = []change{{kind: 'w', block: op.Block, offset: op.Offset, data: slices.Concat(op.Data...)}}
		}
		if done.Err = p.disk.run(op.String(), false, op.Block, changes...); done.Err != nil {
			break
		}
	}
	return done
}

func (p *transcript) maintain(w engine.Work) engine.Done {
	done := engine.Done{ID: w.ID}
	switch w.Kind {
	case engine.WorkLoad:
		done.Table = scan(w.Block, p.disk.current[w.Block][:w.Size], false).Table()
	case engine.WorkRemove:
		done.Err = p.disk.run(w.String(), false, w.Block, change{kind: 'r', block: w.Block})
	}
	return done
}

// showPublished prints what readers see, when it has changed.
func (p *transcript) showPublished() {
	s := p.pub.State()
	now := fmt.Sprintf("readers see %d..%d: %d live, %d deleted; durable up to %d",
		s.FirstSequence, s.LastSequence, s.Messages, s.Deleted, s.Durable)
	if s.LastSequence == 0 {
		now = fmt.Sprintf("readers see an empty stream; durable up to %d", s.Durable)
	}
	if now != p.shown {
		p.shown = now
		p.answer("%s", now)
	}
}

// showTick prints when the engine wants to be told the time next, when that has changed.
func (p *transcript) showTick() {
	next := "never"
	if at, ok := p.e.NextTick(); ok {
		next = "+" + time.Duration(at-start).String()
	}
	if next != p.tickAt && (p.tickAt != "" || next != "never") {
		p.answer("next tick: %s", next)
	}
	p.tickAt = next
}
