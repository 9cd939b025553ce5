package repotest

import (
	"os"
	"strings"
	"testing"
)

// TestMakeSaysThatItBuilds before minutes of silence: of a target that a new user calls, the first line of the recipe says so,
// where the next one compiles.
func TestMakeSaysThatItBuilds(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"run", "serve"} {
		if recipe := recipeOf(string(makefile), target); !saysThatItBuilds(recipe) {
			t.Errorf("make %s compiles in silence:\n%s", target, strings.Join(recipe, "\n"))
		}
	}
	for name, silent := range map[string]string{
		"silence":        "run:\n\t@$(GO) run ./x\n",
		"said too late":  "run:\n\t@$(GO) run ./x\n\t@echo \"building\"\n",
		"no such target": "serve:\n\t@echo \"building\" >&2\n\t@$(GO) run ./x\n",
	} {
		if saysThatItBuilds(recipeOf(silent, "run")) {
			t.Errorf("planted: %s is not found", name)
		}
	}
}

// recipeOf returns the commands of a target.
func recipeOf(makefile, target string) (commands []string) {
	inside := false
	for line := range strings.Lines(makefile) {
		switch {
		case strings.HasPrefix(line, "\t") && inside:
			commands = append(commands, strings.TrimSpace(line))
		case !strings.HasPrefix(line, "\t"):
			inside = strings.HasPrefix(line, target+":")
		}
	}
	return commands
}

func saysThatItBuilds(commands []string) bool {
	return len(commands) > 1 && strings.HasPrefix(commands[0], "@echo") && strings.Contains(commands[0], "building") && strings.Contains(commands[1], "$(GO) run")
}
