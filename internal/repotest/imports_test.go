package repotest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// allowedImports says which of our own packages each layer may import, tests included: the direction is
// examples -> actors -> {engine, blockio} and metrics -> actors. A package below a layer may import
// its own layer (blocktest its blockio). What sharedPackages names is imported everywhere.
var allowedImports = map[string][]string{
	"engine":  {"engine"},
	"blockio": {"blockio"},
	"actors":  {"actors", "engine", "blockio"},
	"metrics": {"metrics", "actors"},
}

// walls says which of our own packages the rooms of a layer may import in code that is not a test. Who is
// not listed is bound by its layer alone.
var walls = map[string][]string{
	"blockio":                    {},
	"blockio/archive":            {"blockio"},
	"blockio/blockindex":         {"blockio"},
	"blockio/sealed":             {"blockio"},
	"blockio/streamstate":        {},
	"engine":                     {"engine/duplicates", "engine/stamps", "engine/subjects", "engine/wheel"},
	"engine/duplicates":          {},
	"engine/stamps":              {},
	"engine/subjects":            {},
	"engine/wheel":               {},
	"actors/adapters/otelcol":    {"actors", "blockio"},
	"actors/adapters/protoactor": {"actors", "blockio"},
	"actors/adapters/raft":       {"actors"},
	"actors/adapters/watermill":  {"actors"},
	"actors/internal/mailbox":    {},
	"actors/internal/disk":       {"blockio", "blockio/blockindex", "blockio/streamstate", "engine"},
	"actors/internal/read":       {"blockio", "blockio/blockindex", "engine", "engine/subjects"},
	"actors": {
		"actors/internal/disk", "actors/internal/mailbox", "actors/internal/read",
		"blockio", "blockio/archive", "blockio/blockindex", "blockio/sealed", "blockio/streamstate", "engine",
	},

	"actors/consumer":                 {"actors", "actors/consumer/internal/cursor", "actors/internal/mailbox", "engine"},
	"actors/consumer/internal/cursor": {},
}

// sharedPackages are what every layer may import: functions without state, as pure as the engine.
var sharedPackages = []string{"internal/msgheader", "internal/schedule", "internal/seedhash", "internal/subject"}

// testPackages are what every layer may import in its tests.
var testPackages = []string{"internal/pageprogram", "internal/rapidseed"}

// clientGolang is what an embedder that does not want metrics must never have to compile.
const clientGolang = "github.com/prometheus/client_golang"

// checkImports returns one sentence per import of file that points the wrong way.
func checkImports(file sourceFile) []string {
	_, parsed, err := file.parse()
	if err != nil {
		return []string{err.Error()}
	}
	layer, _, _ := strings.Cut(file.path, "/")
	var found []string
	for _, imported := range importedPaths(parsed) {
		if imported == clientGolang || strings.HasPrefix(imported, clientGolang+"/") {
			if layer != "metrics" && layer != "examples" {
				found = append(found, fmt.Sprintf("%s imports %s: only metrics and examples may", file.path, imported))
			}
			continue
		}
		own, isOwn := strings.CutPrefix(imported, modulePath+"/")
		if !isOwn && imported != modulePath {
			continue
		}
		target, _, _ := strings.Cut(own, "/")
		if slices.Contains(sharedPackages, own) || file.isTest() && slices.Contains(testPackages, own) {
			continue
		}
		room := path.Dir(file.path)
		if allowed, isRoom := walls[room]; isRoom && !file.isTest() && !slices.Contains(allowed, own) {
			found = append(found, fmt.Sprintf("%s imports %s: there is a wall: %s may import only %v of ours", file.path, imported, room, allowed))
		}
		if allowed, isLayer := allowedImports[layer]; isLayer && !slices.Contains(allowed, target) {
			found = append(found, fmt.Sprintf("%s imports %s: %s may import only %v of ours", file.path, imported, layer, allowed))
		}
		if layer != "examples" && target == "examples" {
			found = append(found, fmt.Sprintf("%s imports %s: nothing may import an example", file.path, imported))
		}
	}
	return found
}

