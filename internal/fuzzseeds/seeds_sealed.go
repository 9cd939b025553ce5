package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
)

// What a nats-server with the main key golden-master-key writes for the stream ENC of the account $G.
const (
	serverMetaKey = "a848a982ca10f987e44bdf315e53531e1777786a622e76803500c61718555302903c0b39be70720a13f49d366ed895a4dd812c70dc154629b59b02f8c5d974e94e33e61d9855f3b9"
	serverChaCha  = "b8eea3faf160f365bbc2c199f4d0548ba09ba15a0a41fa56087f643b5693e5308c37a2f5708be979dbc799d813be65b02ebc8dfc7de135474af1e052347dd5074b7281e0bf95f0ef"
	serverAES     = "a63be1694760fd99f3c3e1f6dab7dfa20d26b0f5a38ba8e4ac8749ab36da7aa5e7cbbbffe56fc2073f076aa2d4b64e353ed7d4fc2b5362c67f296df41f136990"
	serverBlock   = "5a8c3600ad0649df98e769126d27049239fb364320e117aee80c69583b8dcf0ff0ac1980b6e63eeb90216be8686fa60533ebc07f07d253cacceb279109342a8ed32005fc3600d589403708c824250095"
)

// keyFiles are key files of a block, and the block: see FuzzKeyFile.
func keyFiles() []seed {
	chacha, aes, block := unhex(serverChaCha), unhex(serverAES), unhex(serverBlock)
	var list []seed
	add := func(name string, key, block []byte) { list = append(list, seed{name, []any{key, block}}) }
	add("chacha20", chacha, block)
	add("aes", aes, block)
	add("empty", nil, block)
	add("cut", chacha[:len(chacha)-1], block)
	add("cut-to-the-other-cipher", chacha[:len(aes)], block)
	add("tag-flipped", with(chacha, func(b []byte) { b[len(b)-1] ^= 1 }), block)
	add("of-another-block", unhex(serverMetaKey), block)
	add("block-of-zeros", chacha, make([]byte, 600))
	return list
}

// keyStreams are which bytes are read, and how long the file is: see FuzzKeyStreamAhead.
func keyStreams() []seed {
	var list []seed
	add := func(name string, offset, size, length uint32) {
		list = append(list, seed{name, []any{offset, size, length}})
	}
	add("whole", 0, 128<<10, 128<<10)
	add("beginning", 0, 256<<10, 2<<20)
	add("middle", 256<<10+17, 256<<10, 2<<20)
	add("end-of-the-longest", 8<<20-1000, 1000, 8<<20)
	add("beyond-the-longest", 8<<20-1000, 1001, 8<<20)
	add("longer-than-said", 1<<20, 64<<10, 100)
	return list
}

// otherFiles are files of ours beside encrypted blocks: see FuzzOtherFile.
func otherFiles() []seed {
	valid := sealedFile("msgs/millrace.lost", []byte("what we write"))
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("valid", valid)
	add("head-alone", valid[:48])
	add("head-cut", valid[:20])
	add("of-another-key", with(valid, func(b []byte) { b[44] ^= 1 }))
	add("cipher-unknown", with(valid, func(b []byte) { b[8] = 9 }))
	add("plain", []byte("plain"))
	body := []byte{11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	add("index", sealedFile("msgs/"+blockio.StateFile, blockio.NameSum("ENC").Sum(bytes.Clone(body))))
	h := blockio.NameSum("ENC")
	h.Write(body)
	add("index-plain", h.Sum(body))
	return list
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

// sealedFile returns what a file of an encrypted stream holds that is written with that content, the same each time.
func sealedFile(name string, content []byte) []byte {
	files := blocktest.NewMemFS()
	must(files.MkdirAll("ENC/msgs"))
	must(blockio.ReplaceFile(files, "ENC/meta.key", unhex(serverMetaKey)))
	s := sealed.New(sealed.Options{
		FS: files, Dir: "ENC", Stream: "ENC", Key: sealed.ServerKey("$G", "golden-master-key"), Random: strings.NewReader(strings.Repeat("no chance", 99)),
	})
	must(s.Look())
	if name == "msgs/"+blockio.StateFile {
		h := blockio.NameSum("ENC")
		h.Write(content[:len(content)-8])
		content = h.Sum(bytes.Clone(content[:len(content)-8]))
	}
	must(blockio.ReplaceFile(s, "ENC/"+name, content))
	data, err := blockio.ReadFile(files, "ENC/"+name, 1<<20)
	must(err)
	return data
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("fuzzseeds: %v", err))
	}
}
