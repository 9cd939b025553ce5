package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (a *app) restoreCommand() *cobra.Command {
	var name, config, cipher string
	c := &cobra.Command{
		Use:   "restore FILE ROOT",
		Short: "make a stream of a backup, of either form, in a directory of streams",
		Long: `restore makes a stream of a file that backup, Millrace or a nats-server has written. A snapshot knows its name and its
configuration. An archive knows neither: --name and --config say them. Either all is restored or nothing is there, and a stream
that exists is never touched.`,
		Args: exactly("FILE", "ROOT"),
		RunE: func(c *cobra.Command, arguments []string) error {
			in := a.in
			if arguments[0] != "-" {
				f, err := os.Open(arguments[0])
				if err != nil {
					return err
				}
				defer f.Close() // it was opened for reading
				in = f
			}
			key, err := a.key(a.keyFile)
			if err != nil {
				return err
			}
			r := &restore{app: a, root: arguments[1], name: name, configFile: config, key: key}
			if r.cipher, err = cipherOf(cipher, key != nil); err != nil {
				return err
			}
			return r.run(c.Context(), in)
		},
	}
	c.Flags().StringVar(&name, "name", "", "of the stream: what a snapshot has to be of, what an archive becomes")
	c.Flags().StringVar(&config, "config", "", "a file with a StreamConfig as JSON, for an archive; without it the stream has no limits")
	c.Flags().StringVar(&cipher, "cipher", "", "with --key-file: chacha20 (the default) or aes")
	return c
}

// cipherOf reads a cipher.
func cipherOf(text string, key bool) (actors.Cipher, error) {
	switch {
	case text == "" && !key:
		return actors.CipherAsStored, nil
	case !key:
		return 0, fmt.Errorf("%w: --cipher without --key-file", errUsage)
	case text == "", text == "chacha20":
		return actors.CipherChaCha20, nil
	case text == "aes":
		return actors.CipherAES, nil
	}
	return 0, fmt.Errorf("%w: --cipher=%s: it is chacha20 or aes", errUsage, text)
}

type restore struct {
	app              *app
	root             string
	name, configFile string
	key              actors.KeyFunc
	cipher           actors.Cipher
}

func (r *restore) run(ctx context.Context, in io.Reader) error {
	told := r.app.progress("restore")
	info, err := actors.Restore(ctx, r.root, in, actors.RestoreOptions{
		Name: r.name, Key: r.key, Cipher: r.cipher, Progress: func(written int64) { told.at(written, 0, size) },
	})
	if err == nil {
		return r.done(info.Name, info.Messages)
	}
	if !errors.Is(err, actors.ErrIsBackup) {
		return err
	}
	seeker, ok := in.(io.Seeker)
	if !ok {
		return fmt.Errorf("%w: it cannot be read twice, as it is no file", err)
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.archive(ctx, in)
}

// archive restores the other form.
func (r *restore) archive(ctx context.Context, in io.Reader) error {
	if r.name == "" {
		return fmt.Errorf("%w: it is an archive, which does not say what stream it is of: --name does", errUsage)
	}
	config := actors.Config{Dir: r.root, Name: r.name, Key: r.key, Cipher: r.cipher, Logger: slog.New(slog.NewTextHandler(r.app.err, nil))}
	if r.configFile != "" {
		data, err := os.ReadFile(r.configFile)
		if err != nil {
			return err
		}
		config.StreamConfig = data
	}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	told := r.app.progress("restore " + shown(r.name))
	info, err := actors.RestoreBackup(ctx, system, config, in, actors.RestoreBackupOptions{
		Consumer: func(name string, _ []byte) error {
			_, err := fmt.Fprintf(r.app.err, "the consumer %s is left out: a server makes consumers\n", shown(name))
			return err
		},
		Progress: func(p actors.SnapshotProgress) { told.at(int64(p.Messages), int64(p.OfMessages), count) },
	})
	if err != nil {
		return err
	}
	return r.done(r.name, info.Messages)
}

func (r *restore) done(name string, messages uint64) error {
	dir := filepath.Join(r.root, name)
	if r.app.asJSON {
		return r.app.json(map[string]any{"stream": dir, "messages": messages})
	}
	return r.app.printf("%s: %d messages\n", shown(dir), messages)
}
