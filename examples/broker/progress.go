package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A progressLine shows how a phase gets on: redrawn in place on a terminal, a plain line per second
// elsewhere, so that a log file or a pipe stays readable.
type progressLine struct {
	out      io.Writer
	terminal bool
	plain    time.Time // when the last plain line was written
}

const (
	redrawEvery = 100 * time.Millisecond
	plainEvery  = time.Second
)

func newProgressLine(out io.Writer) *progressLine {
	return &progressLine{out: out, terminal: isTerminal(out)}
}

// isTerminal is good enough for choosing a look: a character device that says it can move its cursor.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// update shows text, if it is time to.
func (p *progressLine) update(now time.Time, text string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		return
	}
	if now.Sub(p.plain) >= plainEvery {
		p.plain = now
		fmt.Fprintln(p.out, text)
	}
}

// finish replaces the line by a last text.
func (p *progressLine) finish(text string) {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintln(p.out, text)
}

// watch calls describe and shows what it returns until done is closed.
func (p *progressLine) watch(done <-chan struct{}, describe func(elapsed time.Duration) string) {
	started := time.Now()
	p.plain = started
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			p.update(now, describe(now.Sub(started)))
		}
	}
}
