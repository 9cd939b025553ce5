package main

import (
	"errors"
	"path"
	"regexp"
	"strings"
)

const (
	changelogFile     = "CHANGELOG.md"
	unreleasedHeading = "## [Unreleased]"
)

// changelog is the section of what is not released yet.
type changelog struct {
	all      string // of it
	breaking string // what is below ### Changed and ### Removed
}

// readUnreleased finds that section.
func readUnreleased(text string) (log changelog, err error) {
	inside, breaks, found := false, false, false
	var all, breaking strings.Builder
	for line := range strings.Lines(text) {
		switch heading := strings.TrimSpace(line); {
		case heading == unreleasedHeading:
			inside, found = true, true
			continue
		case strings.HasPrefix(heading, "## "):
			inside = false
		case strings.HasPrefix(heading, "### "):
			breaks = heading == "### Changed" || heading == "### Removed"
		}
		if inside {
			all.WriteString(line)
			if breaks {
				breaking.WriteString(line)
			}
		}
	}
	if !found {
		return log, errors.New(changelogFile + " has no heading " + unreleasedHeading)
	}
	return changelog{all: all.String(), breaking: breaking.String()}, nil
}

// codeSpan is what is printed as code in a page.
var codeSpan = regexp.MustCompile("`[^`]+`")

// names reports whether the section names a change, as code: a package by its path from the root, a name by itself or with
// its package, a field or a method with its type.
func (l changelog) names(c change) bool {
	text := l.all
	if c.kind != added {
		text = l.breaking
	}
	pattern := `(?:^|[^\w./-])` + regexp.QuoteMeta(c.path) + `(?:$|[^\w/.-])`
	if c.name != "" {
		pattern = `(?:^|[^\w.]|\b` + regexp.QuoteMeta(path.Base(c.path)) + `\.)` + regexp.QuoteMeta(c.name) + `(?:$|[^\w.])`
	}
	word := regexp.MustCompile(pattern)
	for _, span := range codeSpan.FindAllString(text, -1) {
		if word.MatchString(strings.Trim(span, "`")) {
			return true
		}
	}
	return false
}
