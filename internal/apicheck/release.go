package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// versionForm is the form of a version that is released.
var versionForm = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)$`)

// isNewer reports whether a version comes after another; any comes after none.
func isNewer(version, last string) bool {
	a, b := versionForm.FindStringSubmatch(version), versionForm.FindStringSubmatch(last)
	if a == nil || b == nil {
		return a != nil && last == ""
	}
	for i := 1; i < len(a); i++ {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x > y
		}
	}
	return false
}

// makeRelease makes the tree that of a release, and returns the tags that its commit gets.
func makeRelease(root, version string, now time.Time) (tags []string, err error) {
	modules, err := released(root)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		last, _, err := lastRelease(root, m)
		if err != nil {
			return nil, err
		}
		if !isNewer(version, last) {
			return nil, fmt.Errorf("%q is no version like v1.2.3 that comes after %q", version, last)
		}
	}
	if err := releaseChangelog(filepath.Join(root, changelogFile), version, now); err != nil {
		return nil, err
	}
	files, err := moduleFiles(root)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := requireVersion(file, modules[0].path, version); err != nil {
			return nil, err
		}
	}
	for _, m := range modules {
		lines, err := interfaceOf(root, m)
		if err != nil {
			return nil, err
		}
		text := versionMark + version + "\n" + strings.Join(lines, "\n") + "\n"
		if err := os.MkdirAll(filepath.Dir(interfaceFile(root, m)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(interfaceFile(root, m), []byte(text), 0o644); err != nil {
			return nil, err
		}
		tags = append(tags, m.tag(version))
	}
	return tags, nil
}

// releaseChangelog puts the heading of a release above what was not released yet.
func releaseChangelog(file, version string, now time.Time) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	log, err := readUnreleased(string(text))
	if err != nil {
		return err
	}
	if strings.TrimSpace(log.all) == "" {
		return errors.New("there is nothing below " + unreleasedHeading + " in " + changelogFile)
	}
	heading := fmt.Sprintf("%s\n\n## [%s] - %s", unreleasedHeading, strings.TrimPrefix(version, "v"), now.UTC().Format(time.DateOnly))
	return os.WriteFile(file, []byte(strings.Replace(string(text), unreleasedHeading, heading, 1)), 0o644)
}

// moduleFiles lists the go.mod files of nested modules, and those beside them that end with .mod.
func moduleFiles(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && name != root):
			return filepath.SkipDir
		case entry.Type().IsRegular() && filepath.Ext(name) == ".mod" && filepath.Dir(name) != filepath.Clean(root):
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// requirement finds where a file requires a module of ours: the path, and the version.
func requirement(path string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(\s*(?:require )?)(` + regexp.QuoteMeta(path) + `(?:/\S+)?) (v\S+)`)
}

// requireVersion has a go.mod file require a version of all modules of ours.
func requireVersion(file, path, version string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, requirement(path).ReplaceAll(text, []byte("${1}${2} "+version)), 0o644)
}

// checkVersions returns a sentence for each nested module that does not require our modules in the version that was last
// released, or, before the first release, in a version like v1.2.3; and for each that does not take them from this
// tree. Who gets a nested module has no part of its replace directives, so that it needs a version that there is.
func checkVersions(root, path, last string) (findings []string, err error) {
	files, err := moduleFiles(root)
	if err != nil {
		return nil, err
	}
	first := last
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, match := range requirement(path).FindAllStringSubmatch(string(text), -1) {
			required, version := match[2], match[3]
			if first == "" && versionForm.MatchString(version) {
				first = version
			}
			if version != first {
				findings = append(findings, fmt.Sprintf("%s requires %s %s: all nested modules require the version that is released with them (%s)", file, required, version, first))
			}
			if !regexp.MustCompile(`(?m)^\s*(?:replace )?` + regexp.QuoteMeta(required) + ` => \.`).Match(text) {
				findings = append(findings, fmt.Sprintf("%s does not replace %s with that of this tree", file, required))
			}
		}
	}
	return findings, nil
}
