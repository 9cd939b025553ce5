package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree is a small repository: a root module with a package, and an adapter that is a module of its own.
type tree struct {
	t   *testing.T
	dir string
}

const rootCode = `package store

import "context"

// Store has all that an interface is made of.
type Store struct {
	Name   string
	hidden int
}

type Reader interface {
	Read(ctx context.Context) (n int, err error)
	sealed()
}

type List[T any] []T

type Level int

type Old = Level

const (
	Low Level = iota
	High
)

var ErrGone error

func Open(ctx context.Context, names ...string) (*Store, error) { return nil, nil }

func Map[T any](list List[T], change func(one T) T) List[T] { return list }

func (s *Store) Stop(ctx context.Context) error { return nil }

func (s Store) Size() uint64 { return 0 }

func (l List[T]) First() (first T) { return first }

func (s *Store) notShown() {}
`

// newTree writes the repository.
func newTree(t *testing.T) *tree {
	r := &tree{t, t.TempDir()}
	for name, text := range map[string]string{
		"go.mod":                              "module example.com/mill\n\ngo 1.25\n",
		"store/store.go":                      rootCode,
		"internal/inner/inner.go":             "package inner\n\nfunc Inner() {}\n",
		"tool/main.go":                        "package main\n\nfunc Main() {}\n\nfunc main() {}\n",
		"actors/adapters/log/go.mod":          "module example.com/mill/actors/adapters/log\n\ngo 1.25\n\nreplace example.com/mill => ../../..\n\nrequire example.com/mill v0.1.0\n",
		"actors/adapters/log/log.go":          "package millog\n\nimport \"example.com/mill/store\"\n\nfunc New(s *store.Store) {}\n",
		"actors/adapters/log/testdata/go.mod": "module example.com/other\n",
		"CHANGELOG.md":                        "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- `store`, and `actors/adapters/log` on it.\n",
	} {
		r.write(name, text)
	}
	return r
}

func (r *tree) write(name, text string) {
	r.t.Helper()
	name = filepath.Join(r.dir, filepath.FromSlash(name))
	require.NoError(r.t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(r.t, os.WriteFile(name, []byte(text), 0o644))
}

func (r *tree) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	require.NoError(r.t, err)
	return string(text)
}

// edit replaces a text that a file has to have.
func (r *tree) edit(name, old, text string) {
	r.t.Helper()
	before := r.read(name)
	require.Contains(r.t, before, old)
	r.write(name, strings.Replace(before, old, text, 1))
}

// run runs the command on it, and returns its exit status and all that it prints.
func (r *tree) run(args ...string) (status int, text string) {
	r.t.Helper()
	var out bytes.Buffer
	status = run(append([]string{"-root", r.dir}, args...), &out, &out)
	return status, out.String()
}

func (r *tree) git(args ...string) {
	r.t.Helper()
	command := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
	command.Dir = r.dir
	out, err := command.CombinedOutput()
	require.NoError(r.t, err, "%s", out)
}

func TestTheInterfaceOfAModule(t *testing.T) {
	r := newTree(t)
	modules, err := released(r.dir)
	require.NoError(t, err)
	require.Equal(t, []module{{"example.com/mill", "."}, {"example.com/mill/actors/adapters/log", "actors/adapters/log"}}, modules)
	lines, err := interfaceOf(r.dir, modules[0])
	require.NoError(t, err)
	store := "example.com/mill/store "
	require.Equal(t, []string{
		store + "ErrGone var error",
		store + "High const Level = 1",
		store + "Level type int",
		store + "List type[T any] []T",
		store + "List.First func() T",
		store + "Low const Level = 0",
		store + "Map func[T any](list List[T], change func(one T) T) List[T]",
		store + "Old type = Level",
		store + "Open func(context.Context, ...string) (*Store, error)",
		store + "Reader type interface with methods that are not exported",
		store + "Reader.Read func(context.Context) (int, error)",
		store + "Store type struct",
		store + "Store.Name field string",
		store + "Store.Size func() uint64",
		store + "Store.Stop of a pointer: func(context.Context) error",
	}, lines)
	lines, err = interfaceOf(r.dir, modules[1])
	require.NoError(t, err)
	require.Equal(t, []string{"example.com/mill/actors/adapters/log New func(*example.com/mill/store.Store)"}, lines)
}

