package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dashboardFolder has the dashboard for Grafana.
var dashboardFolder = filepath.Join("..", "..", "metrics", "dashboard")

// A dashboard is what of it is checked here.
type dashboard struct {
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []panel
}

// A panel is one picture of a dashboard, or the title of a row.
type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct {
		Expr, RefID string
		Datasource  struct{ UID string }
	}
}

// readDashboard returns the dashboard, and the page beside it.
func readDashboard(t *testing.T) (d dashboard, page string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dashboardFolder, "millrace.json"))
	if err == nil {
		err = json.Unmarshal(content, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dashboardFolder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return d, string(text)
}

// TestEveryPanelShowsMetricsThatExist, by labels that they have, and every metric is in a panel.
func TestEveryPanelShowsMetricsThatExist(t *testing.T) {
	families := busySite(t).scrape()
	shown := slices.Collect(maps.Keys(families))
	for _, name := range []string{"process_cpu_seconds_total", "process_resident_memory_bytes", "go_goroutines", "go_memstats_heap_inuse_bytes"} {
		families[name] = &family{kind: "gauge"} // of client_golang
	}
	d, _ := readDashboard(t)
	queries := &strings.Builder{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			for _, wrong := range checkQuery(target.Expr, families) {
				t.Errorf("%s: %s", p.Title, wrong)
			}
			queries.WriteString(target.Expr + "\n")
		}
	}
	for _, name := range shown {
		if !strings.Contains(queries.String(), name+"{") && !strings.Contains(queries.String(), name+"_bucket{") && !strings.Contains(queries.String(), name+"_sum{") {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// TestTheDashboardIsInOrder: panels have titles, places of their own, and queries of the chosen Prometheus, and the page
// beside it lists them.
func TestTheDashboardIsInOrder(t *testing.T) {
	d, page := readDashboard(t)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if !slices.Equal(variables, []string{"datasource", "job", "instance", "stream"}) {
		t.Errorf("variables: %q", variables)
	}
	seen, rows := map[int]bool{}, 0
	for i, p := range d.Panels {
		if seen[p.ID] || p.ID == 0 {
			t.Errorf("%s: a number that is taken: %d", p.Title, p.ID)
		}
		seen[p.ID] = true
		if g := p.GridPos; g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: does not fit: %+v", p.Title, g)
		}
		for _, other := range d.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, other.Title)
			}
		}
		if p.Type == "row" {
			rows++
			if !strings.Contains(page, "\n### "+p.Title+"\n") {
				t.Errorf("the page does not have the row %s", p.Title)
			}
			continue
		}
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d has no title or no query", p.ID)
		}
		if !strings.Contains(page, "\n| "+p.Title+" | ") {
			t.Errorf("the page does not list %s", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("%s is not of what was chosen: %s", p.Title, target.Expr)
			}
		}
	}
	if listed := strings.Count(page, "\n| ") - rows; listed != len(d.Panels)-rows {
		t.Errorf("the page lists %d panels, there are %d", listed, len(d.Panels)-rows)
	}
}
