package blockio

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

type goldenStore struct {
	Stream string
	Case   string
	State  struct {
		Messages uint64
		Bytes    uint64
		FirstSeq uint64 `json:"first_seq"`
		LastSeq  uint64 `json:"last_seq"`
		Deleted  []uint64
		Lost     *struct{ Bytes int64 }
	}
	Msgs []struct {
		Seq     uint64
		Subject string
		TS      string `json:"ts_ns"`
		Msg     string
		Hdr     string
	}
}

func readGolden(t testing.TB, name string) (goldenStore, *Blocks) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", name, "expected.json"))
	require.NoError(t, err)
	var store goldenStore
	require.NoError(t, json.Unmarshal(raw, &store))
	dir := filepath.Join("testdata", "golden", name, "streams", store.Stream)
	return store, NewBlocks(OS, dir, store.Stream, BlocksOptions{})
}

type keptMessage struct{ subject, header, payload, time string }

// TestGoldenStores reads stores that nats-server wrote, with what is needed of
// recovery to compare the messages.
func TestGoldenStores(t *testing.T) {
	for _, name := range []string{"basic", "headers", "deletes", "multi-block", "corrupted-tail", "first-seq", "empty", "purged"} {
		t.Run(name, func(t *testing.T) {
			store, blocks := readGolden(t, name)
			list, err := blocks.List()
			require.NoError(t, err)
			require.NotEmpty(t, list)
			live := make(map[uint64]keptMessage)
			last, size, lostBytes := uint64(0), make(map[uint64]int), int64(0)
			var tombstones []uint64
			for i, info := range list {
				data, err := blocks.ReadAll(info.ID, nil)
				require.NoError(t, err)
				require.Equal(t, info.Size, int64(len(data)))
				scan := ScanBlock(blocks.Path(info.ID), info.ID, blocks.Codec(info.ID), data, i == len(list)-1,
					func(_ int64, r Record) {
						switch r.Kind {
						case KindMessage:
							live[r.Sequence] = keptMessage{string(r.Subject), string(r.Header), string(r.Payload), strconv.FormatInt(r.Time, 10)}
							size[r.Sequence] = r.Size
							last = r.Sequence
						case KindSkip, KindErased:
							last = r.Sequence
						case KindTombstone:
							tombstones = append(tombstones, r.Sequence)
							last = max(last, r.Sequence)
						}
					})
				require.Zero(t, scan.DamageCount)
				lostBytes += scan.CutTo - scan.CutFrom
				require.Equal(t, name == "corrupted-tail" && i == len(list)-1, scan.Torn)
			}
			for _, sequence := range tombstones {
				delete(live, sequence)
				delete(size, sequence)
			}
			require.Equal(t, store.State.LastSeq, last)
			require.Len(t, live, int(store.State.Messages))
			require.Len(t, live, len(store.Msgs))
			total := 0
			for _, want := range store.Msgs {
				payload, err := base64.StdEncoding.DecodeString(want.Msg)
				require.NoError(t, err)
				header, err := base64.StdEncoding.DecodeString(want.Hdr)
				require.NoError(t, err)
				require.Equal(t, keptMessage{want.Subject, string(header), string(payload), want.TS}, live[want.Seq], "sequence %d", want.Seq)
				total += size[want.Seq]
			}
			require.Equal(t, store.State.Bytes, uint64(total))
			if store.State.Lost != nil {
				require.Equal(t, store.State.Lost.Bytes, lostBytes)
			}
			_, err = ReadMeta(OS, filepath.Dir(blocks.Dir()), store.Stream)
			require.NoError(t, err)
		})
	}
}

// TestGoldenBlocksAreWrittenAlike encodes what was decoded and compares.
func TestGoldenBlocksAreWrittenAlike(t *testing.T) {
	for _, name := range []string{"basic", "headers", "deletes", "multi-block"} {
		_, blocks := readGolden(t, name)
		list, err := blocks.List()
		require.NoError(t, err)
		for _, info := range list {
			data, err := blocks.ReadAll(info.ID, nil)
			require.NoError(t, err)
			key := blocks.Codec(info.ID)
			var out []byte
			scan := ScanBlock(blocks.Path(info.ID), info.ID, key, data, false, func(offset int64, r Record) {
				switch r.Kind {
				case KindMessage:
					out = key.AppendMessage(out, r.Sequence, r.Time, string(r.Subject), r.Header, r.Payload)
				case KindSkip:
					out = key.AppendSkip(out, r.Sequence, r.Time)
				case KindTombstone:
					out = key.AppendTombstone(out, r.Sequence, r.Time)
				default: // the erased one: its content is random
					out = append(out, data[offset:int(offset)+r.Size]...)
				}
			})
			require.Equal(t, BlockScan{End: int64(len(data))}, scan)
			require.Equal(t, data, out)
		}
	}
}
