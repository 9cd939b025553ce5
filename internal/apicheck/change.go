package main

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what has happened to a part of an interface.
type kind int

const (
	added kind = iota
	changed
	removed
)

func (k kind) String() string { return [...]string{"added", "changed", "removed"}[k] }

// change is a difference between two interfaces that CHANGELOG.md has to name.
type change struct {
	kind   kind
	path   string // of the package
	name   string // of the part, such as Store.Stop; empty for a package as a whole
	before string // what the line was, and
	after  string // what it is
}

// split returns the fields of a line of an interface: package, part, and what it is.
func split(line string) (path, name, what string) {
	path, line, _ = strings.Cut(line, " ")
	name, what, _ = strings.Cut(line, " ")
	return path, name, what
}

// parts are the lines of an interface by package and part. A package has itself as the part without a name.
func parts(lines []string) map[[2]string]string {
	all := map[[2]string]string{}
	for _, line := range lines {
		path, name, what := split(line)
		all[[2]string{path, ""}] = "package"
		all[[2]string{path, name}] = what
	}
	return all
}

// compare lists the differences between two interfaces. Of a type that comes or goes its members are not listed, and of a
// package that comes or goes nothing in it.
func compare(before, after []string) (changes []change) {
	old, now := parts(before), parts(after)
	for part, what := range now {
		if was, ok := old[part]; !ok && !whole(part, now, old) {
			changes = append(changes, change{kind: added, path: part[0], name: part[1], after: what})
		} else if ok && was != what {
			changes = append(changes, change{kind: changed, path: part[0], name: part[1], before: was, after: what})
		}
	}
	for part, what := range old {
		if _, ok := now[part]; !ok && !whole(part, old, now) {
			changes = append(changes, change{kind: removed, path: part[0], name: part[1], before: what})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.path+" "+a.name, b.path+" "+b.name) })
	return changes
}

// whole reports whether a part is in something larger that one interface has and the other has not.
func whole(part [2]string, has, hasNot map[[2]string]string) bool {
	larger := [][2]string{{part[0], ""}}
	if owner, _, isMember := strings.Cut(part[1], "."); isMember {
		larger = append(larger, [2]string{part[0], owner})
	}
	return slices.ContainsFunc(larger, func(l [2]string) bool {
		_, here := has[l]
		_, there := hasNot[l]
		return l != part && here && !there
	})
}

// missing is what is said of a change that CHANGELOG.md does not name.
func (c change) missing() string {
	name := c.name
	if name == "" {
		name = c.path
	}
	where := "below " + unreleasedHeading
	if c.kind != added {
		where = "below ### Changed or ### Removed of " + unreleasedHeading
	}
	what := c.after
	switch c.kind {
	case changed:
		what = c.before + ", now " + c.after
	case removed:
		what = c.before
	}
	return fmt.Sprintf("%s: %s was %s since the last release (%s): name `%s` in %s %s", c.path, name, c.kind, what, name, changelogFile, where)
}
