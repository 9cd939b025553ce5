// Command drawing makes the SVG of a drawing from its description in plain text: boxes on a grid, and
// straight arrows between them. `make drawing` makes the one of docs/architecture.md.
//
// Each line of a description is one of
//
//	grid COLUMNS ROWS
//	box NAME COLUMN ROW COLUMNS ROWS: TITLE | LINE | LINE ...
//	frame NAME COLUMN ROW COLUMNS ROWS: TITLE
//	arrow FROM TO AT: LABEL
//	dashed FROM TO AT: LABEL
//
// or empty, or a comment that begins with #. Places and sizes are in cells of the grid and may have
// fractions. AT is the row of an arrow between boxes side by side, and the column of one between boxes
// above each other.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: drawing DESCRIPTION SVG")
		os.Exit(2)
	}
	if err := draw(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "drawing:", err)
		os.Exit(1)
	}
}

// draw reads a description and writes its SVG.
func draw(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	d, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, []byte(d.svg()), 0o644)
}
