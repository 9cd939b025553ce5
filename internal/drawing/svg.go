package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes in pixels.
const (
	cellWidth  = 80
	cellHeight = 34
	margin     = 12
	lineHeight = 15
	titleSize  = 14
	textSize   = 11.5
	labelBelow = 20 // the label of a downward arrow, below the upper end
)

// head is the beginning of an SVG: its size and what is the same in every drawing. The colours are
// readable on a light page and on a dark one.
const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" font-family="ui-monospace, Menlo, Consolas, monospace">
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="#2563a8"/></marker></defs>
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
`

// svg returns the drawing as an SVG.
func (d *drawing) svg() string {
	var out strings.Builder
	fmt.Fprintf(&out, head, int(d.columns*cellWidth)+2*margin, int(d.rows*cellHeight)+2*margin)
	for _, frames := range []bool{true, false} {
		for i := range d.boxes {
			if d.boxes[i].frame == frames {
				d.boxes[i].write(&out)
			}
		}
	}
	for i := range d.arrows {
		d.arrows[i].write(&out)
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func x(column float64) float64 { return margin + column*cellWidth }
func y(row float64) float64    { return margin + row*cellHeight }

func (b *box) write(out *strings.Builder) {
	fill, stroke := "#f3f6fa", "#4a5a6a"
	if b.frame {
		fill, stroke = "#fbfbf7", "#b0a890"
	}
	fmt.Fprintf(out, `<rect x="%g" y="%g" width="%g" height="%g" rx="5" fill="%s" stroke="%s"/>`+"\n",
		x(b.x), y(b.y), b.columns*cellWidth, b.rows*cellHeight, fill, stroke)
	text(out, x(b.x)+8, y(b.y)+18, titleSize, `font-weight="bold" fill="#1a2530"`, b.title)
	for i, line := range b.lines {
		text(out, x(b.x)+8, y(b.y)+18+float64(i+1)*lineHeight, textSize, `fill="#33404c"`, line)
	}
}

func (a *arrow) write(out *strings.Builder) {
	dash := ""
	if a.dashed {
		dash = ` stroke-dasharray="5 4"`
	}
	x1, y1, x2, y2 := x(a.x1), y(a.y1), x(a.x2), y(a.y2)
	fmt.Fprintf(out, `<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="#2563a8" stroke-width="1.5"%s marker-end="url(#tip)"/>`+"\n",
		x1, y1, x2, y2, dash)
	if x1 == x2 {
		text(out, x1+5, min(min(y1, y2)+labelBelow, (y1+y2)/2+4), textSize, `fill="#2563a8"`, a.label)
	} else {
		text(out, (x1+x2)/2, y1-5, textSize, `fill="#2563a8" text-anchor="middle"`, a.label)
	}
}

func text(out *strings.Builder, x, y, size float64, style, s string) {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(s)) // a strings.Builder takes everything
	fmt.Fprintf(out, `<text x="%g" y="%g" font-size="%g" %s>%s</text>`+"\n", x, y, size, style, escaped.String())
}
