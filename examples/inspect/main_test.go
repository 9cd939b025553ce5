package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// inspect runs a command line, and returns what it wrote and the exit code.
func inspect(t *testing.T, arguments ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), arguments, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), code
}

// done runs a command line that has to succeed, and returns what it wrote.
func done(t *testing.T, arguments ...string) string {
	t.Helper()
	out, errOut, code := inspect(t, arguments...)
	require.Equal(t, exitDone, code, "%v: %s%s", arguments, out, errOut)
	return out
}

// open opens a stream as its owner.
func open(t *testing.T, config actors.Config) *actors.Store {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	s, err := actors.Open(t.Context(), system, config)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.Stop(context.Background())
		system.Shutdown()
	})
	return s
}

// orders makes a stream of orders, some of them removed, and returns its directory and the store that has it open.
func orders(t *testing.T, with func(*actors.Config)) (dir string, s *actors.Store) {
	t.Helper()
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Subjects: []string{"orders.>"}, BlockSize: 8 << 10, CompactBelow: -1}
	if with != nil {
		with(&config)
	}
	s = open(t, config)
	for i := range 300 {
		payload := []byte(fmt.Sprintf(`{"order":%d,"what":"%s"}`, i+1, strings.Repeat("flour ", 10)))
		header := actors.Header(nil)
		switch {
		case i%10 == 3:
			header = actors.Header{"Trace": {fmt.Sprint("t", i)}}
		case i == 42:
			payload = []byte{0xff, 0, 0xfe}
		}
		_, err := s.StoreMsg(t.Context(), fmt.Sprintf("orders.%d", i%5), header, payload)
		require.NoError(t, err)
	}
	for sequence := uint64(101); sequence <= 150; sequence++ {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	return filepath.Join(config.Dir, "ORDERS"), s
}

// stopped is orders with the store stopped.
func stopped(t *testing.T, with func(*actors.Config)) string {
	t.Helper()
	dir, s := orders(t, with)
	require.NoError(t, s.Stop(t.Context()))
	return dir
}

// treeOf is one text as long as nothing in a directory changes: names, bytes and times.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		fmt.Fprint(&b, path, info.ModTime(), info.Mode())
		if !info.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			fmt.Fprintf(&b, "%x", sha256.Sum256(data))
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

// lines reads what was written with --json.
func lines[T any](t *testing.T, out string) (list []T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(out))
	for decoder.More() {
		var v T
		require.NoError(t, decoder.Decode(&v), out)
		list = append(list, v)
	}
	return list
}

// TestLookingChangesNothing: no byte, no name, no time, whatever is looked at.
func TestLookingChangesNothing(t *testing.T) {
	dir := stopped(t, nil)
	root := filepath.Dir(dir)
	before := treeOf(t, root)
	for _, arguments := range [][]string{
		{"ls", root}, {"info", dir}, {"blocks", dir}, {"subjects", dir}, {"dump", dir}, {"grep", "order", dir}, {"tail", dir},
		{"verify", dir}, {"repair", dir}, {"diff", dir, dir}, {"backup", dir, "-"}, {"backup", "--form", "archive", dir, "-"},
	} {
		for _, form := range [][]string{{"--json"}, {"--color=always"}, nil} {
			done(t, append(form, arguments...)...)
		}
	}
	require.Equal(t, before, treeOf(t, root))
}

// TestLookingBesideAnOwner: the same, with a store that has the stream open.
func TestLookingBesideAnOwner(t *testing.T) {
	dir, s := orders(t, nil)
	for _, arguments := range [][]string{{"info"}, {"blocks"}, {"subjects"}, {"dump"}, {"verify"}, {"tail"}} {
		done(t, append(arguments, dir)...)
	}
	_, errOut, code := inspect(t, "purge", "--all", dir)
	require.Equal(t, exitRefused, code)
	require.Contains(t, errOut, "this process")
	_, err := s.StoreMsg(t.Context(), "orders.1", nil, nil)
	require.NoError(t, err)
}

func TestLs(t *testing.T) {
	dir := stopped(t, nil)
	root := filepath.Dir(dir)
	other := open(t, actors.Config{Dir: filepath.Join(root, "deep", "er"), Name: "OTHER"})
	require.NoError(t, other.Stop(t.Context()))
	list := lines[listed](t, done(t, "ls", "--json", root))
	require.Len(t, list, 2)
	require.Equal(t, dir, list[0].Stream)
	require.EqualValues(t, 250, list[0].Messages)
	require.EqualValues(t, 300, list[0].Last)
	require.EqualValues(t, 5, list[0].Subjects)
	require.Positive(t, list[0].Disk)
	require.Contains(t, done(t, "ls", root), filepath.Join("deep", "er", "OTHER"))
	require.Equal(t, append(list, list...), lines[listed](t, done(t, "ls", "--json", root, root)), "several roots, as of a pattern of the shell")
	require.NoError(t, os.Rename(dir, filepath.Join(root, "RENAMED")))
	out, _, code := inspect(t, "ls", root)
	require.Equal(t, exitDamaged, code)
	require.Contains(t, out, "OTHER")
	require.Contains(t, out, "RENAMED", "one that cannot be opened does not end the list")
	empty := t.TempDir()
	require.Contains(t, done(t, "ls", empty), "no stream is below")
}

