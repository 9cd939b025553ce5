package peers

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestStoresReadEachOthersBlocks that are kept in each way, large enough that ours list their chunks, and snapshots of
// those.
func TestStoresReadEachOthersBlocks(t *testing.T) {
	const messages = 6_000
	for _, kept := range []Kept{KeptPlain, KeptS2, KeptSealed} {
		t.Run(kept.Name, func(t *testing.T) {
			config := actors.Config{BlockSize: 256 << 10}
			if kept.S2 {
				config.Compression = actors.On
			}
			if kept.Sealed {
				config.Key, config.Cipher = keyOf, actors.CipherChaCha20
			}
			ours, theirs := kept.of(millracePeer(Written, config)), NATSKept(NATSDefault, kept)
			// What one has written is opened by the other, and again by the first.
			for _, order := range [][]Peer{{ours, theirs, ours}, {theirs, ours, theirs}} {
				dir := t.TempDir()
				root := func(p Peer) string { // of which the stream is in the same folder
					if p.Name == ours.Name {
						return dir
					}
					return filepath.Join(dir, StreamName)
				}
				var want *answers
				for i, peer := range order {
					store, err := OpenAs[SnapshotStore](peer, root(peer))
					require.NoError(t, err)
					if i == 0 {
						pipeline := store.Pipeline()
						for n := range messages {
							payload := []byte(fmt.Sprintf("%d %s", n, strings.Repeat("order ", n%60)))
							require.NoError(t, pipeline.Submit(t.Context(), Message{Subject: fmt.Sprintf("a.%d.%d", n%4, n%70), Payload: payload}))
						}
						require.NoError(t, pipeline.Drain(t.Context()))
						require.NoError(t, store.Flush(t.Context()))
						require.NoError(t, peer.AwaitIndexes(t.Context(), root(peer)))
					}
					got := ask(t, store, []string{">", "a.1.>", "a.*.7"})
					if want == nil {
						want = got
						require.Equal(t, messages, got.scanned)
					}
					require.Equal(t, want, got, "%s, as number %d", peer.Name, i)
					var snapshot bytes.Buffer
					require.NoError(t, store.Snapshot(t.Context(), &snapshot))
					require.NoError(t, store.Close())
					restored := t.TempDir()
					require.NoError(t, NATSRestore(t.Context(), restored, bytes.NewReader(snapshot.Bytes())))
					plain := kept
					plain.Sealed = false // as snapshots are
					again, err := OpenAs[QueryStore](NATSKept(NATSDefault, plain), restored)
					require.NoError(t, err)
					require.Equal(t, want, ask(t, again, []string{">", "a.1.>", "a.*.7"}), "a snapshot of %s", peer.Name)
					require.NoError(t, again.Close())
				}
			}
		})
	}
}
