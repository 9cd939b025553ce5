package repotest

import (
	"fmt"
	"strings"
	"testing"
)

// maxLines is where a file stops to hold one idea.
const maxLines = 800

// checkSize returns a sentence when a source file is too long.
func checkSize(file sourceFile) string {
	lines := strings.Count(file.text, "\n")
	if lines >= maxLines {
		return fmt.Sprintf("%s has %d lines: is there one idea in it? (fewer than %d are allowed)", file.path, lines, maxLines)
	}
	return ""
}

func TestFilesAreShort(t *testing.T) {
	for _, file := range readTree(t) {
		if !file.isGo() || file.isTest() {
			continue
		}
		if finding := checkSize(file); finding != "" {
			t.Error(finding)
		}
	}
}

func TestSizeCheckFindsPlantedViolation(t *testing.T) {
	if finding := checkSize(sourceFile{path: "a.go", text: strings.Repeat("\n", maxLines-1)}); finding != "" {
		t.Errorf("a file of %d lines: %s", maxLines-1, finding)
	}
	if finding := checkSize(sourceFile{path: "a.go", text: strings.Repeat("\n", maxLines)}); finding == "" {
		t.Errorf("a file of %d lines was let through", maxLines)
	}
}
