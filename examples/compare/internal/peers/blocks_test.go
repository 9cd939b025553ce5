package peers

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFirstSequencesOfRealStores fills more than one block of each store.
func TestFirstSequencesOfRealStores(t *testing.T) {
	for _, peer := range []Peer{NATS(NATSAsync), Millrace(Buffered)} {
		t.Run(peer.Name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := OpenAs[QueryStore](peer, dir)
			require.NoError(t, err)
			pipeline, payload := store.Pipeline(), make([]byte, 64<<10)
			for range 300 { // 18.75 MiB, blocks have 8
				require.NoError(t, pipeline.Submit(t.Context(), Message{Subject: "a.b", Payload: payload}))
			}
			require.NoError(t, pipeline.Drain(t.Context()))
			require.NoError(t, store.Flush(t.Context()))
			require.NoError(t, store.Close())

			sequences, err := FirstSequences(peer.StreamDir(dir))
			require.NoError(t, err)
			require.Len(t, sequences, 3)
			require.EqualValues(t, 1, sequences[0])
			require.Greater(t, sequences[2], sequences[1])
			require.Less(t, sequences[2], uint64(300))

			again, err := OpenAs[QueryStore](peer, dir)
			require.NoError(t, err)
			defer func() { require.NoError(t, again.Close()) }()
			reader := again.Reader()
			for _, sequence := range sequences {
				size, err := reader.Load(context.Background(), sequence)
				require.NoError(t, err)
				require.Equal(t, len(payload), size)
			}
		})
	}
}

func TestFirstSequenceSkipsWhatIsNoMessage(t *testing.T) {
	record := func(sequence uint64) []byte {
		bytes := make([]byte, 30)
		binary.LittleEndian.PutUint32(bytes, 30)
		binary.LittleEndian.PutUint64(bytes[4:], sequence)
		return bytes
	}
	for name, c := range map[string]struct {
		content []byte
		want    uint64
	}{
		"empty":          {nil, 0},
		"zeros":          {make([]byte, 4096), 0},
		"a message":      {record(7), 7},
		"behind a mark":  {append(record(1<<62), record(9)...), 9},
		"behind a skip":  {append(record(1<<63|8), record(9)...), 9},
		"no message":     {record(1<<63 | 8), 0},
		"mark and zeros": {append(record(1<<62), make([]byte, 4096)...), 0},
	} {
		path := filepath.Join(t.TempDir(), "1.blk")
		require.NoError(t, os.WriteFile(path, c.content, 0o600))
		got, err := firstSequence(path)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	path := filepath.Join(t.TempDir(), "1.blk")
	require.NoError(t, os.WriteFile(path, append(binary.LittleEndian.AppendUint32(nil, 5), make([]byte, 30)...), 0o600))
	_, err := firstSequence(path)
	require.Error(t, err)
}
