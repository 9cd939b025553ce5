// Command apicheck holds the exported Go interface of the modules that are released against that of the last release,
// and CHANGELOG.md against the difference: whatever was added, changed or removed has to be named there.
//
//	go run ./internal/apicheck [-release v0.1.0]
//
// The interface of the last release is in docs/api, a file for each module, so that a clone without tags is enough. Where
// there are tags, the files have to be as they were when the tag was set. With -release the check comes first; then
// the files, the versions in the go.mod files of nested modules and the heading in CHANGELOG.md are made those of the
// release, and the tags are printed that its commit gets. docs/releasing.md has the whole of it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command without the process around it. It returns the exit status: 1 when CHANGELOG.md does not say all,
// 2 when that could not be found out.
func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("apicheck", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "the folder of the root module")
	release := flags.String("release", "", "make the tree that of this release")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	findings, differences, err := check(*root)
	if err == nil && len(findings) == 0 && *release != "" {
		var tags []string
		if tags, err = makeRelease(*root, *release, time.Now()); err == nil {
			_, _ = fmt.Fprintf(out, "The tree is that of %s. Commit it, and then set the tags:\n\n", *release)
			for _, tag := range tags {
				_, _ = fmt.Fprintf(out, "\tgit tag -a %s -m %s\n", tag, tag)
			}
			return 0
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "apicheck:", err)
		return 2
	}
	for _, finding := range findings {
		_, _ = fmt.Fprintln(errs, finding)
	}
	if len(findings) > 0 {
		return 1
	}
	_, _ = fmt.Fprintf(out, "%d differences from the last release, all of them in %s\n", differences, changelogFile)
	return 0
}
