// Command broker is a small message broker built from actors on top of Millrace stores.
//
//	broker run      take in a week of earthquakes durably, stop, reopen, read it back and compare
//	broker serve    the broker over HTTP, with a live page and metrics
//	broker metrics  print the metrics of the streams in a data folder, for a check by promtool
//	broker version  print which program this is
//
// One actor per stream (a topic) owns a store, and an actor per subscriber (a session) replays from a
// sequence and then follows the stream. None of them ever waits: they talk to the stores by PID.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `usage: broker <command> [flags]

  run      take in a week of earthquakes durably, stop, reopen, read it back and compare
  serve    the broker over HTTP, with a live page and metrics
  metrics  print the metrics of the streams in a data folder
  version  print which program this is; so does --version

broker <command> --help explains the flags.
`

// errUsage has been explained to the user already.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := command(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "broker:", forPeople(err))
		os.Exit(1)
	}
}

// command runs one of the commands.
func command(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(arguments) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	name, arguments := arguments[0], arguments[1:]
	flags := flag.NewFlagSet("broker "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	switch name {
	case "run":
		var options runOptions
		options.register(flags)
		if done, err := parseFlags(flags, arguments, options.validate); done {
			return err
		}
		if options.stdin {
			return runLines(ctx, options, stdin, stdout, newLogger(stderr, options.verbose))
		}
		return runMainJob(ctx, options, stdout, newLogger(stderr, options.verbose))
	case "serve":
		var options serveOptions
		options.register(flags)
		if done, err := parseFlags(flags, arguments, options.validate); done {
			return err
		}
		return runServer(ctx, options, stdout, newLogger(stderr, options.verbose))
	case "metrics":
		dir := flags.String("dir", "data", "the `folder` that holds the streams")
		if done, err := parseFlags(flags, arguments, nil); done {
			return err
		}
		return printMetrics(ctx, *dir, stdout, newLogger(stderr, false))
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, buildOf())
		return nil
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	fmt.Fprintf(stderr, "broker: there is no command %q\n\n%s", name, usage)
	return errUsage
}

// parseFlags reports whether the command is over already, and with which error.
func parseFlags(flags *flag.FlagSet, arguments []string, validate func() error) (bool, error) {
	err := flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return true, nil
	case err != nil:
		return true, errUsage // the flag package has said why
	case flags.NArg() > 0:
		fmt.Fprintf(flags.Output(), "%s: %q is no flag\n", flags.Name(), flags.Arg(0))
		return true, errUsage
	}
	if validate != nil {
		if err := validate(); err != nil {
			for line := range strings.Lines(err.Error() + "\n") {
				fmt.Fprintf(flags.Output(), "%s: %s", flags.Name(), line)
			}
			return true, errUsage
		}
	}
	return false, nil
}

// newLogger writes warnings and errors, and everything on demand.
func newLogger(out io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}
