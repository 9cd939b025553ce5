package raftstore

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
)

// stableBlockSize is the size of the blocks of the stable store, which has a few small values: a full block is what it
// takes on disk.
const stableBlockSize = 64 << 10

// Set stores the value of a key.
func (s *Store) Set(key, value []byte) error {
	subject := keySubject(key)
	return s.patiently(s.stable, func(ctx context.Context) error {
		_, err := s.stable.StoreMsg(ctx, subject, nil, value)
		return err
	})
}

// Get returns the value of a key, nil when it has none.
func (s *Store) Get(key []byte) ([]byte, error) {
	message, err := s.stable.LoadLastMsg(context.Background(), actors.Literal(keySubject(key)))
	if errors.Is(err, actors.ErrNotFound) {
		return nil, nil
	}
	return message.Payload, err
}

// SetUint64 stores a number as the value of a key.
func (s *Store) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns the number that is the value of a key, 0 when it has none.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	switch {
	case err != nil || len(value) == 0:
		return 0, err
	case len(value) != 8:
		return 0, fmt.Errorf("%w: the value of a number has %d bytes", ErrNoEntry, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// keySubject is the subject of a key's messages: the key itself where it can be a token, so that people can read it, and
// otherwise its bytes as hexadecimal digits. No two keys have the same.
func keySubject(key []byte) string {
	for _, b := range key {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' {
			continue
		}
		return "hex." + hex.EncodeToString(key)
	}
	if len(key) == 0 {
		return "empty"
	}
	return "key." + string(key)
}