func TestInfo(t *testing.T) {
	dir := stopped(t, func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer, c.Compression = 5000, 100, actors.On })
	i := lines[information](t, done(t, "info", "--json", dir))[0]
	require.Equal(t, "ORDERS", i.Stream)
	require.EqualValues(t, 250, i.Messages)
	require.EqualValues(t, 50, i.Deleted)
	require.Equal(t, limits{Messages: 5000, PerSubject: 100, Discard: "old"}, i.Limits)
	require.True(t, i.Compressed)
	require.NotEmpty(t, i.FirstTime)
	text := done(t, "info", dir)
	require.Contains(t, text, "5000 messages, 100 messages of a subject; discards old")
	require.Contains(t, text, "listens to  orders.>")
}

func TestBlocks(t *testing.T) {
	dir := stopped(t, nil)
	list := lines[block](t, done(t, "blocks", "--json", dir))
	require.Greater(t, len(list), 3)
	messages := uint64(0)
	for _, b := range list {
		messages += b.Messages
	}
	require.EqualValues(t, 250, messages)
	text := done(t, "blocks", dir)
	require.Contains(t, text, "takes records")
	require.Contains(t, text, "####")
	require.Contains(t, text, "250 messages")
	path := filepath.Join(t.TempDir(), "map.svg")
	done(t, "blocks", "--svg", path, dir)
	svg, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, len(list), strings.Count(string(svg), "<title>block "))
	_, errOut, code := inspect(t, "blocks", "--svg", path, dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "--force")
}

func TestSubjects(t *testing.T) {
	dir := stopped(t, nil)
	list := lines[subject](t, done(t, "subjects", "--json", dir))
	require.Len(t, list, 5)
	require.Equal(t, subject{"orders.0", 50, 1, 296}, list[0])
	require.Len(t, lines[subject](t, done(t, "subjects", "--json", dir, "orders.1", "orders.3")), 2)
	require.Equal(t, "orders.4", lines[subject](t, done(t, "subjects", "--json", "--by", "last", "-n", "1", dir))[0].Subject)
	require.Contains(t, done(t, "subjects", "-n", "2", dir), "and 3 more")
	_, _, code := inspect(t, "subjects", "--by", "size", dir)
	require.Equal(t, exitUsage, code)
}

func TestDump(t *testing.T) {
	dir := stopped(t, nil)
	all := lines[written](t, done(t, "dump", "--json", dir))
	require.Len(t, all, 250)
	require.Equal(t, map[string][]string{"Trace": {"t3"}}, all[3].Headers)
	require.Nil(t, all[42].Data)
	require.Equal(t, []byte{0xff, 0, 0xfe}, all[42].Binary)
	some := lines[written](t, done(t, "dump", "--json", "--parse", "--from", "90", "--to", "160", "-s", "orders.4", dir))
	require.Len(t, some, 5)
	require.EqualValues(t, 90, some[0].Sequence)
	require.JSONEq(t, fmt.Sprintf(`{"order":90,"what":"%s"}`, strings.Repeat("flour ", 10)), string(some[0].JSON))
	require.Len(t, lines[written](t, done(t, "dump", "--json", "-n", "7", dir)), 7)
	require.Len(t, lines[written](t, done(t, "dump", "--json", "--since", "1h", dir)), 250)
	require.Empty(t, done(t, "dump", "--until", "1h", dir))
	require.Equal(t, 3, strings.Count(done(t, "dump", "--raw", "-n", "3", dir), "\n"))
	require.Contains(t, done(t, "dump", "--from", "43", "-n", "1", dir), "(3 bytes) ff 00 fe")
	_, errOut, code := inspect(t, "dump", "--since", "yesterday", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errOut, "yesterday")
}

func TestGrep(t *testing.T) {
	dir := stopped(t, nil)
	found := lines[written](t, done(t, "grep", "--json", `"order":29\d`, dir))
	require.Len(t, found, 10)
	require.Equal(t, "249\n", done(t, "grep", "-c", "-i", "FLOUR", dir))
	require.Equal(t, "1\n", done(t, "grep", "-c", "-v", "flour", dir))
	require.Equal(t, "25\n", done(t, "grep", "-c", "-a", "Trace", dir))
	require.Len(t, lines[written](t, done(t, "grep", "--json", "-n", "2", "flour", dir)), 2)
	_, errOut, code := inspect(t, "grep", "rye", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "no message matches")
	_, _, code = inspect(t, "grep", "(", dir)
	require.Equal(t, exitUsage, code)
}

// TestTextIsHarmless: what a terminal would act on is escaped.
func TestTextIsHarmless(t *testing.T) {
	dir := t.TempDir()
	s := open(t, actors.Config{Dir: dir, Name: "ORDERS"})
	_, err := s.StoreMsg(t.Context(), "orders.\u202eevil", actors.Header{"A": {"\x1b[31m"}}, []byte("\x1b]0;title\a\u200b"))
	require.NoError(t, err)
	for _, command := range []string{"dump", "subjects", "tail"} {
		out := done(t, command, filepath.Join(dir, "ORDERS"))
		require.NotContains(t, out, "\x1b")
		require.NotContains(t, out, "\u202e")
		require.NotContains(t, out, "\u200b")
		require.Contains(t, out, `\u202e`)
	}
}
