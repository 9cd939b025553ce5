package actors

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

// consumers writes the files of the consumers that a nats-server has left beside the blocks.
func (x *snapshot) consumers() error {
	dir := blockio.ConsumersDir(x.store.dir)
	fsys := x.store.config.FS
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir || !archive.ValidConsumer(e.Name) {
			continue
		}
		if err := x.check(); err != nil {
			return err
		}
		if err := x.consumer(filepath.Join(dir, e.Name), e.Name); err != nil {
			return err
		}
	}
	return nil
}

// consumer writes the files of one. A server passes one over that has no configuration or no checksum of it, and so
// does this.
func (x *snapshot) consumer(dir, name string) error {
	read := func(file string) ([]byte, bool, error) {
		data, err := blockio.ReadFile(x.store.config.FS, filepath.Join(dir, file), archive.MaxConsumerFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
		return data, err == nil, err
	}
	meta, there, err := read(archive.ConsumerMeta)
	if err != nil || !there {
		return err
	}
	if _, there, err = read(archive.ConsumerSum); err != nil || !there {
		return err
	}
	state, hasState, err := read(archive.ConsumerState)
	if err != nil {
		return err
	}
	x.info.Consumers++
	if !hasState {
		state = nil
	}
	return x.out.Consumer(name, meta, state)
}
