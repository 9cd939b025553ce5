package actors_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A damageTable counts.
type damageTable struct {
	mu    sync.Mutex
	rows  map[string]*damageRow
	shown map[string]int // findings, by row and kind
}

// A damageRow counts the cases of one kind of damage.
type damageRow struct {
	cases int
	found [damageKinds]int // cases with at least one such finding
}

// mostShown bounds how many cases are printed of each row and kind of finding.
const mostShown = 5

// mostLines bounds the findings that are printed of a case.
const mostLines = 12

// add counts a case, and fails the test for what is found.
func (d *damageTable) add(t *testing.T, c damageCase, findings []damageFinding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := c.rowName()
	row := d.rows[name]
	if row == nil {
		row = &damageRow{}
		d.rows[name] = row
	}
	row.cases++
	var has [damageKinds]bool
	var text strings.Builder
	for i, f := range findings {
		has[f.kind] = true
		if i < mostLines {
			fmt.Fprintf(&text, "\n    %s: %s", damageKindNames[f.kind], f.text)
		}
	}
	fails, show := false, *damageOnly != ""
	for kind, found := range has {
		if !found {
			continue
		}
		row.found[kind]++
		fails = true
		key := name + damageKindNames[kind]
		d.shown[key]++
		show = show || d.shown[key] <= mostShown
	}
	switch {
	case fails && show:
		t.Errorf("%s\n    go test ./actors -run 'TestDamageSweep$' -damage.only '%s'%s", c, c, &text)
	case fails:
		t.Fail()
	}
}

// rowName is the row of the table that counts the case.
func (c damageCase) rowName() string {
	way := "cold"
	if c.way.warm() {
		way = "warm"
	}
	file := "block"
	switch {
	case strings.HasSuffix(c.file.path, ".bix"):
		file = "index"
	case c.file.block == 0:
		file = "meta files"
	}
	return file + ", " + way + ", " + c.kind
}

// String is the table as it is in docs/testing.md.
func (d *damageTable) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "| file, time, damage | cases |")
	for _, name := range damageKindNames {
		fmt.Fprintf(&text, " %s |", name)
	}
	text.WriteString("\n|---|" + strings.Repeat("---|", int(damageKinds)+1) + "\n")
	total := &damageRow{}
	write := func(name string, r *damageRow) {
		fmt.Fprintf(&text, "| %s | %d |", name, r.cases)
		for _, n := range r.found {
			fmt.Fprintf(&text, " %d |", n)
		}
		text.WriteString("\n")
	}
	names := slices.SortedFunc(maps.Keys(d.rows), func(a, b string) int { return cmp.Compare(rowOrder(a), rowOrder(b)) })
	for _, name := range names {
		row := d.rows[name]
		write(name, row)
		total.cases += row.cases
		for kind, n := range row.found {
			total.found[kind] += n
		}
	}
	write("**all**", total)
	return text.String()
}

// rowOrder sorts rows by file, then by time, then by damage.
func rowOrder(name string) string {
	parts := strings.Split(name, ", ")
	order := []string{"block", "index", "meta files", "cold", "warm", damageNothing, damageFlip, damageCut, damageZero, damageMissing, damageEmpty, damageOlder, damageNeighbour}
	var key strings.Builder
	for _, part := range parts {
		key.WriteByte(byte('a' + slices.Index(order, part)))
	}
	return key.String()
}

// The marks between which the table stands in the documentation.
const (
	damageTableBegin = "<!-- damage table: make damage DAMAGE_FLAGS=-damage.update -->\n"
	damageTableEnd   = "<!-- end of the damage table -->\n"
)

// update writes the table into a page, with how it came about.
func (d *damageTable) update(page string, took time.Duration) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(text, []byte(damageTableBegin))
	_, after, ends := bytes.Cut(rest, []byte(damageTableEnd))
	if !begins || !ends {
		return errors.New("the page has no place for the table")
	}
	var flags []string
	flag.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "damage.") && f.Name != "damage.journal" && f.Name != "damage.update" {
			flags = append(flags, fmt.Sprintf("-%s=%v", f.Name, f.Value))
		}
	})
	how := fmt.Sprintf("With `%s`, in %v:\n\n", strings.Join(flags, " "), took.Round(time.Second))
	return os.WriteFile(page, slices.Concat(before, []byte(damageTableBegin+how+d.String()+damageTableEnd), after), 0o644)
}
