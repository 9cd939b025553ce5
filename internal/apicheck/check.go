package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// interfaceFile is where the interface of a module as of the last release is. Its first line is the version behind a mark.
func interfaceFile(root string, m module) string {
	return filepath.Join(root, "docs", "api", m.name()+".txt")
}

// versionMark begins the first line of these files.
const versionMark = "# "

// lastRelease reads the interface of a module as of the last release; without one the version is empty.
func lastRelease(root string, m module) (version string, lines []string, err error) {
	text, err := os.ReadFile(interfaceFile(root, m))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, err
	}
	all := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	version, ok := strings.CutPrefix(all[0], versionMark)
	if !ok || !versionForm.MatchString(version) {
		return "", nil, fmt.Errorf("the first line of %s has no version", interfaceFile(root, m))
	}
	return version, all[1:], nil
}

// check returns a sentence for all that has to be mended, and how many differences from the last release there are.
func check(root string) (findings []string, differences int, err error) {
	modules, err := released(root)
	if err != nil {
		return nil, 0, err
	}
	text, err := os.ReadFile(filepath.Join(root, changelogFile))
	if err != nil {
		return nil, 0, err
	}
	log, err := readUnreleased(string(text))
	if err != nil {
		return nil, 0, err
	}
	var last string
	for _, m := range modules {
		version, before, err := lastRelease(root, m)
		if err != nil {
			return nil, 0, err
		}
		now, err := interfaceOf(root, m)
		if err != nil {
			return nil, 0, err
		}
		changes := compare(before, now)
		differences += len(changes)
		for _, c := range changes {
			if c.path = strings.TrimPrefix(c.path, modules[0].path+"/"); !log.names(c) {
				findings = append(findings, c.missing())
			}
		}
		findings = append(findings, checkTag(root, m, version)...)
		if isNewer(version, last) {
			last = version
		}
	}
	versions, err := checkVersions(root, modules[0].path, last)
	return append(findings, versions...), differences, err
}

// checkTag returns a sentence if the file of a module is not as it was when the tag of its version was set. A clone may
// be without tags, and a tree without git: there is nothing to compare with then.
func checkTag(root string, m module, version string) []string {
	if version == "" {
		return nil
	}
	file := "docs/api/" + m.name() + ".txt"
	show := exec.Command("git", "show", "refs/tags/"+m.tag(version)+":./"+file)
	show.Dir = root
	tagged, err := show.Output()
	if err != nil {
		if !slices.Contains(tagsOf(root), m.tag(version)) {
			return nil
		}
		return []string{fmt.Sprintf("%s is not in the tree that is tagged %s: -release writes it, before the tag is set", file, m.tag(version))}
	}
	if here, err := os.ReadFile(interfaceFile(root, m)); err != nil || string(here) != string(tagged) {
		return []string{fmt.Sprintf("%s was changed after %s was tagged: it is the interface of that release, and changes with -release alone", file, m.tag(version))}
	}
	return nil
}

// tagsOf lists the tags that a clone has.
func tagsOf(root string) []string {
	list := exec.Command("git", "tag")
	list.Dir = root
	text, err := list.Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
