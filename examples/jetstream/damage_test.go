package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

var (
	flips    = flag.Int("flips", 40, "bits that TestFlipsBesideTheServer flips in each directory")
	flipSeed = flag.Int64("flips.seed", 1, "which they are")
)

const (
	flipStream    = "FLIPS"
	flipMessages  = 60
	flipBlockSize = 4 << 10
)

// flipped is what flips have cost.
type flipped struct {
	flips, refused, wrong, lost, untold int
	most                                int // lost by one flip
}

// flipReader opens a directory and loads every message. An error is refused. told: the load said damage.
type flipReader func(t *testing.T, dir string, see func(sequence uint64, m *oracle.Stored, told bool)) error

// TestFlipsBesideTheServer flips single bits of block files, and lets the server's store and ours say what is
// left. It prints what it finds; of ours it wants that nothing is wrong and one flip costs one message at most.
func TestFlipsBesideTheServer(t *testing.T) {
	var table strings.Builder
	table.WriteString("| written by | read by | flips | refused | wrong without an error | lost | lost a flip | lost by one, at most | not told of |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, writer := range []struct {
		name  string
		write func(t *testing.T, dir string)
	}{
		{"server", writeByServer},
		{"server, without index.db", func(t *testing.T, dir string) {
			writeByServer(t, dir)
			require.NoError(t, oracle.RemoveIndexFile(dir))
		}},
		{"Millrace", writeByMillrace},
	} {
		dir := filepath.Join(t.TempDir(), flipStream)
		writer.write(t, dir)
		for _, reader := range []struct {
			name string
			read flipReader
		}{{"server", readByServer}, {"Millrace", readByMillrace}} {
			f := flipAll(t, dir, reader.read)
			fmt.Fprintf(&table, "| %s | %s | %d | %d | %d | %d | %.2f | %d | %d |\n", writer.name, reader.name,
				f.flips, f.refused, f.wrong, f.lost, float64(f.lost)/float64(f.flips), f.most, f.untold)
			if reader.name == "Millrace" {
				require.Zero(t, f.refused, writer.name)
				require.LessOrEqual(t, f.most, 1, writer.name)
				if writer.name == "Millrace" { // of the server's records the lengths have no checksum
					require.Zero(t, f.wrong)
					require.Zero(t, f.untold)
				}
			}
		}
	}
	t.Logf("nats-server %s\n%s", oracle.Version(), &table)
}

// flipAll flips one bit after another, each in a copy of the directory.
func flipAll(t *testing.T, dir string, read flipReader) (f flipped) {
	want := make(map[uint64]oracle.Stored)
	intact := filepath.Join(t.TempDir(), flipStream)
	require.NoError(t, oracle.CopyStream(intact, dir))
	require.NoError(t, read(t, intact, func(sequence uint64, m *oracle.Stored, _ bool) {
		require.NotNil(t, m)
		want[sequence] = *m
	}))
	require.Len(t, want, flipMessages)

	blocks, err := filepath.Glob(filepath.Join(dir, "msgs", "*.blk"))
	require.NoError(t, err)
	rng := rand.New(rand.NewSource(*flipSeed))
	for range *flips {
		block := blocks[rng.Intn(len(blocks))]
		data, err := os.ReadFile(block)
		require.NoError(t, err)
		bit := rng.Intn(8 * len(data))
		data[bit/8] ^= 1 << (bit % 8)
		copied := filepath.Join(t.TempDir(), flipStream)
		require.NoError(t, oracle.CopyStream(copied, dir))
		require.NoError(t, os.WriteFile(filepath.Join(copied, "msgs", filepath.Base(block)), data, 0o600))

		f.flips++
		lost := 0
		err = read(t, copied, func(sequence uint64, m *oracle.Stored, told bool) {
			w := want[sequence]
			switch {
			case m == nil:
				lost++
				f.untold += map[bool]int{false: 1}[told]
			case m.Subject != w.Subject || !bytes.Equal(m.Header, w.Header) || !bytes.Equal(m.Payload, w.Payload) || m.Nanos != w.Nanos:
				f.wrong++
			}
		})
		if err != nil {
			f.refused++
			lost = flipMessages
		}
		f.lost += lost
		f.most = max(f.most, lost)
	}
	return f
}

// flipMessage is message i, from 0.
func flipMessage(i int) (subject string, payload []byte) {
	return fmt.Sprintf("flips.%d.%s", i%7, strings.Repeat("s", i%11)), bytes.Repeat([]byte{byte(i), 0x5a}, 20+i*13%90)
}

var flipConfig = server.StreamConfig{Name: flipStream, Subjects: []string{"flips.>"}}

func writeByServer(t *testing.T, dir string) {
	store, err := oracle.OpenLone(dir, flipConfig, flipBlockSize)
	require.NoError(t, err)
	for i := range flipMessages {
		subject, payload := flipMessage(i)
		_, err := store.Store(subject, nil, payload)
		require.NoError(t, err)
	}
	require.NoError(t, store.Stop())
}

func openMillrace(t *testing.T, dir string) (*actors.Store, func()) {
	system := interop.QuietSystem()
	store, err := actors.Open(t.Context(), system, actors.Config{
		Dir: filepath.Dir(dir), Name: flipStream, Subjects: flipConfig.Subjects, BlockSize: flipBlockSize,
	})
	require.NoError(t, err)
	return store, func() {
		require.NoError(t, store.Stop(context.Background()))
		system.Shutdown()
	}
}

func writeByMillrace(t *testing.T, dir string) {
	store, stop := openMillrace(t, dir)
	defer stop()
	for i := range flipMessages {
		subject, payload := flipMessage(i)
		_, err := store.StoreRaw(t.Context(), actors.RawMessage{Subject: subject, Payload: payload, StampNow: true})
		require.NoError(t, err)
	}
}

func readByServer(t *testing.T, dir string, see func(uint64, *oracle.Stored, bool)) error {
	store, err := oracle.OpenLone(dir, flipConfig, flipBlockSize)
	if err != nil {
		return err
	}
	for sequence := uint64(1); sequence <= flipMessages; sequence++ {
		m, err := store.Load(sequence)
		if err != nil {
			see(sequence, nil, !errors.Is(err, server.ErrStoreMsgNotFound) && !errors.Is(err, server.ErrStoreEOF))
			continue
		}
		see(sequence, &m, false)
	}
	return store.Stop()
}

func readByMillrace(t *testing.T, dir string, see func(uint64, *oracle.Stored, bool)) error {
	store, stop := openMillrace(t, dir)
	defer stop()
	for sequence := uint64(1); sequence <= flipMessages; sequence++ {
		m, err := store.LoadMsg(t.Context(), sequence)
		if err != nil {
			see(sequence, nil, errors.Is(err, actors.ErrCorrupt))
			continue
		}
		see(sequence, &oracle.Stored{
			Subject: m.Subject, Header: m.HeaderBlock, Payload: m.Payload, Sequence: sequence, Nanos: m.Time.UnixNano(),
		}, false)
	}
	return nil
}
