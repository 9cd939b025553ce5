package actors

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidName returns why a name cannot be a new stream's, or nil. What it takes is safe as the name of a folder on
// every system, as a label of metrics and as the name of a stream of a nats-server: 1 to 255 bytes of UTF-8, without
// white space, what does not print, and any of . * > < / \ : " | ?, and none of the names that Windows keeps for
// devices, such as CON. Streams that are there already, as of a nats-server, may have other names.
func ValidName(name string) error {
	if err := storedName(name); err != nil {
		return err
	}
	for _, r := range name {
		if strings.ContainsRune(`<:"|?`, r) || !unicode.IsPrint(r) {
			return fmt.Errorf("name %q holds %q", name, r)
		}
	}
	if device(name) {
		return fmt.Errorf("name %q is a device's on Windows", name)
	}
	return nil
}

// device reports whether Windows takes a name for a device's, wherever it is.
func device(name string) bool {
	upper := strings.ToUpper(name)
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}, upper) {
		return true
	}
	port, numbered := strings.CutPrefix(upper, "COM")
	if !numbered {
		port, numbered = strings.CutPrefix(upper, "LPT")
	}
	return numbered && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}

// storedName returns why a name cannot be that of a stream which is there, or nil: as a nats-server takes them.
func storedName(name string) error {
	switch {
	case name == "":
		return errors.New("name is empty")
	case len(name) > 255:
		return fmt.Errorf("name of %d bytes is longer than 255", len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not UTF-8", name)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`.*>/\`, c) >= 0 {
			return fmt.Errorf("name %q holds %q", name, c)
		}
	}
	return nil
}

// checkNewName returns why the stream cannot be made with its name, or nil. Where systems do not tell upper case from
// lower case, two streams that differ in it alone would be in one folder.
func (s *stream) checkNewName() error {
	if err := ValidName(s.config.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	others, err := s.config.FS.ReadDir(s.config.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, other := range others {
		if name := other.Name; name != s.config.Name && strings.EqualFold(name, s.config.Name) {
			return fmt.Errorf("%w: name %q and that of the folder %q differ in upper and lower case alone", ErrConfig,
				s.config.Name, filepath.Join(s.config.Dir, name))
		}
	}
	return nil
}
