package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Kept is how a JetStream store keeps the blocks that are full.
type Kept struct {
	Name string // as rows call it
	S2   bool   // compressed
	// Sealed: encrypted with ChaCha20, nats-server's default.
	Sealed bool
	// begins, if set, is what the file of a block begins with that is kept so.
	begins string
}

var (
	// KeptPlain is as the records are.
	KeptPlain = Kept{Name: "plain"}
	// KeptS2 is compressed with S2.
	KeptS2 = Kept{Name: "S2", S2: true, begins: "cmp"}
	// KeptSealed is encrypted.
	KeptSealed = Kept{Name: "ChaCha20", Sealed: true}
)

// keyOf derives the key of a stream and of its blocks from a secret, as both stores ask for it.
func keyOf(context string) ([]byte, error) {
	sum := sha256.Sum256([]byte("a secret of the benchmark " + context))
	return sum[:], nil
}

// NATSKept is the file store of nats-server.
func NATSKept(mode NATSMode, kept Kept) Peer {
	var config server.StreamConfig
	if kept.S2 {
		config.Compression = server.S2Compression
	}
	peer := natsConfigured(mode, config, NoLimits)
	if kept.Sealed {
		peer = natsSealed(mode, config, NoLimits)
	}
	return kept.of(peer)
}

// MillraceKept is the store of this repository.
func MillraceKept(level Level, kept Kept) Peer {
	var config actors.Config
	if kept.S2 {
		config.Compression = actors.On
	}
	if kept.Sealed {
		config.Key, config.Cipher = keyOf, actors.CipherChaCha20
	}
	return kept.of(millracePeer(level, config))
}

// of is a peer that keeps its blocks so, and waits for that with its indexes.
func (k Kept) of(peer Peer) Peer {
	peer.Name += " " + k.Name
	indexed := peer.AwaitIndexes
	peer.AwaitIndexes = func(ctx context.Context, dir string) error {
		if indexed != nil {
			if err := indexed(ctx, dir); err != nil {
				return err
			}
		}
		return k.await(ctx, peer.StreamDir(dir))
	}
	return peer
}

// await waits until all blocks are kept so, but for the last two: nobody touches the one that is written, and the one
// before it may have to wait for that.
func (k Kept) await(ctx context.Context, streamDir string) error {
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	for k.begins != "" {
		blocks, err := Blocks(streamDir)
		if err != nil {
			return err
		}
		others := 0
		for _, block := range blocks[:max(len(blocks)-2, 0)] {
			begins, err := beginsWith(block.Path, k.begins)
			if err != nil {
				return err
			}
			if !begins {
				others++
			}
		}
		if others == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d blocks are not kept as %s: %w", others, len(blocks), k.Name, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// beginsWith looks at the first bytes of a file. One that is gone has nobody to wait for.
func beginsWith(path, want string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }() // it was only read
	head := make([]byte, len(want))
	_, err = io.ReadFull(file, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return bytes.Equal(head, []byte(want)), err
}
