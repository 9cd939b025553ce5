package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDamaged = 3 // something is damaged, or differs
	exitRefused = 4 // the stream cannot be opened like this: somebody has it, it changes, the key is wrong
)

var (
	// errUsage: the command line is not understood.
	errUsage = errors.New("wrong usage")
	// errDamaged: what was looked at is damaged, and all of it was told.
	errDamaged = errors.New("damaged")
	// errDiffers: two streams differ, and all of it was told.
	errDiffers = errors.New("they differ")
)

// An app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer

	asJSON  bool
	colour  string // auto, always, never
	account string
	keyFile string
}

// run carries out a command line, and returns the exit code.
func run(ctx context.Context, arguments []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := a.command()
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, errDiffers) {
		for _, sentence := range sentences(err) {
			fmt.Fprintln(errOut, "inspect:", sentence)
		}
	}
	return exitCode(err)
}

// sentences returns an error for people, one line for each that was joined: the names in it are those of files, and
// come from anybody.
func sentences(err error) []string {
	var lines []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var whole []string
		for _, one := range joined.Unwrap() {
			lines, whole = append(lines, sentences(one)...), append(whole, one.Error())
		}
		if err.Error() == strings.Join(whole, "\n") {
			return lines
		}
	}
	return []string{shown(withoutPackages.Replace(err.Error()))}
}

// withoutPackages leaves out which package of ours an error is of: that is for us.
var withoutPackages = strings.NewReplacer("actors: ", "", "blockio: ", "", "engine: ", "", "archive: ", "")

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDamaged), errors.Is(err, errDiffers), errors.Is(err, actors.ErrCorrupt):
		return exitDamaged
	case errors.Is(err, actors.ErrLocked), errors.Is(err, actors.ErrChanged), errors.Is(err, actors.ErrKey),
		errors.Is(err, blockio.ErrEncrypted), errors.Is(err, fs.ErrPermission):
		return exitRefused
	}
	return exitFailed
}

// command returns the program's commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "inspect",
		Short: "looks into the directories of streams, Millrace's or a nats-server's",
		Long: `inspect looks into the directories of streams, Millrace's or a nats-server's.

STREAM is the directory of one stream, in which meta.inf is, and ROOT one that has such directories in it, at any
depth. Nothing is changed, and a running owner is not disturbed, but by the commands that say so.

Exit codes: 0 done and sound, 1 failed, 2 wrong usage, 3 something is damaged or differs, 4 the stream cannot be
opened like this (another process has it, it changes all the time, the key is wrong or missing).`,
		Version:       versionOf(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.colour != "auto" && a.colour != "always" && a.colour != "never" {
				return fmt.Errorf("%w: --color=%s: it is auto, always or never", errUsage, a.colour)
			}
			return nil
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	flags := root.PersistentFlags()
	flags.BoolVar(&a.asJSON, "json", false, "write JSON, one value a line")
	flags.StringVar(&a.colour, "color", "auto", "auto (on a terminal, unless NO_COLOR is set), always or never")
	flags.StringVar(&a.keyFile, "key-file", "", "a file with the key of an encrypted server's configuration")
	flags.StringVar(&a.account, "account", "$G", "the account of an encrypted stream")
	root.AddCommand(
		a.lsCommand(), a.infoCommand(), a.blocksCommand(), a.subjectsCommand(),
		a.dumpCommand(), a.grepCommand(), a.tailCommand(),
		a.verifyCommand(), a.repairCommand(), a.diffCommand(),
		a.backupCommand(), a.restoreCommand(),
		a.compactCommand(), a.purgeCommand(), a.convertCommand(), a.benchCommand(),
	)
	return root
}

// exactly wants as many arguments as there are names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		if len(arguments) != len(names) {
			return fmt.Errorf("%w: %s takes %s, and got %d arguments; see inspect %[2]s --help",
				errUsage, c.Name(), strings.Join(names, " and "), len(arguments))
		}
		return nil
	}
}

// atLeastOne wants arguments of one kind.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		if len(arguments) == 0 {
			return fmt.Errorf("%w: %s takes %s, one or several; see inspect %[2]s --help", errUsage, c.Name(), name)
		}
		return nil
	}
}

// key returns the function for the key of encrypted streams, nil without a key file.
func (a *app) key(keyFile string) (actors.KeyFunc, error) {
	if keyFile == "" {
		return nil, nil
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(key))
	if text == "" {
		return nil, fmt.Errorf("%w: %s is empty", errUsage, keyFile)
	}
	return actors.ServerKey(a.account, text), nil
}
