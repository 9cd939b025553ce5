package repotest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// formatNames are the names in the files of a stream, and formatNumbers the sizes and offsets in a record,
// that only blockio may spell: with them somewhere else, a change of the format would have to be found in
// two places.
var (
	formatNames   = []string{".blk", "msgs", "cmp", ".bix", ".key", "meta.inf", "meta.sum", "meta.key", "index.db"}
	formatNumbers = []string{"22", "30", "34"}
)

// checkFormat returns one sentence per constant of the format that a file outside of blockio spells.
func checkFormat(file sourceFile) []string {
	files, parsed, err := file.parse()
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	shifts := make(map[ast.Node]bool) // numbers of bits, not of bytes
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			shifts[n.Y] = n.Op == token.SHL || n.Op == token.SHR
		}
		literal, ok := node.(*ast.BasicLit)
		if !ok {
			return true
		}
		spelled := literal.Kind == token.INT && slices.Contains(formatNumbers, literal.Value) && !shifts[literal]
		if literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			spelled = err == nil && slices.Contains(formatNames, text)
		}
		if spelled {
			found = append(found, fmt.Sprintf("%s: %s is a constant of the format: blockio has a name for it", files.Position(literal.Pos()), literal.Value))
		}
		return true
	})
	return found
}

func TestTheFormatIsSpelledInBlockioOnly(t *testing.T) {
	for _, file := range readTree(t) {
		layer, _, _ := strings.Cut(file.path, "/")
		if !file.isGo() || file.isTest() || inFolder(file.path, "engine/subjects") || layer != "engine" && layer != "actors" && layer != "metrics" {
			continue
		}
		for _, finding := range checkFormat(file) {
			t.Error(finding)
		}
	}
}

func TestFormatCheckFindsPlantedViolations(t *testing.T) {
	for _, row := range []struct {
		name, text string
		wrong      bool
	}{
		{"a path", `var x = dir + "/" + id + ".blk"`, true},
		{"a folder", `var x = filepath.Join(dir, "msgs")`, true},
		{"a prefix", `var x = strings.HasPrefix(s, "cmp")`, true},
		{"a raw string", "var x = `index.db`", true},
		{"an offset", `var x = record[22:]`, true},
		{"a size", `const emptyRecord = 30`, true},
		{"an import of that name", "import \"cmp\"\nvar x = cmp.Compare(1, 2)", false},
		{"a word in a sentence", `var x = errors.New("no msgs in 1.blk")`, false},
		{"a comment", "// The file N.blk begins at 22.\nvar x int", false},
		{"other numbers", `var x = 300 + 2`, false},
		{"a number of bits", `var x = 1 << 30`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			found := checkFormat(sourceFile{path: "engine/x.go", text: "package p\n" + row.text + "\n"})
			if row.wrong != (len(found) > 0) {
				t.Errorf("found %q, want a finding: %v", found, row.wrong)
			}
		})
	}
}
