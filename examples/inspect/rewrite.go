package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (a *app) compactCommand() *cobra.Command {
	below := 90
	c := &cobra.Command{
		Use:   "compact STREAM",
		Short: "CHANGES the stream: write sparse blocks anew, to have their room back",
		Long: `compact writes each full block anew of which less than a part is live, without what was removed from it. No message
changes. The last block, and the first of a stream with limits, stay as they are. The stream must not be open anywhere.`,
		Args: exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if below < 1 || below > 90 {
				return fmt.Errorf("%w: --below=%d: it is 1 to 90", errUsage, below)
			}
			largest, err := largestBlock(arguments[0])
			if err != nil {
				return err
			}
			return a.rewrite(c.Context(), arguments[0], func(config *actors.Config) {
				config.CompactBelow = below
				config.BlockSize = largest // what is worth winning is measured by it
			})
		},
	}
	c.Flags().IntVar(&below, "below", below, "write blocks anew that are less than so many percent live")
	return c
}

func (a *app) convertCommand() *cobra.Command {
	var s2, plain bool
	var cipher, newKey string
	c := &cobra.Command{
		Use:   "convert STREAM",
		Short: "CHANGES the stream: compress its blocks, encrypt it, change its key or cipher",
		Long: `convert changes how a stream is stored, and no message. --s2 compresses full blocks, now and from now on; --no-s2 has
blocks that are written from now on plain, and leaves those that are. --new-key-file encrypts a stream that is plain, or gives
one that is encrypted (its key is --key-file) another key, and --cipher another cipher. A crash meanwhile does no harm: open it
again with both keys. The stream must not be open anywhere.`,
		Args: exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if s2 && plain {
				return fmt.Errorf("%w: --s2 and --no-s2 exclude each other", errUsage)
			}
			if !s2 && !plain && newKey == "" && cipher == "" {
				return fmt.Errorf("%w: say what to convert: --s2, --no-s2, --new-key-file, --cipher", errUsage)
			}
			key, err := a.key(newKey)
			if err != nil {
				return err
			}
			var to actors.Cipher
			if cipher != "" {
				if to, err = cipherOf(cipher, key != nil || a.keyFile != ""); err != nil {
					return err
				}
			}
			return a.rewrite(c.Context(), arguments[0], func(config *actors.Config) {
				config.Cipher = to
				if key != nil {
					config.Key, config.OldKey = key, config.Key
				}
				if s2 {
					config.Compression = actors.On
				} else if plain {
					config.Compression = actors.Off
				}
			})
		},
	}
	c.Flags().BoolVar(&s2, "s2", false, "compress full blocks with S2")
	c.Flags().BoolVar(&plain, "no-s2", false, "compress no more blocks")
	c.Flags().StringVar(&cipher, "cipher", "", "chacha20 or aes")
	c.Flags().StringVar(&newKey, "new-key-file", "", "a file with the key that the stream is to have")
	return c
}

// rewrite opens a stream as its owner, waits until all blocks are as they are to be, and says what has become of its size.
func (a *app) rewrite(ctx context.Context, dir string, with func(*actors.Config)) error {
	var before, after actors.DiskUsage
	var stay uint64
	told := a.progress("rewrite " + shown(dir))
	err := a.change(ctx, dir, with, func(s *actors.Store) (err error) {
		if before, err = s.DiskUsage(ctx); err != nil {
			return err
		}
		if stay, err = settle(ctx, s, func(left, of uint64) { told.at(int64(of-left), int64(of), count) }); err != nil {
			return err
		}
		after, err = s.DiskUsage(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.json(map[string]any{"stream": dir, "blocks_before": before.Blocks, "blocks_after": after.Blocks, "left_as_they_are": stay})
	}
	err = a.printf("%s: blocks took %s, and take %s\n", shown(dir), size(int64(before.Blocks)), size(int64(after.Blocks)))
	if stay > 0 {
		err = errors.Join(err, a.printf("%d blocks cannot be written anew until more is stored, and stay as they are\n", stay))
	}
	return err
}

// patience is for how long nothing may happen before what waits is left as it is: the block that alone shows what the last
// sequence is has to wait for another one.
const patience = 5 * time.Second

// settle waits until no block waits to be written anew, or none of those that do is. It returns how many do.
func settle(ctx context.Context, s *actors.Store, tell func(left, of uint64)) (uint64, error) {
	if err := s.Ready(ctx); err != nil {
		return 0, err
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	most, last, since := uint64(0), uint64(0), time.Now()
	for {
		if err := s.Err(); err != nil {
			return 0, err
		}
		left := s.Stats().Uncompacted + s.Stats().Unindexed
		most = max(most, left)
		if left != last {
			last, since = left, time.Now()
		}
		if left == 0 || time.Since(since) > patience {
			return left, nil
		}
		tell(left, most)
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// largestBlock returns the size of the largest block of a stream, within what a block size can be.
func largestBlock(dir string) (int64, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "msgs"))
	if err != nil {
		return 0, err
	}
	largest := int64(4 << 10)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".blk" {
			largest = max(largest, info.Size())
		}
	}
	return min(largest, 8<<20), nil
}

func (a *app) purgeCommand() *cobra.Command {
	var below, keep uint64
	var subjects []string
	var all bool
	c := &cobra.Command{
		Use:   "purge STREAM",
		Short: "CHANGES the stream: remove messages",
		Long: `purge removes messages: those below a sequence, those of subjects, all but the latest of these, or with --all everything.
Sequences are not used again. The stream must not be open anywhere.`,
		Args: exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			some := below > 0 || keep > 0 || len(subjects) > 0
			if all == some {
				return fmt.Errorf("%w: say what to remove: --all, or --below, --subject, --keep", errUsage)
			}
			if below > 0 && keep > 0 {
				return fmt.Errorf("%w: --below and --keep exclude each other", errUsage)
			}
			var removed uint64
			var state actors.State
			err := a.change(c.Context(), arguments[0], nil, func(s *actors.Store) (err error) {
				if all {
					removed, err = s.Purge(c.Context())
				} else {
					removed, err = s.PurgeEx(c.Context(), actors.Filter(orAll(subjects)...), below, keep)
				}
				if err == nil {
					state, err = s.FastState(c.Context())
				}
				return err
			})
			if err != nil {
				return err
			}
			if a.asJSON {
				return a.json(map[string]any{"stream": arguments[0], "removed": removed, "messages": state.Messages})
			}
			return a.printf("%s: removed %d messages, %d are left\n", shown(arguments[0]), removed, state.Messages)
		},
	}
	c.Flags().Uint64Var(&below, "below", 0, "messages below a sequence")
	c.Flags().Uint64Var(&keep, "keep", 0, "all but so many of the latest")
	c.Flags().StringArrayVarP(&subjects, "subject", "s", nil, "messages of a filter; any number of them")
	c.Flags().BoolVar(&all, "all", false, "everything")
	return c
}

func orAll(subjects []string) []string {
	if len(subjects) == 0 {
		return []string{">"}
	}
	return subjects
}
