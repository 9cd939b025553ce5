package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestVerify(t *testing.T) {
	dir := stopped(t, nil)
	require.Contains(t, done(t, "verify", dir), "sound; 250 messages")
	require.True(t, lines[verdict](t, done(t, "verify", "--json", dir))[0].Sound)
	flip(t, filepath.Join(dir, "msgs", "2.blk"))
	out, _, code := inspect(t, "verify", "--color", "never", dir)
	require.Equal(t, exitDamaged, code)
	require.Contains(t, out, "2.blk")
	require.Contains(t, out, "DAMAGED in 1 places, 1 messages lost")
	out, _, code = inspect(t, "verify", "--json", dir)
	require.Equal(t, exitDamaged, code)
	require.Equal(t, 2, strings.Count(out, "\n"))
	out, errOut, code := inspect(t, "dump", dir)
	require.Equal(t, exitDamaged, code)
	require.Equal(t, 249, strings.Count(out, "\n"), "what is sound is written all the same")
	require.Contains(t, errOut, "damaged:")
	_, _, code = inspect(t, "blocks", dir)
	require.Equal(t, exitDamaged, code)
	_, errOut, code = inspect(t, "verify", t.TempDir())
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no stream is in")
}

// flip changes a byte of the payload of the third message in a block.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	at := 0
	for range 3 {
		at += 1 + bytes.Index(data[at+1:], []byte(`{"order"`))
	}
	data[at] ^= 0xff
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// TestRepair: what is damaged is noted, what is cut is kept, and nothing happens without --write.
func TestRepair(t *testing.T) {
	dir := stopped(t, nil)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "msgs", "index.db")))
	last := lastBlock(t, dir)
	flip(t, filepath.Join(dir, "msgs", "2.blk"))
	data, err := os.ReadFile(last)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(last, data[:len(data)-5], 0o600)) // as a crash leaves it
	require.NoError(t, os.Remove(filepath.Join(dir, "msgs", "millrace.end")))
	before := treeOf(t, dir)
	out, _, code := inspect(t, "repair", dir)
	require.Equal(t, exitDamaged, code)
	require.Contains(t, out, "nothing was changed")
	require.Equal(t, before, treeOf(t, dir))
	out = done(t, "repair", "--write", dir)
	require.Contains(t, out, "250 messages; 1 are noted as lost") // the removal that was cut off has not happened
	require.Contains(t, out, "kept: lost+found")
	out, _, code = inspect(t, "dump", dir)
	require.Equal(t, exitDamaged, code, "the block is as it was")
	require.Equal(t, 250, strings.Count(out, "\n"))
	done(t, "backup", dir, filepath.Join(t.TempDir(), "file"))
}

func lastBlock(t *testing.T, dir string) string {
	t.Helper()
	list := lines[block](t, done(t, "blocks", "--json", dir))
	return filepath.Join(dir, "msgs", fmt.Sprint(list[len(list)-1].Block, ".blk"))
}

// TestRepairMakesAConfiguration, if it is asked to.
func TestRepairMakesAConfiguration(t *testing.T) {
	dir := stopped(t, nil)
	for _, name := range []string{"meta.inf", "meta.sum"} {
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	_, errOut, code := inspect(t, "repair", "--write", dir)
	require.Equal(t, exitDamaged, code)
	require.Contains(t, errOut, "--recreate-meta")
	done(t, "repair", "--write", "--recreate-meta", dir)
	require.Contains(t, done(t, "info", dir), "250 of 5 subjects")
}

func TestBackupAndRestore(t *testing.T) {
	dir := stopped(t, func(c *actors.Config) { c.MaxMsgs = 1000 })
	scratch := t.TempDir()
	config := filepath.Join(scratch, "config.json")
	require.NoError(t, os.WriteFile(config, []byte(`{"name":"ORDERS","subjects":["orders.>"],"max_msgs":1000,"retention":"limits","storage":"file","num_replicas":1}`), 0o600))
	for _, form := range []string{"snapshot", "archive"} {
		file := filepath.Join(scratch, form)
		require.Contains(t, done(t, "backup", "--form", form, dir, file), "250 messages")
		_, errOut, code := inspect(t, "backup", dir, file)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errOut, "is there already")
		root := t.TempDir()
		if form == "archive" {
			_, errOut, code = inspect(t, "restore", file, root)
			require.Equal(t, exitUsage, code)
			require.Contains(t, errOut, "--name")
			done(t, "restore", "--name", "ORDERS", "--config", config, file, root)
		} else {
			done(t, "restore", file, root)
		}
		copied := filepath.Join(root, "ORDERS")
		require.Contains(t, done(t, "diff", dir, copied), "250 messages are the same, 0 differ")
		require.Contains(t, done(t, "info", copied), "1000 messages")
		_, _, code = inspect(t, "restore", "--name", "ORDERS", file, root)
		require.Equal(t, exitFailed, code, "it is there")
	}
	entries, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Len(t, entries, 3, "nothing is left beside the files")
	_, _, code := inspect(t, "restore", config, t.TempDir())
	require.Equal(t, exitFailed, code)
}

