package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// drawing is a description, read.
type drawing struct {
	columns, rows float64
	boxes         []box
	arrows        []arrow
}

// box is a rectangle with text in it. A frame has a title only, and other boxes in it.
type box struct {
	name                string
	x, y, columns, rows float64
	frame               bool
	title               string
	lines               []string
}

// arrow leads straight from one box to another.
type arrow struct {
	from, to       string
	at             float64
	dashed         bool
	label          string
	x1, y1, x2, y2 float64 // its ends
}

// parse reads a description. The error names the line.
func parse(text string) (*drawing, error) {
	d := &drawing{}
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := d.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if d.columns <= 0 || d.rows <= 0 {
		return nil, errors.New("it has no grid")
	}
	return d, nil
}

// line takes one line.
func (d *drawing) line(line string) error {
	head, rest, _ := strings.Cut(line, ":")
	fields := strings.Fields(head)
	kind := fields[0]
	names := map[string]int{"grid": 0, "box": 1, "frame": 1, "arrow": 2, "dashed": 2}
	wanted := map[string]int{"grid": 2, "box": 4, "frame": 4, "arrow": 1, "dashed": 1}
	n, ok := names[kind]
	if !ok {
		return fmt.Errorf("%q is no kind of line", kind)
	}
	if len(fields) != 1+n+wanted[kind] {
		return fmt.Errorf("%s has %d names and %d numbers", kind, n, wanted[kind])
	}
	var numbers []float64
	for _, field := range fields[1+n:] {
		number, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return err
		}
		numbers = append(numbers, number)
	}
	switch kind {
	case "grid":
		d.columns, d.rows = numbers[0], numbers[1]
		return nil
	case "arrow", "dashed":
		return d.addArrow(arrow{from: fields[1], to: fields[2], at: numbers[0], dashed: kind == "dashed", label: strings.TrimSpace(rest)})
	}
	b := box{name: fields[1], x: numbers[0], y: numbers[1], columns: numbers[2], rows: numbers[3], frame: kind == "frame"}
	for i, text := range strings.Split(rest, "|") {
		if text = strings.TrimSpace(text); i == 0 {
			b.title = text
		} else {
			b.lines = append(b.lines, text)
		}
	}
	return d.addBox(b)
}

// addBox adds a box, which must lie within the grid and overlap no other, unless that is a frame.
func (d *drawing) addBox(b box) error {
	if d.find(b.name) != nil {
		return fmt.Errorf("there are two boxes %s", b.name)
	}
	if b.x < 0 || b.y < 0 || b.columns <= 0 || b.rows <= 0 || b.x+b.columns > d.columns || b.y+b.rows > d.rows {
		return fmt.Errorf("%s is not within the grid", b.name)
	}
	for i := range d.boxes {
		o := &d.boxes[i]
		if !o.frame && b.x < o.x+o.columns && o.x < b.x+b.columns && b.y < o.y+o.rows && o.y < b.y+b.rows {
			return fmt.Errorf("%s overlaps %s", b.name, o.name)
		}
	}
	d.boxes = append(d.boxes, b)
	return nil
}

func (d *drawing) find(name string) *box {
	for i := range d.boxes {
		if d.boxes[i].name == name {
			return &d.boxes[i]
		}
	}
	return nil
}

// addArrow adds an arrow between two boxes that were described before.
func (d *drawing) addArrow(a arrow) error {
	from, to := d.find(a.from), d.find(a.to)
	if from == nil || to == nil {
		return fmt.Errorf("there is no box %s or no box %s", a.from, a.to)
	}
	within := func(at, start, size float64) bool { return start <= at && at <= start+size }
	switch {
	case within(a.at, from.y, from.rows) && within(a.at, to.y, to.rows) && from.x+from.columns <= to.x:
		a.x1, a.y1, a.x2, a.y2 = from.x+from.columns, a.at, to.x, a.at
	case within(a.at, from.y, from.rows) && within(a.at, to.y, to.rows) && to.x+to.columns <= from.x:
		a.x1, a.y1, a.x2, a.y2 = from.x, a.at, to.x+to.columns, a.at
	case within(a.at, from.x, from.columns) && within(a.at, to.x, to.columns) && from.y+from.rows <= to.y:
		a.x1, a.y1, a.x2, a.y2 = a.at, from.y+from.rows, a.at, to.y
	case within(a.at, from.x, from.columns) && within(a.at, to.x, to.columns) && to.y+to.rows <= from.y:
		a.x1, a.y1, a.x2, a.y2 = a.at, from.y, a.at, to.y+to.rows
	default:
		return fmt.Errorf("no straight line at %v leads from %s to %s", a.at, a.from, a.to)
	}
	d.arrows = append(d.arrows, a)
	return nil
}
