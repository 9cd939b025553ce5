package main

import (
	"fmt"
	"time"
)

// A progress tells on the error output how far something is that takes longer than two seconds: how fast, and how long it
// will take yet.
type progress struct {
	app   *app
	what  string
	begun time.Time
	told  time.Time
}

// quietFor is for how long nothing is told.
const quietFor = 2 * time.Second

func (a *app) progress(what string) *progress {
	now := time.Now()
	return &progress{app: a, what: what, begun: now, told: now.Add(quietFor - time.Second)}
}

// at tells that done of all is behind us, once a second. Without all it is not known how much there is.
func (p *progress) at(done, all int64, unit func(int64) string) {
	now := time.Now()
	if now.Sub(p.told) < time.Second {
		return
	}
	p.told = now
	passed := now.Sub(p.begun)
	rate := float64(done) / passed.Seconds()
	text := fmt.Sprintf("%s: %s", p.what, unit(done))
	if all > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", unit(all), done*100/all)
	}
	text += fmt.Sprintf(", %s/s", unit(int64(rate)))
	if all > done && rate > 0 {
		left := time.Duration(float64(all-done) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	fmt.Fprintln(p.app.err, text)
}

func count(n int64) string { return fmt.Sprint(n) }