// TestABackupThatFailsLeavesNoFile.
func TestABackupThatFailsLeavesNoFile(t *testing.T) {
	dir := stopped(t, nil)
	flip(t, filepath.Join(dir, "msgs", "2.blk"))
	scratch := t.TempDir()
	_, _, code := inspect(t, "backup", dir, filepath.Join(scratch, "file"))
	if code == exitDone { // the reader knew of the loss when it had opened the stream
		return
	}
	require.Equal(t, exitDamaged, code)
	entries, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestDiff(t *testing.T) {
	first, second := stopped(t, nil), stopped(t, nil)
	out, _, code := inspect(t, "diff", "-n", "3", first, second)
	require.Equal(t, exitDamaged, code)
	require.Contains(t, out, "time, ", "they were stored at other times")
	require.Contains(t, out, "0 messages are the same, 250 differ")
	require.Equal(t, 4, strings.Count(out, "\n"))
	root := t.TempDir()
	file := filepath.Join(t.TempDir(), "file")
	done(t, "backup", first, file)
	done(t, "restore", file, root)
	copied := filepath.Join(root, "ORDERS")
	done(t, "purge", "-s", "orders.3", copied)
	list, _, code := inspect(t, "diff", "--json", "-n", "0", first, copied)
	require.Equal(t, exitDamaged, code)
	different := lines[difference](t, list)
	require.Len(t, different, 51)
	require.Equal(t, difference{4, "only in the first", "orders.3"}, different[0])
	_, _, code = inspect(t, "diff", copied, first)
	require.Equal(t, exitDamaged, code)
}

func TestPurge(t *testing.T) {
	dir := stopped(t, nil)
	_, errOut, code := inspect(t, "purge", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errOut, "say what to remove")
	require.Contains(t, done(t, "purge", "--below", "51", dir), "removed 50 messages, 200 are left")
	require.Contains(t, done(t, "purge", "-s", "orders.1", "--keep", "2", dir), "removed 38 messages, 162 are left")
	require.Contains(t, done(t, "purge", "--all", dir), "0 are left")
	require.Contains(t, done(t, "info", dir), "sequences   301 to 300")
	_, _, code = inspect(t, "purge", "--all", filepath.Join(dir, "nothing"))
	require.Equal(t, exitFailed, code)
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no stream is made")
}

func TestCompact(t *testing.T) {
	dir := stopped(t, nil)
	done(t, "purge", "-s", "orders.1", "-s", "orders.2", "-s", "orders.3", dir)
	before := lines[block](t, done(t, "blocks", "--json", dir))
	require.Contains(t, done(t, "compact", dir), "blocks took")
	after := lines[block](t, done(t, "blocks", "--json", dir))
	for i, b := range after[:len(after)-2] {
		require.Less(t, b.Size, before[i].Size, "block %d", b.Block)
	}
	require.Len(t, lines[written](t, done(t, "dump", "--json", dir)), 100)
	_, _, code := inspect(t, "compact", "--below", "0", dir)
	require.Equal(t, exitUsage, code)
}

func TestConvert(t *testing.T) {
	dir, s := orders(t, nil)
	_, err := s.StoreMsg(t.Context(), "orders.1", nil, nil) // in the last block, so that no other one is alone with the last sequence
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	before := done(t, "dump", "--json", dir)
	done(t, "convert", "--s2", dir)
	for _, b := range lines[block](t, done(t, "blocks", "--json", dir)) {
		require.Equal(t, b.Full, b.Compressed)
	}
	keys := t.TempDir()
	first, second := filepath.Join(keys, "first"), filepath.Join(keys, "second")
	require.NoError(t, os.WriteFile(first, []byte("s3cret\n"), 0o600))
	require.NoError(t, os.WriteFile(second, []byte("0ther"), 0o600))
	done(t, "convert", "--new-key-file", first, dir)
	_, errOut, code := inspect(t, "dump", dir)
	require.Equal(t, exitRefused, code)
	require.Contains(t, errOut, "encrypted")
	require.Equal(t, before, done(t, "dump", "--json", "--key-file", first, dir))
	done(t, "convert", "--key-file", first, "--new-key-file", second, "--cipher", "aes", dir)
	_, _, code = inspect(t, "dump", "--key-file", first, dir)
	require.Equal(t, exitRefused, code)
	require.Equal(t, before, done(t, "dump", "--json", "--key-file", second, dir))
	_, _, code = inspect(t, "convert", dir)
	require.Equal(t, exitUsage, code)
}

func TestBench(t *testing.T) {
	root := t.TempDir()
	b := lines[benchmark](t, done(t, "bench", "--json", "--messages", "500", "--writers", "8", root))[0]
	require.Positive(t, b.Rate)
	require.Positive(t, b.ReadRate)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Contains(t, done(t, "bench", "--messages", "50", "--sync", "never", root), "50 messages of 256 bytes")
}

// TestTailFollows what an owner stores, and ends when it is interrupted.
func TestTailFollows(t *testing.T) {
	dir, s := orders(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{wanted: make(chan struct{}, 1000)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"tail", "-f", "-n", "2", "--every", "10ms", dir}, strings.NewReader(""), out, out)
	}()
	out.await(t, 2)
	for i := range 5 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("more.", i), nil, []byte("more"))
		require.NoError(t, err)
		out.await(t, 3+i)
	}
	cancel()
	require.Equal(t, exitDone, <-ended)
	require.Contains(t, out.String(), "more.4")
	require.Contains(t, out.String(), "300 ")
	require.NotContains(t, out.String(), "298 ")
}

