package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var docs = filepath.Join("..", "..", "docs")

// TestCommittedDrawingIsWhatItsTextGives: whoever changes one of the two makes the other.
func TestCommittedDrawingIsWhatItsTextGives(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made.svg")
	require.NoError(t, draw(filepath.Join(docs, "architecture.txt"), made))
	got, err := os.ReadFile(made)
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(docs, "architecture.svg"))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "`make drawing` makes docs/architecture.svg anew")
}

func TestDrawingIsWellFormed(t *testing.T) {
	d, err := parse("grid 4 4\nbox a 0 0 1 1: <b> & c | \"line\"\nframe f 0 2 4 2: F\nbox b 0 3 1 1: B\narrow a b 0.5: x < y\ndashed b a 0.6:")
	require.NoError(t, err)
	svg := d.svg()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, svg, "&lt;b&gt; &amp; c")
	require.Equal(t, 2, strings.Count(svg, "<line"))
	require.Equal(t, 1, strings.Count(svg, "stroke-dasharray"))
	require.Less(t, strings.Index(svg, ">F<"), strings.Index(svg, ">B<"), "a frame is drawn below what is in it")
}

func TestArrowsLeadFromEdgeToEdge(t *testing.T) {
	const boxes = "grid 4 4\nbox a 0 0 1 1: A\nbox right 2 0 1 1: R\nbox below 0 2 1 1: B\n"
	for _, row := range []struct {
		arrow          string
		x1, y1, x2, y2 float64
	}{
		{"arrow a right 0.5:", 1, 0.5, 2, 0.5},
		{"arrow right a 0.5:", 2, 0.5, 1, 0.5},
		{"arrow a below 0.2:", 0.2, 1, 0.2, 2},
		{"arrow below a 0.2:", 0.2, 2, 0.2, 1},
	} {
		d, err := parse(boxes + row.arrow)
		require.NoError(t, err, row.arrow)
		a := d.arrows[0]
		require.Equal(t, []float64{row.x1, row.y1, row.x2, row.y2}, []float64{a.x1, a.y1, a.x2, a.y2}, row.arrow)
	}
}

func TestDescriptionsAreRefused(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "# only this", "no grid"},
		{"another word", "grid 1 1\ncircle a", "line 2"},
		{"too few numbers", "grid 1", "2 numbers"},
		{"no number", "grid 1 x", "line 1"},
		{"a box beyond the grid", "grid 1 1\nbox a 0 0 2 1: A", "not within"},
		{"boxes that overlap", "grid 3 3\nbox a 0 0 2 2: A\nbox b 1 1 1 1: B", "b overlaps a"},
		{"a name twice", "grid 3 3\nbox a 0 0 1 1: A\nbox a 1 1 1 1: A", "two boxes a"},
		{"an arrow to nowhere", "grid 3 3\nbox a 0 0 1 1: A\narrow a b 0:", "no box"},
		{"an arrow that is not straight", "grid 3 3\nbox a 0 0 1 1: A\nbox b 2 2 1 1: B\narrow a b 0.5:", "no straight line"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parse(row.text)
			require.ErrorContains(t, err, row.want)
		})
	}
}
