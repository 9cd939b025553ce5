package blockindex

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Renew makes the index file path one of the block's file as it is now, where nothing
// but the modification time differs: whoever opens it then does not find it Suspect.
// now is the identity from before the block was checked with CheckBlock and found to be
// the same.
//
// The checksums of all pages change with the time, so all of the file is verified, as
// Check does, and then replaced as Write does: a crash leaves the old one or the new,
// or what Open finds. The error wraps ErrStale when the index is of another block, and
// ErrDamaged; the file is left as it is then. Renew and Write of one path must not
// overlap.
func Renew(fsys blockio.FS, path string, now Identity) error {
	image, err := readFile(fsys, path)
	if err != nil {
		return err
	}
	x, err := Open(image, now, Options{Private: true})
	if err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	if !x.Suspect() {
		return nil
	}
	if err := x.checkAll(); err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	put64(image[atModTime:], uint64(now.ModTime))
	seal(image, &now)
	return Write(fsys, path, image)
}

// seal sets the checksums of all pages of an image.
func seal(image []byte, id *Identity) {
	salt := id.salt()
	for number := range uint32(len(image) / PageSize) {
		page := image[int(number)*PageSize:][:PageSize]
		put32(page, pageSum(salt, number, page))
	}
}
