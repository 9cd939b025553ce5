package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// rawLine is the log line of one run.
func rawLine(r row, turn int, contestant string, run measure.Run) string {
	line := fmt.Sprintf("%-24s run %d  %-18s", r.name, turn, contestant)
	if run.Elapsed > 0 {
		line += fmt.Sprintf(" %12.0f /s  %10s for %9d", run.Rate(), run.Elapsed.Round(10*time.Microsecond), run.Messages)
	}
	if run.P50 > 0 {
		line += fmt.Sprintf("  p50 %9s  p99 %9s", duration(run.P50), duration(run.P99))
	}
	if run.Elapsed > 0 {
		line += fmt.Sprintf("  %6.2f allocs each  %.1f cores", run.AllocsPerItem, run.Cores)
	}
	if run.Heap > 0 {
		line += fmt.Sprintf("  heap %s resident %s MiB", short(run.Heap), short(run.Resident))
	}
	if len(run.Extras) > 0 {
		line += "  " + extrasText(run.Extras)
	}
	return line
}

// table is the Markdown table of all rows: a line for each contestant, with Millrace's rate by its
// rate, and the targets that name it.
func table(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| row | store | operations/s | p50 | p99 | allocs each | cores | heap, resident MiB | besides | Millrace by it | target |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|---|--:|---|\n")
	for _, o := range outcomes {
		ours, present := o.find(millraceName)
		title := o.row.title
		for _, l := range o.lines {
			s := measure.Summarize(l.runs)
			ratio := ""
			if present && l.contestant != millraceName && s.Rate > 0 {
				ratio = short(divide(ours.Rate, s.Rate)) + "x"
			}
			name := l.contestant
			if name == millraceName {
				name = "**" + name + "**"
			}
			allocs, cores, memory := "", "", ""
			if s.Rate > 0 {
				allocs, cores = short(s.AllocsPerItem), fmt.Sprintf("%.1f", s.Cores)
			}
			if s.Heap > 0 {
				memory = fmt.Sprintf("%.0f, %.0f", s.Heap, s.Resident)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, name, rateText(o, s),
				duration(s.P50), duration(s.P99), allocs, cores, memory, extrasText(s.Extras), ratio,
				targetText(o, l.contestant, ours, s, present))
			title = ""
		}
	}
	return b.String()
}

// rateText is the rate, with the time beside it where a target is about the time.
func rateText(o outcome, s measure.Summary) string {
	if s.Rate == 0 {
		return ""
	}
	for _, t := range o.row.targets {
		if t.figure == timeFigure {
			return fmt.Sprintf("%s (%s)", thousands(s.Rate), duration(s.Elapsed))
		}
	}
	return thousands(s.Rate)
}

// extrasText is the figures that few rows have.
func extrasText(extras []measure.Extra) string {
	texts := make([]string, len(extras))
	for i, extra := range extras {
		texts[i] = extra.Name + " " + short(extra.Value) + string(extra.Unit)
	}
	return strings.Join(texts, ", ")
}

// targetText is what the targets against one contestant say, and whether they are met.
func targetText(o outcome, contestant string, ours, theirs measure.Summary, present bool) string {
	var texts []string
	for _, t := range o.row.targets {
		if t.against != contestant {
			continue
		}
		text := t.String()
		if present {
			text += ": " + t.verdict(ours, theirs)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// missed lists the targets that are not met, a line each.
func missed(outcomes []outcome) []string {
	var lines []string
	for _, o := range outcomes {
		ours, present := o.find(millraceName)
		if !present {
			continue
		}
		for _, t := range o.row.targets {
			theirs, found := o.find(t.against)
			if !found {
				continue
			}
			if value, met := t.check(ours, theirs); !met {
				against := ""
				if !t.alone() {
					against = " against " + t.against
				}
				lines = append(lines, fmt.Sprintf("%s: %s%s, and it is %s", o.row.title, t, against, t.text(value)))
			}
		}
	}
	return lines
}

// document is docs/benchmarks.md.
func document(outcomes []outcome, runs int, command, drawing, notes, raw string, about machine) string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	b.WriteString("Written by `make compare`; edits here are lost. The stores run in one process and take turns, ")
	fmt.Fprintf(&b, "and every figure is the median of %d runs. ", runs)
	fmt.Fprintf(&b, "Where neither the row nor the notes say otherwise, messages have %d bytes of payload ", payloadBytes)
	fmt.Fprintf(&b, "and subjects that cycle through %s names. ", count(subjectCount))
	b.WriteString("An operation is a message stored or read, or a call that asks. ")
	b.WriteString("\"Cores\" is processor time by elapsed time; allocations are those of the whole process, ")
	b.WriteString("callers included. Heap and resident memory are those of the process at the end of a run, which all ")
	b.WriteString("stores of a row share, with the stores that the row reads. Calls get a context that cannot end, since those of the peers cannot be ")
	b.WriteString("cancelled. \"Millrace by it\" is Millrace's rate divided by the rate on that line. ")
	b.WriteString("Numbers of one machine on one day: read the ratios.\n\n")
	fmt.Fprintf(&b, "Command: `%s`\n\n", command)
	b.WriteString(about.markdown())
	b.WriteString("\n## Results\n\n")
	b.WriteString(table(outcomes))
	if drawing != "" {
		b.WriteString("\n" + drawing)
	}
	if lines := missed(outcomes); len(lines) > 0 {
		b.WriteString("\nNot met:\n\n")
		for _, line := range lines {
			b.WriteString("- " + line + "\n")
		}
	}
	if notes = strings.TrimSpace(notes); notes != "" {
		b.WriteString("\n" + notes + "\n")
	}
	b.WriteString("\n## Raw output\n\n```\n")
	b.WriteString(strings.TrimRight(raw, "\n"))
	b.WriteString("\n```\n")
	return b.String()
}

// short is a number with about three digits, without zeros at its end.
func short(value float64) string {
	decimals := 2
	switch {
	case value >= 100:
		return thousands(value)
	case value >= 10:
		decimals = 1
	}
	text := strconv.FormatFloat(value, 'f', decimals, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// count is a number of things.
func count(things int) string { return thousands(float64(things)) }

// thousands is a whole number with commas.
func thousands(value float64) string {
	digits := strconv.FormatFloat(value, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// duration is a duration with about three digits, or nothing.
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