// TestAReleaseAndTheNext goes from a tree without a release to one with the first, and then changes what it exports.
func TestAReleaseAndTheNext(t *testing.T) {
	r := newTree(t)
	r.edit("CHANGELOG.md", "`store`", "Things")
	status, text := r.run()
	require.Equal(t, 1, status)
	require.Contains(t, text, "store: store was added since the last release (package): name `store` in CHANGELOG.md below ## [Unreleased]")
	status, _ = r.run("-release", "v0.1.0")
	require.Equal(t, 1, status, "no release of what CHANGELOG.md does not say")
	r.edit("CHANGELOG.md", "Things", "`store`")

	status, text = r.run("-release", "0.1")
	require.Equal(t, 2, status)
	require.Contains(t, text, `"0.1" is no version like v1.2.3`)
	status, text = r.run("-release", "v0.2.0")
	require.Zero(t, status, text)
	require.Contains(t, text, "git tag -a v0.2.0 ")
	require.Contains(t, text, "git tag -a actors/adapters/log/v0.2.0 ")
	require.Regexp(t, `(?s)## \[Unreleased\]\n\n## \[0\.2\.0\] - \d{4}-\d\d-\d\d\n\n### Added`, r.read("CHANGELOG.md"))
	require.Contains(t, r.read("actors/adapters/log/go.mod"), "require example.com/mill v0.2.0\n")
	require.Regexp(t, "^# v0.2.0\nexample.com/mill/store ErrGone ", r.read("docs/api/mill.txt"))
	status, text = r.run()
	require.Zero(t, status, text)
	status, _ = r.run("-release", "v0.2.0")
	require.Equal(t, 2, status, "a version is released once")

	for name, c := range map[string]struct{ old, text, says, line string }{
		"a function is added": {"func Open(", "func Close() {}\n\nfunc Open(", "Close was added since the last release (func()): name `Close`", "### Added\n\n- `store.Close`."},
		"a method is removed": {"func (s Store) Size() uint64 { return 0 }", "", "Store.Size was removed", "### Removed\n\n- `Store.Size`."},
		"a field changes":     {"Name   string", "Name   []byte", "Store.Name was changed since the last release (field string, now field []byte)", "### Changed\n\n- `Store.Name`."},
	} {
		t.Run(name, func(t *testing.T) {
			r := &tree{t, r.dir}
			code, log := r.read("store/store.go"), r.read("CHANGELOG.md")
			defer r.write("store/store.go", code)
			defer r.write("CHANGELOG.md", log)
			r.edit("store/store.go", c.old, c.text)
			status, text := r.run()
			require.Equal(t, 1, status)
			require.Contains(t, text, c.says)
			r.edit("CHANGELOG.md", unreleasedHeading, unreleasedHeading+"\n\n"+c.line)
			status, text = r.run()
			require.Zero(t, status, text)
		})
	}
}

// TestDifferences has the lines of two interfaces, and what is said of them.
func TestDifferences(t *testing.T) {
	before := []string{"p Open func(string)", "p Store type struct", "p Store.Name field string", "p Gone type struct", "p Gone.Name field string", "old A var int", "old B var int"}
	after := []string{"p Open func([]byte)", "p Store type struct", "p Store.Dir field string", "p New type struct", "p New.Name field string", "new A var int"}
	var said []string
	for _, c := range compare(before, after) {
		said = append(said, strings.TrimSpace(fmt.Sprint(c.kind, " ", c.path, " ", c.name)))
	}
	require.Equal(t, []string{"added new", "removed old", "removed p Gone", "added p New", "changed p Open", "added p Store.Dir", "removed p Store.Name"}, said)
	require.Empty(t, compare(after, after))
}

