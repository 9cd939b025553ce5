package archive

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// addBases adds the blocks to a staging directory that an increment has left out, from the archives that it builds on.
func (s *staging) addBases(ctx context.Context, contents *Contents) error {
	missing := maps.Clone(contents.LeftOut)
	for _, from := range s.Bases {
		if len(missing) == 0 {
			break
		}
		base, err := read(ctx, from, 0, &baseSink{staging: s, stream: contents.Stream, missing: missing}, true)
		if err != nil {
			return err
		}
		for id, b := range base.blocks {
			sum, wanted := missing[id]
			switch {
			case !wanted:
			case sum != b.sum: // it has changed since
				if err := s.remove(blockName(id), b.size); err != nil {
					return err
				}
			default:
				delete(missing, id)
				contents.Blocks++
				contents.Unpacked += b.size
				contents.Messages += b.Messages
				contents.Last = max(contents.Last, b.Last)
			}
		}
	}
	if len(missing) > 0 {
		id := slices.Min(slices.Collect(maps.Keys(missing)))
		return fmt.Errorf("%w", bad("it is an increment, and block %d is in none of the snapshots that it builds on", id))
	}
	if err := contents.checkTotals(); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

// baseSink takes those blocks of an archive that are missing, and lets everything else pass.
type baseSink struct {
	staging *staging
	stream  string
	missing Catalog
}

// Begin implements Sink.
func (b *baseSink) Begin(meta *blockio.StreamMeta) error {
	if meta.Name != b.stream {
		return fmt.Errorf("%w", bad("it builds on a snapshot of %q", clip(meta.Name)))
	}
	return nil
}

// Create implements Sink.
func (b *baseSink) Create(name string) (io.WriteCloser, error) {
	id, isBlock := blockio.BlockNumber(strings.TrimPrefix(name, blocksName))
	if _, wanted := b.missing[id]; isBlock && wanted {
		return b.staging.Create(name)
	}
	return passing{}, nil
}

// passing takes what is not wanted.
type passing struct{}

func (passing) Write(p []byte) (int, error) { return len(p), nil }
func (passing) Close() error                { return nil }

// catalogSink lets everything pass.
type catalogSink struct{}

func (catalogSink) Begin(*blockio.StreamMeta) error       { return nil }
func (catalogSink) Create(string) (io.WriteCloser, error) { return passing{}, nil }

// ReadCatalog reads an archive to its end, which may be an increment, and returns which blocks the stream had. Errors
// are those of Read.
func ReadCatalog(ctx context.Context, from io.Reader) (Catalog, error) {
	contents, err := read(ctx, from, 0, catalogSink{}, true)
	if err != nil {
		return nil, err
	}
	c := maps.Clone(contents.LeftOut)
	if c == nil {
		c = make(Catalog)
	}
	for id, b := range contents.blocks {
		c[id] = b.sum
	}
	return c, nil
}
