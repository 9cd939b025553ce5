package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateTranscripts = flag.Bool("update", false, "write testdata/transcripts anew")

// transcripts returns the files of testdata/transcripts, by name.
func transcripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "transcripts", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// replay runs the inputs of a transcript through an engine and returns the transcript with what the
// engine answers. Lines that begin with a blank are answers, which are dropped and written anew; lines
// that begin with # are comments, which stay; all others are inputs.
func replay(text string) (string, error) {
	var out strings.Builder
	p := newTranscript()
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.input(line); err != nil {
			return out.String(), fmt.Errorf("line %d: %q: %w", number+1, line, err)
		}
		for _, answer := range p.answers {
			out.WriteString("  " + answer + "\n")
		}
		p.answers = p.answers[:0]
	}
	return out.String(), p.unfinished()
}

// TestTranscripts: the engine does what the committed transcripts show. -update writes them anew, for a
// change that is meant.
func TestTranscripts(t *testing.T) {
	for _, name := range transcripts(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), "# "), "a transcript begins with a comment that explains it")
			got, err := replay(string(text))
			require.NoError(t, err)
			if *updateTranscripts {
				require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got)
		})
	}
}

// TestTranscriptsShowTheWholeProtocol: no kind of command, operation or work is missing from them.
func TestTranscriptsShowTheWholeProtocol(t *testing.T) {
	var words []string
	for _, name := range transcripts(t) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.SplitSeq(string(text), "\n") {
			if !strings.HasPrefix(line, "#") {
				words = append(words, strings.Fields(line)...)
			}
		}
	}
	for _, word := range []string{
		"store", "raw", "batch", "skip", "flush", "stop", // commands
		"remove-derived", "create", "write", "sync", "seal", // operations of a commit
		"load", "remove", "index", // work, besides sync and seal
	} {
		if !slices.Contains(words, word) {
			t.Errorf("no transcript shows %q", word)
		}
	}
}

// TestTranscriptsBite: an answer that is not the engine's is seen.
func TestTranscriptsBite(t *testing.T) {
	text, err := os.ReadFile(transcripts(t)[0])
	require.NoError(t, err)
	changed := strings.Replace(string(text), "  reply to a", "  reply to b", 1)
	require.NotEqual(t, string(text), changed)
	got, err := replay(changed)
	require.NoError(t, err)
	require.Equal(t, string(text), got, "the engine's answer takes the place of the one in the file")
	for _, row := range []struct{ name, text string }{
		{"an unknown input", "stream\nopen\ncompact a"},
		{"an unknown setting", "stream max-mgs=2"},
		{"a completion of nothing", "stream\nopen\ndone 7"},
		{"a commit that is never completed", "stream\nopen\nstore a\nready"},
		{"a command before there is a stream", "store a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := replay(row.text)
			require.Error(t, err)
		})
	}
}
