package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/migrate"
)

// cli is the command line of one command.
type cli struct {
	command
	flags       *flag.FlagSet
	out, errOut io.Writer
	told        time.Time // when progress was told last

	storage migrate.Storage
	account string
	keyFile string
	dryRun  bool
}

func newCLI(c command, out, errOut io.Writer) *cli {
	flags := flag.NewFlagSet("jetstream "+c.name, flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() {
		fmt.Fprintf(errOut, "jetstream %s %s: %s\n", c.name, c.arguments, c.what)
		flags.PrintDefaults()
	}
	return &cli{command: c, flags: flags, out: out, errOut: errOut}
}

// ofStorage defines the flags for the storage directory of a server.
func (c *cli) ofStorage() {
	c.flags.StringVar(&c.storage.Dir, "store", "", "the storage directory of the nats-server")
	c.flags.StringVar(&c.account, "account", "", "the account of the stream")
	c.flags.StringVar(&c.keyFile, "key-file", "", "a file with the key of an encrypted server")
}

// parse reads the flags and as many arguments as there are names.
func (c *cli) parse(arguments []string, names ...string) ([]string, error) {
	if err := c.flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if n := c.flags.NArg(); n != len(names) {
		return nil, fmt.Errorf("%w: jetstream %s %s", errUsage, c.name, c.arguments)
	}
	if c.flags.Lookup("store") == nil {
		return c.flags.Args(), nil
	}
	if c.storage.Dir == "" {
		return nil, fmt.Errorf("%w: -store is missing", errUsage)
	}
	if c.keyFile != "" {
		key, err := os.ReadFile(c.keyFile)
		if err != nil {
			return nil, err
		}
		c.storage.Key = strings.TrimSpace(string(key))
	}
	return c.flags.Args(), nil
}

// progress tells how far a step is, once a second at most, and when it is done.
func (c *cli) progress(step string, done, of int64) {
	if now := time.Now(); done == of || now.Sub(c.told) >= time.Second {
		c.told = now
		fmt.Fprintf(c.errOut, "%s: %d of %d\n", step, done, of)
	}
}

// print writes a line.
func (c *cli) print(format string, arguments ...any) {
	fmt.Fprintf(c.out, format+"\n", arguments...)
}

// notes writes what Millrace does not act on.
func (c *cli) notes(stream migrate.Stream) {
	for _, note := range stream.Notes() {
		c.print("note: %s", note)
	}
}

func describe(sum migrate.Summary) string {
	text := fmt.Sprintf("%d messages of %d subjects, %d bytes, sequences %d to %d, %d deleted between them",
		sum.Messages, sum.Subjects, sum.Bytes, sum.First, sum.Last, sum.Deleted)
	if sum.Lost > 0 {
		text += fmt.Sprintf(", %d LOST through damage", sum.Lost)
	}
	return text
}

func list(ctx context.Context, c *cli, arguments []string) error {
	c.ofStorage()
	count := c.flags.Bool("count", false, "open each stream to say what is in it")
	if _, err := c.parse(arguments); err != nil {
		return err
	}
	streams, err := c.storage.Streams()
	if err != nil {
		return err
	}
	var failures []error
	for _, s := range streams {
		if c.account != "" && s.Account != c.account {
			continue
		}
		c.print("%s", headline(s))
		if !*count {
			continue
		}
		sum, err := c.storage.Look(ctx, s)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		c.print("  %s", describe(sum))
	}
	return errors.Join(failures...)
}

// headline says what is known of a stream without opening it.
func headline(s migrate.Stream) string {
	parts := []string{fmt.Sprintf("%d blocks", s.Blocks), fmt.Sprintf("%d bytes on disk", s.Bytes)}
	switch {
	case s.Encrypted:
		parts = append(parts, "encrypted")
	case s.Err != nil:
		parts = append(parts, "its configuration cannot be read: "+s.Err.Error())
	default:
		parts = append(parts, "subjects "+strings.Join(s.Meta.Subjects, " "))
		if s.Meta.Compression != "none" {
			parts = append(parts, s.Meta.Compression)
		}
	}
	if s.Consumers > 0 {
		parts = append(parts, fmt.Sprintf("%d consumers", s.Consumers))
	}
	name := s.Name
	if s.Account != "" {
		name = s.Account + " " + name
	}
	return name + ": " + strings.Join(parts, ", ")
}

// stream reads the flags of a command for one stream, and finds that.
func (c *cli) stream(arguments []string) (migrate.Stream, error) {
	names, err := c.parse(arguments, "STREAM")
	if err != nil {
		return migrate.Stream{}, err
	}
	return c.storage.Find(c.account, names[0])
}

func check(ctx context.Context, c *cli, arguments []string) error {
	c.ofStorage()
	stream, err := c.stream(arguments)
	if err != nil {
		return err
	}
	return c.check(ctx, stream)
}

func (c *cli) check(ctx context.Context, stream migrate.Stream) error {
	sum, err := c.storage.Check(ctx, stream, c.progress, func(damage string) { c.print("damage: %s", damage) })
	if err != nil && !errors.Is(err, migrate.ErrDamaged) {
		return err
	}
	c.print("%s: %s", stream.Name, describe(sum))
	c.notes(stream)
	return err
}

func copyStream(ctx context.Context, c *cli, arguments []string) error {
	c.ofStorage()
	to := c.flags.String("to", "", "the folder of Millrace's streams")
	c.flags.BoolVar(&c.dryRun, "dry-run", false, "check the stream, and change nothing")
	stream, err := c.stream(arguments)
	if err != nil {
		return err
	}
	if *to == "" {
		return fmt.Errorf("%w: -to is missing", errUsage)
	}
	if c.dryRun {
		if err := c.storage.Absent(*to, stream.Name); err != nil {
			return err
		}
		if err := c.check(ctx, stream); err != nil {
			return err
		}
		c.print("would copy %d bytes to %s", stream.Bytes, filepath.Join(*to, stream.Name))
		return nil
	}
	sum, err := c.storage.Copy(ctx, stream, *to, c.progress)
	if err != nil {
		return err
	}
	c.print("copied %s: %s", stream.Name, describe(sum))
	c.done(stream, *to)
	return nil
}

func adopt(ctx context.Context, c *cli, arguments []string) error {
	c.ofStorage()
	c.flags.BoolVar(&c.dryRun, "dry-run", false, "check the stream, and change nothing")
	stream, err := c.stream(arguments)
	if err != nil {
		return err
	}
	if c.dryRun {
		if err := c.check(ctx, stream); err != nil {
			return err
		}
		c.print("would take over %s", stream.Dir)
		return nil
	}
	sum, err := c.storage.TakeOver(ctx, stream, c.progress)
	if err != nil {
		return err
	}
	c.print("took over %s: %s", stream.Name, describe(sum))
	c.done(stream, filepath.Dir(stream.Dir))
	return nil
}

// done says how to go on.
func (c *cli) done(stream migrate.Stream, dir string) {
	c.notes(stream)
	key := ""
	if stream.Encrypted {
		key = ", Key: actors.ServerKey(account, key)"
	}
	c.print("open it with actors.Config{Dir: %q, Name: %q%s}", dir, stream.Name, key)
}

func verifyStreams(ctx context.Context, c *cli, arguments []string) (err error) {
	streams := c.flags.String("streams", "../../data", "the folder that holds one folder for each stream")
	if _, err := c.parse(arguments); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "jetstream-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	return verify(ctx, *streams, scratch, c.out)
}

// isDifference reports whether a server and Millrace do not agree.
func isDifference(err error) bool {
	var difference *interop.Difference
	return errors.As(err, &difference)
}
