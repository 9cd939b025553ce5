package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryLogMessageIsExplained in the README, but for those of -v.
func TestEveryLogMessageIsExplained(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`ogger\.(?:Info|Warn|Error)\("([^"]+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range written.FindAllStringSubmatch(string(source), -1) {
			found++
			if !strings.Contains(string(readme), "`"+message[1]+"`") {
				t.Errorf("%s: the README does not explain %q", file, message[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d log messages: the test looks at the wrong thing", found)
	}
}

// TestEveryMetricOfTheBrokerIsExplained in the README.
func TestEveryMetricOfTheBrokerIsExplained(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"metrics.go", "http_metrics.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`millrace_[a-z_]+`).FindAllString(string(source), -1) {
			if !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("the README does not explain %s", name)
			}
		}
	}
}
