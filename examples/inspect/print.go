package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
)

// json writes a value on a line of its own.
func (a *app) json(v any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printf writes text.
func (a *app) printf(format string, arguments ...any) error {
	_, err := fmt.Fprintf(a.out, format, arguments...)
	return err
}

// columns writes rows in columns, of which all but the last are to the right.
func (a *app) columns(head []string, rows [][]string) error {
	all := append([][]string{head}, rows...)
	widths := make([]int, len(head)-1)
	for _, row := range all {
		for i := range widths {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range all {
		for i, width := range widths {
			fmt.Fprintf(&b, "%*s  ", width, row[i])
		}
		b.WriteString(row[len(widths)])
		b.WriteByte('\n')
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// coloured reports whether what is written is to have colours.
func (a *app) coloured() bool {
	switch a.colour {
	case "always":
		return true
	case "never":
		return false
	}
	return isTerminal(a.out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// The colours of the text.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	grey   = "90"
)

// paint returns text in a colour, if there are colours.
func (a *app) paint(colour, text string) string {
	if !a.coloured() {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// size returns bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTP")-1 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[prefix])
}

// instant returns a time for people and programs, empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// shown returns text with what a terminal would act on, or would not show, escaped: subjects and payloads come from
// anybody.
func shown(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == unicode.ReplacementChar, unicode.IsControl(r) && r != '\t', unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			quoted := fmt.Sprintf("%+q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
