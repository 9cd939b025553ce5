package repotest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// leftovers are what must not be committed. The words are put together here, so that this file does
// not find itself.
var leftovers = []struct {
	what    string
	pattern *regexp.Regexp
}{
	// A dot in front is a selector (context's function of that name), not a mark.
	{"a mark of unfinished work", regexp.MustCompile(`(?:^|[^.\w])(?:TO` + `DO|FIX` + `ME|XX` + `X)\b`)},
	{"a path of one machine", regexp.MustCompile(`(?:^|[^\w.\-/])/(?:work|root|home|Users)/[\w.]`)},
	{"a path of one machine", regexp.MustCompile(`(?i)\b[a-z]:\\Users\\`)},
}

// checkWords returns one sentence per line of file that holds a leftover.
func checkWords(file sourceFile) []string {
	var found []string
	for number, line := range strings.Split(file.text, "\n") {
		for _, leftover := range leftovers {
			if leftover.pattern.MatchString(line) {
				found = append(found, fmt.Sprintf("%s:%d: %s: %s", file.path, number+1, leftover.what, strings.TrimSpace(line)))
			}
		}
	}
	return found
}

func TestNothingIsLeftOver(t *testing.T) {
	for _, file := range readTree(t) {
		for _, finding := range checkWords(file) {
			t.Error(finding)
		}
	}
}

func TestWordCheckFindsPlantedViolations(t *testing.T) {
	mark, path := "TO"+"DO", "/wo"+"rk/main"
	for _, row := range []struct {
		name, text string
		wrong      bool
	}{
		{"plain text", "work to do: none", false},
		{"a selector", "ctx := context." + mark + "()", false},
		{"a path inside a URL", "https://example.com" + path, false},
		{"a relative path", "see ../ho" + "me/x and docs/work/x", false},
		{"a mark", "// " + mark + ": later", true},
		{"a mark with a name", "x := 1 // " + "FIX" + "ME(anna)", true},
		{"a mark at the start", mark, true},
		{"a machine path", "cd " + path, true},
		{"a machine path in quotes", `dir := "` + path + `"`, true},
		{"a home folder", "in /ho" + "me/anna/data", true},
		{"a Windows home folder", `C:\Us` + `ers\anna`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := checkWords(sourceFile{path: "a.md", text: "first line\n" + row.text + "\n"})
			if row.wrong != (len(found) > 0) {
				t.Errorf("found %q, want a finding: %v", found, row.wrong)
			}
		})
	}
}
