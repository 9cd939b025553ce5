package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// cliRun runs the program, and returns what it says.
func cliRun(t *testing.T, arguments ...string) (exit int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	exit = run(t.Context(), arguments, &o, &e)
	return exit, o.String(), e.String()
}

// servedStorage is the storage directory of a server, with the streams ORDERS and EVENTS.
func servedStorage(t *testing.T, options ...oracle.Option) string {
	t.Helper()
	dir := t.TempDir()
	s, err := oracle.Start(dir, options...)
	require.NoError(t, err)
	defer s.Stop()
	for _, name := range []string{"ORDERS", "EVENTS"} {
		require.NoError(t, s.CreateStream(server.StreamConfig{
			Name: name, Subjects: []string{strings.ToLower(name) + ".>"}, Compression: server.S2Compression}, 4<<10))
		for i := range 100 {
			_, err := s.JetStream().Publish(fmt.Sprintf("%s.%d", strings.ToLower(name), i%7), bytes.Repeat([]byte{byte(i)}, 150))
			require.NoError(t, err)
		}
		require.NoError(t, s.JetStream().DeleteMsg(name, 50))
	}
	return dir
}

// flipBlocks flips bits of a block of a stream that is not compressed.
func flipBlock(t *testing.T, storeDir, stream string) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(oracle.StreamDir(storeDir, stream), "msgs", "*.blk"))
	require.NoError(t, err)
	for _, block := range blocks {
		data, err := os.ReadFile(block)
		require.NoError(t, err)
		data[len(data)/2] ^= 4
		require.NoError(t, os.WriteFile(block, data, 0o600))
	}
}

func TestTheProgramListsAndChecks(t *testing.T) {
	t.Parallel()
	store := servedStorage(t)
	before := listing(t, store)
	for _, dir := range []string{store, filepath.Join(store, "jetstream"), filepath.Join(store, "jetstream", "$G")} {
		exit, out, _ := cliRun(t, "list", "-store", dir, "-count")
		require.Equal(t, exitDone, exit)
		require.Contains(t, out, "$G EVENTS: ")
		require.Contains(t, out, "$G ORDERS: ")
		require.Contains(t, out, "subjects orders.>, s2")
		require.Contains(t, out, "99 messages of 7 subjects")
	}
	exit, out, progress := cliRun(t, "check", "-store", store, "ORDERS")
	require.Equal(t, exitDone, exit, progress)
	require.Contains(t, out, "ORDERS: 99 messages of 7 subjects")
	require.Contains(t, progress, "blocks verified: ")
	require.Equal(t, before, listing(t, store), "nothing was changed")

	flipBlock(t, store, "ORDERS")
	exit, out, errOut := cliRun(t, "check", "-store", store, "ORDERS")
	require.Equal(t, exitDamaged, exit)
	require.Contains(t, out, "damage: ")
	require.Contains(t, errOut, "damaged")
}

func TestTheProgramCopies(t *testing.T) {
	t.Parallel()
	store, to := servedStorage(t), filepath.Join(t.TempDir(), "streams")
	before := listing(t, store)
	exit, out, errOut := cliRun(t, "copy", "-store", store, "-to", to, "-dry-run", "ORDERS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "would copy")
	require.NoDirExists(t, to)

	exit, out, errOut = cliRun(t, "copy", "-store", store, "-to", to, "ORDERS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "copied ORDERS: 99 messages of 7 subjects")
	require.Contains(t, errOut, "messages compared: 99 of 99")
	require.Equal(t, before, listing(t, store), "the server's files were only read")
	entries, err := os.ReadDir(to)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left")

	for _, more := range [][]string{nil, {"-dry-run"}} {
		exit, _, errOut = cliRun(t, append(append([]string{"copy", "-store", store, "-to", to}, more...), "ORDERS")...)
		require.Equal(t, exitFailed, exit)
		require.Contains(t, errOut, "it exists already")
	}
	exit, out, errOut = cliRun(t, "verify", "-streams", to)
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "agree: 99 messages")
}

func TestTheProgramTakesOver(t *testing.T) {
	t.Parallel()
	store := servedStorage(t)
	before := listing(t, store)
	exit, out, errOut := cliRun(t, "adopt", "-store", store, "-dry-run", "EVENTS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "would take over")
	require.Equal(t, before, listing(t, store))

	exit, out, errOut = cliRun(t, "adopt", "-store", store, "EVENTS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "took over EVENTS: 99 messages of 7 subjects")
	require.FileExists(t, filepath.Join(oracle.StreamDir(store, "EVENTS"), "millrace.lock"))

	s, err := oracle.Start(store)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	state, err := s.State(t.Context(), "EVENTS")
	require.NoError(t, err)
	require.EqualValues(t, 99, state.Messages)
}

func TestTheProgramSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	store := servedStorage(t)
	for _, row := range []struct {
		arguments []string
		exit      int
		says      string
	}{
		{nil, exitUsage, "Exit codes"},
		{[]string{"move"}, exitUsage, `no command "move"`},
		{[]string{"check", "-store", store}, exitUsage, "STREAM"},
		{[]string{"check", "ORDERS"}, exitUsage, "-store is missing"},
		{[]string{"check", "-nonsense"}, exitUsage, "nonsense"},
		{[]string{"copy", "-store", store, "ORDERS"}, exitUsage, "-to is missing"},
		{[]string{"check", "-store", store, "ORDER"}, exitFailed, "no stream ORDER in"},
		{[]string{"check", "-store", store, "-account", "A", "ORDERS"}, exitFailed, "no stream ORDERS in"},
		{[]string{"list", "-store", filepath.Join(store, "nowhere")}, exitFailed, "no such file"},
		{[]string{"list", "-store", t.TempDir()}, exitFailed, "neither the storage directory"},
		{[]string{"check", "-store", store, "-key-file", filepath.Join(store, "key"), "ORDERS"}, exitFailed, "no such file"},
		{[]string{"help"}, exitDone, ""},
		{[]string{"copy", "-h"}, exitDone, "the folder of Millrace's streams"},
	} {
		exit, _, errOut := cliRun(t, row.arguments...)
		require.Equal(t, row.exit, exit, "%v: %s", row.arguments, errOut)
		require.Contains(t, errOut, row.says, "%v", row.arguments)
	}
	for _, version := range []string{"version", "--version"} {
		exit, out, errOut := cliRun(t, version)
		require.Equal(t, exitDone, exit)
		require.Regexp(t, `^jetstream of Millrace, \S+ \(revision `, out)
		require.Empty(t, errOut)
	}
	twice := filepath.Join(store, "jetstream", "OTHER", "streams", "ORDERS")
	require.NoError(t, oracle.CopyStream(twice, oracle.StreamDir(store, "ORDERS")))
	exit, _, errOut := cliRun(t, "check", "-store", store, "ORDERS")
	require.Equal(t, exitFailed, exit)
	require.Contains(t, errOut, "-account: $G, OTHER")
	exit, _, errOut = cliRun(t, "check", "-store", store, "-account", "OTHER", "ORDERS")
	require.Equal(t, exitDone, exit, errOut)
}
