package actors

import (
	"flag"
)

var encryptAll = flag.Bool("encrypt.all", false, "encrypt the streams of all random tests, and not of half of them")

// EncryptAll tells that tests of encryption leave out nothing.
func EncryptAll() bool { return *encryptAll }

// EncryptSome encrypts the stream of a random test for half of the seeds, with either cipher.
func EncryptSome(c *Config, seed uint64) {
	if seed%2 == 0 && !*encryptAll {
		return
	}
	c.Key, c.Cipher = ServerKey("$G", "a key for tests"), CipherChaCha20
	if seed/2%2 == 1 {
		c.Cipher = CipherAES
	}
}
