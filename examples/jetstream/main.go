// Command jetstream takes streams of a nats-server along to Millrace: it lists what is in the storage directory of a
// server, checks a stream, copies it, or takes it over where it is. And it has a real nats-server judge what Millrace
// left behind.
//
//	go run . help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/migrate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDamaged = 3 // or it differs
)

// command is what the program can do.
type command struct {
	name, arguments, what string
	run                   func(ctx context.Context, c *cli, arguments []string) error
}

var commands = []command{
	{"list", "-store DIR", "the accounts and streams in the storage directory of a nats-server", list},
	{"check", "-store DIR STREAM", "read all of a stream, verify every checksum, change nothing", check},
	{"copy", "-store DIR -to DIR STREAM", "copy a stream into a folder of Millrace's, and compare every message", copyStream},
	{"adopt", "-store DIR STREAM", "take a stream over where it is, and compare every message", adopt},
	{"verify", "-streams DIR", "have a real nats-server read copies of Millrace's streams, and compare", verifyStreams},
}

const helpTop = `jetstream takes streams of a nats-server along to Millrace, and back.

Stop the server first, and keep a copy of its storage directory until you have seen that all is well.
DIR is the server's store_dir, or the folder "jetstream" in it.

`

const helpEnd = `
Flags of all but verify:
  -account NAME   where several accounts have a stream of that name
  -key-file FILE  the key of an encrypted server, as in its configuration (key, or jetstream_key)
  -dry-run        with copy and adopt: check the stream and say what would be done, change nothing
  -count          with list: open each stream to say what is in it, change nothing

jetstream --version prints which program this is.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something is damaged or differs.
`

// errUsage: the arguments do not fit.
var errUsage = errors.New("wrong usage, see jetstream help")

// run is the program.
func run(ctx context.Context, arguments []string, out, errOut io.Writer) (exit int) {
	err := dispatch(ctx, arguments, out, errOut)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		exit = exitUsage
	case errors.Is(err, migrate.ErrDamaged), errors.Is(err, migrate.ErrDiffers), isDifference(err):
		exit = exitDamaged
	default:
		exit = exitFailed
	}
	fmt.Fprintln(errOut, "jetstream:", err)
	return exit
}

func dispatch(ctx context.Context, arguments []string, out, errOut io.Writer) error {
	if len(arguments) == 0 {
		help(errOut)
		return errUsage
	}
	switch arguments[0] {
	case "help", "-h", "-help", "--help":
		help(out)
		return nil
	case "version", "-version", "--version":
		fmt.Fprintln(out, "jetstream of Millrace,", buildText())
		return nil
	}
	for _, c := range commands {
		if c.name == arguments[0] {
			return c.run(ctx, newCLI(c, out, errOut), arguments[1:])
		}
	}
	return fmt.Errorf("%w: there is no command %q", errUsage, arguments[0])
}

func help(out io.Writer) {
	fmt.Fprint(out, helpTop)
	for _, c := range commands {
		fmt.Fprintf(out, "  %-6s %-26s %s\n", c.name, c.arguments, c.what)
	}
	fmt.Fprint(out, helpEnd)
}
