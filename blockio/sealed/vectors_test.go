package sealed

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	return mustUnhex(s)
}

func mustUnhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// The bytes that nats-server's file store writes with the main key golden-master-key, for stream ENC of account $G.
const (
	vectorPlain   = "28000000010000000000000000002a36fe9c97170500666f6f2e6168656c6c6fc0e1cf7fc19272e828000000020000000000000001002a36fe9c97170500666f6f2e62776f726c64f9876c280e5b1a9e"
	vectorMetaKey = "a848a982ca10f987e44bdf315e53531e1777786a622e76803500c61718555302903c0b39be70720a13f49d366ed895a4dd812c70dc154629b59b02f8c5d974e94e33e61d9855f3b9"
)

var vectors = []struct {
	cipher           Cipher
	key, seed, block string
}{
	{
		ChaCha20,
		"b8eea3faf160f365bbc2c199f4d0548ba09ba15a0a41fa56087f643b5693e5308c37a2f5708be979dbc799d813be65b02ebc8dfc7de135474af1e052347dd5074b7281e0bf95f0ef",
		"392654f8708a5428fe4001f4bb834fd799b7ec2338d37a46eeda68535e7ace88",
		"5a8c3600ad0649df98e769126d27049239fb364320e117aee80c69583b8dcf0ff0ac1980b6e63eeb90216be8686fa60533ebc07f07d253cacceb279109342a8ed32005fc3600d589403708c824250095",
	},
	{
		AES,
		"a63be1694760fd99f3c3e1f6dab7dfa20d26b0f5a38ba8e4ac8749ab36da7aa5e7cbbbffe56fc2073f076aa2d4b64e353ed7d4fc2b5362c67f296df41f136990",
		"d6a1a09874874cf5d935f71db0a5146113a87d970dbed7fd95b1e1e7e7135107",
		"bf0fc33e2f5c7981254cf4f7f43d5f8915ee5b99063320f1943d9fdac89454bd01f38cb0b9909082fd344d2feeec0109eb26e7a134eb8fb060297008d8e863b292c458985410fbb7e829bc076ce9fb28",
	},
}

var vectorKey = ServerKey("$G", "golden-master-key")

func TestKeysOfAServer(t *testing.T) {
	for context, want := range map[string]string{
		"ENC":   "c883d5291dacd74a6d10932af71e93d6249c7d03d1c34a87f5123587aa43a797",
		"ENC:1": "82bd592efad0413439200805abd12c51ab87f86ffe1f1390e8218c3e2f5e1ca9",
	} {
		key, err := vectorKey(context)
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(key))
	}
	secret, err := unwrap(unhex(t, vectorMetaKey), vectorKey, "ENC")
	require.NoError(t, err)
	require.Equal(t, "ef28b324c0742b15034f3ecbeabf5336511bc3072ef797dee06b4ebb1cafcd13", hex.EncodeToString(secret.seed))
	again, err := secret.wrap(vectorKey, "ENC")
	require.NoError(t, err)
	require.Equal(t, vectorMetaKey, hex.EncodeToString(again))
}

// TestBlocksOfAServer: key file and block give the records, from any offset on.
func TestBlocksOfAServer(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.cipher.String(), func(t *testing.T) {
			secret, err := unwrap(unhex(t, v.key), vectorKey, "ENC:1")
			require.NoError(t, err)
			require.Equal(t, v.cipher, secret.cipher)
			require.Equal(t, v.seed, hex.EncodeToString(secret.seed))
			again, err := secret.wrap(vectorKey, "ENC:1")
			require.NoError(t, err)
			require.Equal(t, v.key, hex.EncodeToString(again))
			stream, err := secret.stream()
			require.NoError(t, err)
			block := unhex(t, v.block)
			for from := range block {
				for _, to := range []int{from + 1, len(block)} {
					plain := make([]byte, to-from)
					stream.xor(plain, block[from:to], int64(from))
					require.Equal(t, vectorPlain[2*from:2*to], hex.EncodeToString(plain))
				}
			}
		})
	}
}

// TestBlockFilesOfAServer are read through the file system as what they say.
func TestBlockFilesOfAServer(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.cipher.String(), func(t *testing.T) {
			files := blocktest.NewMemFS()
			require.NoError(t, files.MkdirAll("ENC/msgs"))
			put(t, files, "ENC/msgs/1.key", unhex(t, v.key))
			put(t, files, "ENC/msgs/1.blk", unhex(t, v.block))
			if v.cipher == ChaCha20 {
				put(t, files, "ENC/meta.key", unhex(t, vectorMetaKey))
			}
			s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey})
			require.NoError(t, s.Look())
			data, err := blockio.ReadFile(s, "ENC/msgs/1.blk", 1<<20)
			require.NoError(t, err)
			require.Equal(t, vectorPlain, hex.EncodeToString(data))
		})
	}
}

// TestKeyStreamCarries: the counter of AES goes over all its bytes.
func TestKeyStreamCarries(t *testing.T) {
	nonce := unhex(t, "00000000000000fffffffffffffffffe")
	stream, err := newKeyStream(AES, make([]byte, seedSize), nonce)
	require.NoError(t, err)
	whole := make([]byte, 16*6)
	stream.xor(whole, whole, 0)
	for from := range whole {
		part := make([]byte, len(whole)-from)
		stream.xor(part, part, int64(from))
		require.Equal(t, whole[from:], part)
	}
}

// put writes a file of the real file system.
func put(t *testing.T, files blockio.FS, name string, data []byte) {
	t.Helper()
	file, err := files.OpenFile(name, blockio.ModeReplace)
	require.NoError(t, err)
	if len(data) > 0 {
		_, err = file.WriteAt(data, 0)
		require.NoError(t, err)
	}
	require.NoError(t, file.Sync())
	require.NoError(t, file.Close())
}