// watched is output that is waited for.
type watched struct {
	mu     sync.Mutex
	b      strings.Builder
	wanted chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted <- struct{}{}
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// await waits for so many lines.
func (w *watched) await(t *testing.T, lines int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for strings.Count(w.String(), "\n") < lines {
		select {
		case <-w.wanted:
		case <-deadline:
			require.Fail(t, "no more came", w.String())
		}
	}
}

// TestUsage: what is wrong is named, with exit code 2, and every command has help.
func TestUsage(t *testing.T) {
	out := done(t, "--help")
	for _, command := range []string{"ls", "info", "blocks", "subjects", "dump", "grep", "tail", "verify", "repair", "diff", "backup", "restore", "compact", "purge", "convert", "bench", "completion"} {
		require.Contains(t, out, command)
		require.NotEmpty(t, done(t, command, "--help"))
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, done(t, "completion", shell), "inspect")
	}
	require.Contains(t, done(t, "--version"), "Millrace inspect")
	for _, arguments := range [][]string{{"info"}, {"info", "a", "b"}, {"dump", "--bad", "x"}, {"--color=blue", "ls", "."}, {"ls"}} {
		_, errOut, code := inspect(t, arguments...)
		require.Equal(t, exitUsage, code, "%v: %s", arguments, errOut)
		require.NotEmpty(t, errOut)
	}
	_, errOut, code := inspect(t, "nothing")
	require.NotZero(t, code)
	require.Contains(t, errOut, "nothing")
	require.Contains(t, done(t, "dump", "--color=always", "-n", "1", stopped(t, nil)), "\x1b[")
}