// TestVersionsOfNestedModules has go.mod files that a release could not be made of.
func TestVersionsOfNestedModules(t *testing.T) {
	r := newTree(t)
	r.write("examples/a/go.mod", "module example.com/mill/examples/a\n\nrequire (\n\texample.com/mill v0.1.0\n\texample.com/mill/actors/adapters/log v0.0.0-00010101000000-000000000000\n)\n\nreplace example.com/mill => ../..\n")
	findings, err := checkVersions(r.dir, "example.com/mill", "")
	require.NoError(t, err)
	require.Len(t, findings, 2)
	require.Contains(t, findings[0], "requires example.com/mill/actors/adapters/log v0.0.0-00010101000000-000000000000")
	require.Contains(t, findings[1], "does not replace example.com/mill/actors/adapters/log")
	findings, err = checkVersions(r.dir, "example.com/mill", "v0.2.0")
	require.NoError(t, err)
	require.Len(t, findings, 4, "and who requires v0.1.0 does not get what was released last")
}

// TestTheInterfaceOfAReleaseStays changes the file of a release that has a tag.
func TestTheInterfaceOfAReleaseStays(t *testing.T) {
	r := newTree(t)
	status, text := r.run("-release", "v0.1.0")
	require.Zero(t, status, text)
	r.git("init", "-q")
	r.git("add", ".")
	r.git("commit", "-q", "-m", "a")
	edit := func() { r.edit("docs/api/mill.txt", "ErrGone var error\n", "ErrGone var any\n") }
	edit()
	r.edit("CHANGELOG.md", unreleasedHeading, unreleasedHeading+"\n\n### Changed\n\n- `ErrGone`.")
	status, text = r.run()
	require.Zero(t, status, "there is no tag: %s", text)
	r.git("tag", "v0.1.0")
	status, text = r.run()
	require.Equal(t, 1, status)
	require.Contains(t, text, "docs/api/mill.txt was changed after v0.1.0 was tagged")
	r.git("tag", "actors/adapters/log/v0.1.0")
	r.git("checkout", "-q", "docs/api/mill.txt")
	status, text = r.run()
	require.Zero(t, status, text)
}

func TestVersionsInOrder(t *testing.T) {
	inOrder := []string{"", "v0.1.0", "v0.1.1", "v0.2.0", "v0.10.0", "v1.0.0"}
	for i, version := range inOrder {
		for j, last := range inOrder {
			require.Equal(t, i > j, isNewer(version, last), "%s after %s", version, last)
		}
	}
	require.False(t, isNewer("1.0.0", ""))
	require.False(t, isNewer("v1.0", ""))
}

// TestWhatAChangelogNames looks at how a name has to stand in the section.
func TestWhatAChangelogNames(t *testing.T) {
	log, err := readUnreleased("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- `Config.Key`, `Store.Stop(ctx)`, `pkg.Open`, Verify, `actors/consumer`.\n\n" +
		"### Changed\n\n- `Store.Load` takes\n  `Into`.\n\n## [0.1.0] - 2026-01-01\n\n- `Old`.\n")
	require.NoError(t, err)
	named := map[change]bool{
		{path: "x/pkg", name: "Config.Key"}:                true,
		{path: "x/pkg", name: "Config"}:                    false,
		{path: "x/pkg", name: "Key"}:                       false,
		{path: "x/pkg", name: "Store.Stop"}:                true,
		{path: "x/pkg", name: "Open"}:                      true,
		{path: "x/other", name: "Open"}:                    false,
		{path: "x/pkg", name: "Verify"}:                    false,
		{path: "x/pkg", name: "Old"}:                       false,
		{path: "actors/consumer"}:                          true,
		{path: "actors"}:                                   false,
		{path: "consumer"}:                                 false,
		{path: "x/pkg", name: "Store.Load", kind: changed}: true,
		{path: "x/pkg", name: "Into", kind: removed}:       true,
		{path: "x/pkg", name: "Config.Key", kind: changed}: false,
	}
	for _, c := range slices.Collect(maps.Keys(named)) {
		require.Equal(t, named[c], log.names(c), "%+v", c)
	}
	_, err = readUnreleased("# Changelog\n")
	require.Error(t, err)
}
