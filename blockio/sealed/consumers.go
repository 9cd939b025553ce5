package sealed

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// consumerContext returns what names the key of a consumer.
func (s *FS) consumerContext(dir string) string { return s.o.Stream + "." + filepath.Base(dir) }

// consumerKeys returns the keys with which the files of a consumer may be encrypted, that of a conversion that was begun first.
func (s *FS) consumerKeys(dir string) (keys []*metaKey, err error) {
	for _, name := range []string{metaNewKeyName, metaKeyName} {
		data, err := s.read(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if len(data) == 0 {
			continue
		}
		secret, _, err := s.unwrap(data, s.consumerContext(dir))
		if err != nil {
			return nil, err
		}
		keys = append(keys, newMetaKey(secret))
	}
	return keys, nil
}

// consumerKey returns the key with which the files of a consumer are encrypted. One that has none gets one.
func (s *FS) consumerKey(dir string) (*metaKey, error) {
	keys, err := s.consumerKeys(dir)
	switch {
	case err != nil:
		return nil, err
	case len(keys) > 0:
		return keys[0], nil
	case s.cipher == None:
		return nil, nil
	}
	secret, err := newSecret(s.cipher, s.o.Random)
	if err != nil {
		return nil, err
	}
	return newMetaKey(secret), s.writeKey(filepath.Join(dir, metaKeyName), secret, s.consumerContext(dir))
}

// convertConsumers encrypts the files of the consumers that a nats-server has left as they are to be, and wraps their keys
// anew. A consumer that cannot be read stays as it is.
func (s *FS) convertConsumers() error {
	dir := blockio.ConsumersDir(s.o.Dir)
	entries, err := s.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir {
			continue
		}
		err := s.convertConsumer(filepath.Join(dir, e.Name))
		if errors.Is(err, ErrKey) || blockio.Unreadable(err) != nil {
			s.o.Log.Warn("the files of a consumer cannot be decrypted; they stay as they are", "consumer", e.Name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A consumerConversion is what is known of the files of one consumer.
type consumerConversion struct {
	s    *FS
	dir  string
	next *metaKey // nil for none
	old  []*metaKey
}

func (s *FS) convertConsumer(dir string) error {
	stored, err := s.read(filepath.Join(dir, metaKeyName))
	if err != nil {
		return err
	}
	begun, err := s.read(filepath.Join(dir, metaNewKeyName))
	if err != nil {
		return err
	}
	cipher := None
	if stored != nil {
		secret, rewrap, err := s.unwrap(stored, s.consumerContext(dir))
		if err != nil {
			return err
		}
		if cipher = secret.cipher; rewrap {
			if err := s.writeKey(filepath.Join(dir, metaKeyName), secret, s.consumerContext(dir)); err != nil {
				return err
			}
			if err := s.FS.SyncDir(dir); err != nil {
				return err
			}
		}
	}
	if begun == nil && cipher == s.cipher {
		return nil
	}
	c := consumerConversion{s: s, dir: dir}
	if c.old, err = s.consumerKeys(dir); err != nil {
		return err
	}
	return c.run(stored != nil)
}

// run writes the files anew. meta.newkey says that they may be encrypted with either key.
func (c *consumerConversion) run(hasKey bool) error {
	s := c.s
	inf, err := c.plain("meta.inf")
	if err != nil {
		return err
	}
	dat, err := c.plain("o.dat")
	if err != nil {
		return err
	}
	if inf == nil && dat == nil {
		return nil
	}
	newKey := filepath.Join(c.dir, metaNewKeyName)
	if len(c.old) == 2 && c.old[0].cipher == s.cipher {
		c.next = c.old[0]
	} else if s.cipher != None {
		secret, err := newSecret(s.cipher, s.o.Random)
		if err != nil {
			return err
		}
		c.next = newMetaKey(secret)
		err = s.writeKey(newKey, secret, s.consumerContext(c.dir))
		if err == nil && !hasKey {
			err = c.sync()
			if err == nil {
				err = s.writeKey(filepath.Join(c.dir, metaKeyName), secret, s.consumerContext(c.dir))
			}
		}
		if err != nil {
			return err
		}
	} else if err := s.write(newKey, nil); err != nil {
		return err
	}
	if err := c.sync(); err != nil {
		return err
	}
	if err := c.put("meta.inf", inf); err != nil {
		return err
	}
	if err := c.put("o.dat", dat); err != nil {
		return err
	}
	if err := c.sync(); err != nil {
		return err
	}
	return c.end(newKey)
}

func (c *consumerConversion) sync() error { return c.s.FS.SyncDir(c.dir) }

// plain returns what a file says; nil if there is none.
func (c *consumerConversion) plain(name string) ([]byte, error) {
	data, err := c.s.read(filepath.Join(c.dir, name))
	if data == nil || err != nil {
		return nil, err
	}
	for _, k := range c.old {
		if plain, ok := k.cipher.open(k.seed, data); ok {
			if plain == nil {
				plain = []byte{}
			}
			return plain, nil
		}
	}
	return data, nil
}

// put writes a file anew, and meta.sum with meta.inf.
func (c *consumerConversion) put(name string, plain []byte) (err error) {
	if plain == nil {
		return nil
	}
	data := plain
	if c.next != nil {
		if data, err = c.next.seal(plain, c.s.o.Random); err != nil {
			return err
		}
	}
	if err := c.s.write(filepath.Join(c.dir, name), data); err != nil || name != "meta.inf" {
		return err
	}
	sum := blockio.MetaSum(c.s.o.Stream+"/"+filepath.Base(c.dir), data)
	return c.s.write(filepath.Join(c.dir, "meta.sum"), []byte(sum))
}

// end puts the new key into its place.
func (c *consumerConversion) end(newKey string) error {
	if c.next != nil {
		if err := c.s.FS.Rename(newKey, filepath.Join(c.dir, metaKeyName)); err != nil {
			return err
		}
		return c.sync()
	}
	for _, name := range []string{metaKeyName, metaNewKeyName} {
		if err := ignoreMissing(c.s.FS.Remove(filepath.Join(c.dir, name))); err != nil {
			return err
		}
		if err := c.sync(); err != nil {
			return err
		}
	}
	return nil
}
