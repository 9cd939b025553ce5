package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// alertsFolder has the rules, and their tests for promtool.
var alertsFolder = filepath.Join("..", "..", "metrics", "alerts")

var (
	alertLine = regexp.MustCompile(`(?m)^ +- alert: (\w+)\n +expr: (.+)$`)
	caseLine  = regexp.MustCompile(`alertname: (\w+)[\n,] *eval_time: \w+[\n,] *exp_alerts: ?(\[\])?`)
)

// rulesOf returns the alerts of a file and their queries.
func rulesOf(text string) map[string]string {
	rules := make(map[string]string)
	for _, match := range alertLine.FindAllStringSubmatch(text, -1) {
		rules[match[1]] = match[2]
	}
	return rules
}

// ruleFiles returns the texts of the files of rules by their names.
func ruleFiles(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(alertsFolder, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(text)
	}
	return files
}

// TestAlertsAreOnMetricsThatExist, with labels that these have, and each is shown to fire and to be quiet.
func TestAlertsAreOnMetricsThatExist(t *testing.T) {
	families := busySite(t).scrape()
	files := ruleFiles(t)
	for _, name := range []string{"millrace.yml", "consumers.yml", "broker.yml"} {
		rules := rulesOf(files[name])
		if len(rules) < 3 || len(rules) != strings.Count(files[name], "alert:") {
			t.Errorf("%s: only %d rules found", name, len(rules))
		}
		fires, quiet := make(map[string]bool), make(map[string]bool)
		tests := files[strings.TrimSuffix(name, ".yml")+"_test.yml"]
		for _, match := range caseLine.FindAllStringSubmatch(tests, -1) {
			if match[2] == "" {
				fires[match[1]] = true
			} else {
				quiet[match[1]] = true
			}
		}
		for alert, query := range rules {
			for _, wrong := range checkQuery(query, families) {
				t.Errorf("%s: %s", alert, wrong)
			}
			if !fires[alert] || !quiet[alert] {
				t.Errorf("%s: fires in a test: %v, is quiet in one: %v", alert, fires[alert], quiet[alert])
			}
		}
	}
}

// TestThePageForOperatorsNamesTheAlerts, each with its severity.
func TestThePageForOperatorsNamesTheAlerts(t *testing.T) {
	page, err := os.ReadFile(operationsPage)
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Millrace[A-Z]\\w+)`").FindAllStringSubmatch(string(page), -1)
	var known []string
	for name, text := range ruleFiles(t) {
		if !strings.HasSuffix(name, "_test.yml") {
			for alert := range rulesOf(text) {
				known = append(known, alert)
				if !strings.Contains(string(page), "| `"+alert+"` |") {
					t.Errorf("%s is not in the table of alerts", alert)
				}
			}
		}
	}
	for _, match := range named {
		if !slices.Contains(known, match[1]) {
			t.Errorf("there is no alert %s", match[1])
		}
	}
}

// TestAlertsWithPromtool, where that is there: it evaluates them.
func TestAlertsWithPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Logf("not checked with promtool: %v", err)
		return
	}
	for _, arguments := range [][]string{{"check", "rules", "millrace.yml", "consumers.yml", "broker.yml"}, {"test", "rules", "millrace_test.yml", "consumers_test.yml", "broker_test.yml"}} {
		command := exec.CommandContext(t.Context(), promtool, arguments...)
		command.Dir = alertsFolder
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, output)
		}
	}
}
