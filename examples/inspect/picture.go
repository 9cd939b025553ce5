package main

import (
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The picture is a grid of squares, one a block, filled from below as far as the block is live.
const (
	squareSize = 22
	squareGap  = 4
	squaresRow = 40
	pictureTop = 64
	margin     = 12
)

// writePicture writes the map of blocks as an SVG.
func writePicture(path string, force bool, title string, list []actors.BlockInfo) error {
	return intoFile(path, force, func(w io.Writer) error {
		_, err := io.WriteString(w, picture(title, list))
		return err
	})
}

func picture(title string, list []actors.BlockInfo) string {
	rows := max(1, (len(list)+squaresRow-1)/squaresRow)
	width := 2*margin + squaresRow*(squareSize+squareGap)
	height := pictureTop + rows*(squareSize+squareGap) + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	var live, all int64
	for _, x := range list {
		live, all = live+x.Live, all+x.Size
	}
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="%d" y="24" font-weight="bold">%s</text>`+"\n", margin, html.EscapeString(shown(title)))
	fmt.Fprintf(&b, `<text x="%d" y="46" fill="#444444">%d blocks, %s, %d %% live</text>`+"\n", margin, len(list), size(all), percent(live, all))
	x := margin + 420
	for _, key := range []struct{ colour, text string }{{"#2e7d32", "live"}, {"#1565c0", "live, compressed"}, {"#e0e0e0", "dead"}, {"#c62828", "damaged"}} {
		fmt.Fprintf(&b, `<rect x="%d" y="35" width="12" height="12" fill="%s"/><text x="%d" y="46" fill="#444444">%s</text>`+"\n", x, key.colour, x+17, key.text)
		x += 40 + 8*len(key.text)
	}
	for i, block := range list {
		b.WriteString(square(margin+i%squaresRow*(squareSize+squareGap), pictureTop+i/squaresRow*(squareSize+squareGap), block))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// square draws a block.
func square(x, y int, b actors.BlockInfo) string {
	colour := "#2e7d32"
	if b.Compressed {
		colour = "#1565c0"
	}
	border := "#9e9e9e"
	if b.Damage > 0 {
		border = "#c62828"
	}
	filled := 0
	if b.Size > 0 {
		filled = int(b.Live * squareSize / b.Size)
	}
	text := fmt.Sprintf("block %d: %d messages, %d to %d, %s, %d %% live", b.ID, b.Messages, b.First, b.Last, size(b.Size), percent(b.Live, b.Size))
	return fmt.Sprintf(`<g><title>%s</title><rect x="%d" y="%d" width="%[4]d" height="%[4]d" fill="#e0e0e0" stroke="%s" stroke-width="%d"/><rect x="%[2]d" y="%[7]d" width="%[4]d" height="%[8]d" fill="%[9]s"/></g>`+"\n",
		text, x, y, squareSize, border, 1+min(b.Damage, 2), y+squareSize-filled, filled, colour)
}
