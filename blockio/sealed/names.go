package sealed

import (
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// The files with keys.
const (
	metaKeyName    = "meta.key"
	metaNewKeyName = "meta.newkey" // that which takes the place of meta.key when a conversion is done
	keySuffix      = ".key"
	newKeySuffix   = ".newkey" // that of a block whose new file takes, or has taken, the place of the old one
)

// A kind is how a file is encrypted.
type kind uint8

const (
	other    kind = iota // as a whole, in our form
	raw                  // not at all
	block                // as nats-server encrypts a block
	rewrite              // the same, for a file that is to take the place of a block
	state                // as nats-server encrypts index.db
	consumer             // as it encrypts the files of a consumer
)

// kindOf returns how a file of the stream is encrypted, by its name.
func (s *FS) kindOf(name string) (k kind, id uint32) {
	rel, err := filepath.Rel(s.o.Dir, name)
	if err != nil {
		return raw, 0
	}
	dir, base := filepath.Split(filepath.ToSlash(rel))
	whole := strings.TrimSuffix(base, blockio.UnfinishedSuffix)
	switch {
	case rel == "." || strings.HasPrefix(rel, ".."):
		return raw, 0
	case dir == "":
		switch whole {
		case "meta.inf", "meta.sum", metaKeyName, metaNewKeyName:
			return raw, 0
		}
	case dir == "msgs/":
		if id, ok := blockio.BlockNumber(base); ok {
			return block, id
		}
		if id, ok := blockio.RewriteNumber(base); ok {
			return rewrite, id
		}
		if strings.HasSuffix(whole, keySuffix) || strings.HasSuffix(whole, newKeySuffix) {
			return raw, 0
		}
		if whole == blockio.StateFile {
			return state, 0
		}
	case strings.HasPrefix(dir, "obs/") && strings.Count(dir, "/") == 2:
		switch whole {
		case "meta.inf", "o.dat":
			return consumer, 0
		case "meta.sum", metaKeyName, metaNewKeyName:
			return raw, 0
		}
	case dir == "__new_msgs__/" || dir == "__msgs__/": // as nats-server moves them
		return raw, 0
	}
	return other, 0
}

func (s *FS) path(names ...string) string {
	return filepath.Join(append([]string{s.o.Dir}, names...)...)
}

// keyPath returns the file with the key of a block.
func (s *FS) keyPath(id uint32, suffix string) string {
	return strings.TrimSuffix(blockio.BlockPath(s.o.Dir, id), ".blk") + suffix
}
