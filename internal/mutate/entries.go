package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// entry is one mutation and the tests that have to notice it.
type entry struct {
	Name     string
	File     string   // slash-separated, from the module's root
	Packages []string // as go test takes them
	Run      string   // the -run pattern
	// Survives says why no test can notice the mutation. It is empty where one must.
	Survives string
	Old, New string
}

// readEntries reads a list of mutations.
func readEntries(name string) ([]entry, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries(strings.ReplaceAll(string(text), "\r\n", "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return entries, nil
}

// parseEntries reads the text of a list. An error begins with the number of the line.
func parseEntries(text string) ([]entry, error) {
	var (
		entries []entry
		names   = make(map[string]bool)
		e       entry
		into    *[]string // the lines of the part that is being read: old, new, or none
		before  []string
		after   []string
	)
	for i, line := range strings.Split(text, "\n") {
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("%d: %s", i+1, fmt.Sprintf(format, args...))
		}
		switch {
		case line == "new:" && into == &before:
			into = &after
			continue
		case line == "end" && into == &after:
			e.Old, e.New = strings.Join(before, "\n"), strings.Join(after, "\n")
			if err := e.check(); err != nil {
				return nil, wrong("mutation %s: %v", e.Name, err)
			}
			if names[e.Name] {
				return nil, wrong("a second mutation named %s", e.Name)
			}
			names[e.Name] = true
			entries = append(entries, e)
			e, into, before, after = entry{}, nil, nil, nil
			continue
		case into != nil && strings.HasPrefix(line, "name: "):
			return nil, wrong("mutation %s has no end", e.Name)
		case into != nil:
			*into = append(*into, line)
			continue
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			continue
		case line == "old:":
			into = &before
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "name":
			e.Name = value
		case "file":
			e.File = value
		case "test":
			e.Packages = strings.Fields(value)
		case "run":
			e.Run = value
		case "survives":
			e.Survives = value
		default:
			return nil, wrong("%q is none of name, file, test, run, survives, old", line)
		}
	}
	if into != nil || e.Name != "" {
		return nil, fmt.Errorf("%d: mutation %s has no end", strings.Count(text, "\n")+1, e.Name)
	}
	return entries, nil
}

// check says what an entry lacks.
func (e *entry) check() error {
	switch {
	case e.Name == "":
		return errors.New("no name")
	case e.File == "":
		return errors.New("no file")
	case len(e.Packages) == 0:
		return errors.New("no packages to test")
	case e.Run == "":
		return errors.New("no tests to run")
	case e.Old == "":
		return errors.New("no old text")
	case e.Old == e.New:
		return errors.New("the new text is the old one")
	}
	_, err := regexp.Compile(e.Run)
	return err
}

// apply returns the text of the entry's file with the mutation in it. The old text must be there, and
// only once.
func (e *entry) apply(text string) (string, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	switch n := strings.Count(text, e.Old); n {
	case 1:
		return strings.Replace(text, e.Old, e.New, 1), nil
	case 0:
		return "", fmt.Errorf("%s does not hold the old text", e.File)
	default:
		return "", fmt.Errorf("%s holds the old text %d times", e.File, n)
	}
}

// choose returns the entries whose names match, and of those the part that shard names: "2/3" is the
// second of three.
func choose(all []entry, names *regexp.Regexp, shard string) ([]entry, error) {
	var part, parts int
	if n, err := fmt.Sscanf(shard, "%d/%d", &part, &parts); err != nil || n != 2 || part < 1 || part > parts {
		return nil, fmt.Errorf("-shard is %q, not i/n with 1 <= i <= n", shard)
	}
	var chosen []entry
	for _, e := range all {
		if names.MatchString(e.Name) {
			chosen = append(chosen, e)
		}
	}
	var own []entry
	for i, e := range chosen {
		if i%parts == part-1 {
			own = append(own, e)
		}
	}
	if len(own) == 0 {
		return nil, errors.New("no mutation is chosen")
	}
	return own, nil
}
