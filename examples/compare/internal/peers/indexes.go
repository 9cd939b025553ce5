package peers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// indexPatience is how long a store may take to write the indexes of its blocks.
const indexPatience = 20 * time.Second

// awaitIndexes waits until each block but the last, which still grows, has an index beside it.
func awaitIndexes(ctx context.Context, streamDir string) error {
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		missing, blocks, err := unindexed(streamDir)
		if err != nil || missing == 0 {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d blocks have no index after %v: %w", missing, blocks, indexPatience, context.Cause(ctx))
		}
	}
}

func unindexed(streamDir string) (missing, blocks int, err error) {
	all, err := Blocks(streamDir)
	if err != nil || len(all) == 0 {
		return 0, 0, err
	}
	for _, block := range all[:len(all)-1] {
		switch _, err := os.Stat(strings.TrimSuffix(block.Path, ".blk") + ".bix"); {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			return 0, 0, err
		}
	}
	return missing, len(all), nil
}