func TestImportsPointDownwards(t *testing.T) {
	for _, file := range readTree(t) {
		if !file.isGo() {
			continue
		}
		for _, finding := range checkImports(file) {
			t.Error(finding)
		}
	}
}

// TestEveryRoomHasWalls: a package that is added to a layer says what it may import.
func TestEveryRoomHasWalls(t *testing.T) {
	rooms := make(map[string]bool)
	for _, file := range readTree(t) {
		layer, _, _ := strings.Cut(file.path, "/")
		if _, isLayer := allowedImports[layer]; !isLayer || !file.isGo() || file.isTest() || layer == "metrics" {
			continue
		}
		rooms[path.Dir(file.path)] = true
	}
	delete(rooms, "blockio/blocktest") // a helper of tests
	for room := range rooms {
		if _, ok := walls[room]; !ok {
			t.Errorf("%s has no walls", room)
		}
	}
	for room := range walls {
		if !rooms[room] {
			t.Errorf("walls names %s, which is no package", room)
		}
	}
}

func TestImportCheckFindsPlantedViolations(t *testing.T) {
	ours := func(name string) string { return modulePath + "/" + name }
	for _, row := range []struct {
		name, path, imported string
		wrong                bool
	}{
		{"actors joins the two", "actors/store.go", ours("engine"), false},
		{"a helper of a layer", "blockio/blocktest/fs.go", ours("blockio"), false},
		{"a layer's helper in its tests", "actors/store_test.go", ours("blockio/blocktest"), false},
		{"metrics reads stats", "metrics/collector.go", ours("actors"), false},
		{"metrics uses client_golang", "metrics/collector.go", clientGolang + "/prometheus", false},
		{"an example uses promhttp", "examples/broker/http.go", clientGolang + "/prometheus/promhttp", false},
		{"an example uses anything", "examples/broker/http.go", ours("metrics"), false},
		{"engine matches subjects", "engine/subjects/tree.go", ours("internal/subject"), false},
		{"engine reads headers", "engine/expiry.go", ours("internal/msgheader"), false},
		{"blockio matches subjects", "blockio/blockindex/walk.go", ours("internal/subject"), false},
		{"engine's tests have a seed", "engine/main_test.go", ours("internal/rapidseed"), false},
		{"engine has none", "engine/engine.go", ours("internal/rapidseed"), true},
		{"engine imports another internal package", "engine/engine.go", ours("internal/repotest"), true},
		{"readers look at subjects", "actors/internal/read/lookup.go", ours("engine/subjects"), false},
		{"a reader's test may look further", "actors/internal/read/lookup_test.go", ours("actors/internal/disk"), false},
		{"the shell opens indexes", "actors/indexer.go", ours("blockio/blockindex"), false},
		{"the mailbox knows no stream", "actors/internal/mailbox/mailbox.go", ours("engine"), true},
		{"the lanes know no reader", "actors/internal/disk/work.go", ours("actors/internal/read"), true},
		{"readers know no lane", "actors/internal/read/load.go", ours("actors/internal/disk"), true},
		{"readers know no shell", "actors/internal/read/load.go", ours("actors"), true},
		{"blockio knows no index", "blockio/blocks.go", ours("blockio/blockindex"), true},
		{"the shell asks readers about subjects", "actors/store_last.go", ours("engine/subjects"), true},
		{"engine imports blockio", "engine/engine.go", ours("blockio"), true},
		{"engine imports blockio in a test", "engine/engine_test.go", ours("blockio"), true},
		{"blockio imports engine", "blockio/block.go", ours("engine"), true},
		{"a helper of blockio imports actors", "blockio/blocktest/fs.go", ours("actors"), true},
		{"actors imports metrics", "actors/store.go", ours("metrics"), true},
		{"actors imports client_golang", "actors/store.go", clientGolang + "/prometheus", true},
		{"metrics imports engine", "metrics/collector.go", ours("engine"), true},
		{"a library imports an example", "actors/store.go", ours("examples/broker"), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := sourceFile{path: row.path, text: fmt.Sprintf("package p\n\nimport _ %q\n", row.imported)}
			found := checkImports(file)
			if row.wrong != (len(found) > 0) {
				t.Errorf("found %q, want a finding: %v", found, row.wrong)
			}
		})
	}
}
