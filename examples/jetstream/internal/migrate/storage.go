// Package migrate finds the streams in the storage directory of a nats-server, checks them, and takes them along into
// a directory of Millrace's, as a copy or where they are.
package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// Stream is a stream of a nats-server.
type Stream struct {
	Account string // "$G" is that of a server without accounts; "" where no server has been
	Name    string
	Dir     string // its own folder
	// Meta is its configuration, nil if it cannot be read: Err says why.
	Meta      *blockio.StreamMeta
	Err       error
	Encrypted bool
	Blocks    int
	Bytes     int64 // of all of its files
	Consumers int
}

// Storage is the storage directory of a server.
type Storage struct {
	Dir string
	// Key, if not empty, is the key that the server has in its configuration, with which it encrypts.
	Key string
}

// streamsOf are the places where a folder of streams can be below what a user calls the storage directory: that of the
// server's configuration, the folder that the server makes in it, an account's, and streams themselves.
var streamsOf = []string{
	filepath.Join("jetstream", "*", "streams", "*"),
	filepath.Join("*", "streams", "*"),
	filepath.Join("streams", "*"),
	"*",
}

// ErrNoStream: there is none, or none of the name.
var ErrNoStream = errors.New("no stream")

// Streams returns the streams, by account and name.
func (s Storage) Streams() ([]Stream, error) {
	if _, err := os.Stat(s.Dir); err != nil {
		return nil, err
	}
	for i, pattern := range streamsOf {
		paths, err := filepath.Glob(filepath.Join(globQuote(s.Dir), pattern))
		if err != nil {
			return nil, err
		}
		var list []Stream
		for _, dir := range paths {
			stream, err := s.look(dir, i < 2 || filepath.Base(filepath.Dir(dir)) == "streams")
			if err != nil {
				return nil, err
			}
			if stream != nil {
				list = append(list, *stream)
			}
		}
		if len(list) > 0 {
			slices.SortFunc(list, func(a, b Stream) int {
				return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Name, b.Name))
			})
			return list, nil
		}
	}
	return nil, fmt.Errorf("%w in %s: it is neither the storage directory of a nats-server nor a folder of streams", ErrNoStream, s.Dir)
}

// globQuote quotes what has a meaning in a pattern.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// look returns what a folder is, nil when it is no stream.
func (s Storage) look(dir string, ofAccount bool) (*Stream, error) {
	name := filepath.Base(dir)
	if strings.HasPrefix(name, ".") {
		return nil, nil // a server was removing it
	}
	if _, err := os.Stat(filepath.Join(dir, "meta.inf")); err != nil {
		if errors.Is(err, fs.ErrNotExist) || isNoDirectory(dir) {
			return nil, nil
		}
		return nil, err
	}
	stream := &Stream{Name: name, Dir: dir}
	if ofAccount {
		stream.Account = filepath.Base(filepath.Dir(filepath.Dir(dir)))
	}
	if _, err := os.Stat(filepath.Join(dir, "meta.key")); err == nil {
		stream.Encrypted = true
	} else {
		stream.Meta, stream.Err = blockio.ReadMeta(blockio.OS, dir, name)
	}
	consumers, err := filepath.Glob(filepath.Join(globQuote(dir), "obs", "*", "meta.inf"))
	if err != nil {
		return nil, err
	}
	stream.Consumers = len(consumers)
	for file, err := range files(dir) {
		if err != nil {
			return nil, err
		}
		stream.Bytes += file.size
		if filepath.Ext(file.path) == ".blk" {
			stream.Blocks++
		}
	}
	return stream, nil
}

func isNoDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// Find returns the one stream of a name. An account is needed where several have it.
func (s Storage) Find(account, name string) (Stream, error) {
	list, err := s.Streams()
	if err != nil {
		return Stream{}, err
	}
	var found, names []string
	var stream Stream
	for _, candidate := range list {
		names = append(names, candidate.Name)
		if candidate.Name == name && (account == "" || candidate.Account == account) {
			stream = candidate
			found = append(found, candidate.Account)
		}
	}
	switch len(found) {
	case 0:
		return Stream{}, fmt.Errorf("%w %s in %s; there are: %s", ErrNoStream, name, s.Dir, strings.Join(names, ", "))
	case 1:
		return stream, nil
	}
	return Stream{}, fmt.Errorf("several accounts have a stream %s; choose one with -account: %s", name, strings.Join(found, ", "))
}

// config is how the stream is opened with Millrace.
func (s Storage) config(stream Stream, dir string) (actors.Config, error) {
	config := actors.Config{Dir: dir, Name: stream.Name}
	if stream.Encrypted {
		if s.Key == "" {
			return config, fmt.Errorf("the stream %s is encrypted: give the key of the server's configuration with -key-file", stream.Name)
		}
		config.Key = actors.ServerKey(cmp.Or(stream.Account, "$G"), s.Key)
	}
	return config, nil
}

// Notes says what of a stream's configuration Millrace keeps and does not act on.
func (s Stream) Notes() (notes []string) {
	if s.Consumers > 0 {
		notes = append(notes, fmt.Sprintf("%d consumers: their files are kept for a nats-server, Millrace does not read them", s.Consumers))
	}
	m := s.Meta
	if m == nil {
		return notes
	}
	if m.Retention != "limits" {
		notes = append(notes, fmt.Sprintf("retention is %q: Millrace removes nothing because it was consumed", m.Retention))
	}
	if m.Replicas > 1 {
		notes = append(notes, fmt.Sprintf("%d replicas: this is one of them", m.Replicas))
	}
	if m.Sealed || m.DenyDelete || m.DenyPurge {
		notes = append(notes, "sealed, or removals are denied: Millrace does not refuse them")
	}
	return notes
}
