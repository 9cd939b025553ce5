package repotest

import (
	"fmt"
	"strings"
	"testing"
)

// Where a file stops to hold one idea, in lines.
const (
	maxLines     = 500
	maxTestLines = 800
)

// checkSize returns a sentence when a source file is too long.
func checkSize(file sourceFile) string {
	lines, most := strings.Count(file.text, "\n"), maxLines
	if file.isTest() {
		most = maxTestLines
	}
	if lines >= most {
		return fmt.Sprintf("%s has %d lines: is there one idea in it? (fewer than %d are allowed)", file.path, lines, most)
	}
	return ""
}

func TestFilesAreShort(t *testing.T) {
	for _, file := range readTree(t) {
		if !file.isGo() {
			continue
		}
		if finding := checkSize(file); finding != "" {
			t.Error(finding)
		}
	}
}

func TestSizeCheckFindsPlantedViolation(t *testing.T) {
	for path, most := range map[string]int{"a.go": maxLines, "a_test.go": maxTestLines} {
		if finding := checkSize(sourceFile{path: path, text: strings.Repeat("\n", most-1)}); finding != "" {
			t.Errorf("%s of %d lines: %s", path, most-1, finding)
		}
		if finding := checkSize(sourceFile{path: path, text: strings.Repeat("\n", most)}); finding == "" {
			t.Errorf("%s of %d lines was let through", path, most)
		}
	}
}
