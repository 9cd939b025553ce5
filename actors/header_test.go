package actors_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/actors"
)

func TestHeaderBlocksAreThoseOfNATS(t *testing.T) {
	for _, row := range []struct {
		name   string
		header actors.Header
		block  string
	}{
		{"none", nil, ""},
		{"empty", actors.Header{}, ""},
		{"one", actors.Header{"Nats-Msg-Id": {"id-1"}}, "NATS/1.0\r\nNats-Msg-Id: id-1\r\n\r\n"},
		{"several values", actors.Header{"A": {"1", "2"}}, "NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n"},
		{"names in order", actors.Header{"b": {"2"}, "a": {"1"}, "A": {"0"}}, "NATS/1.0\r\nA: 0\r\na: 1\r\nb: 2\r\n\r\n"},
		{"empty value", actors.Header{"A": {""}}, "NATS/1.0\r\nA: \r\n\r\n"},
		{"colon in value", actors.Header{"A": {"b:c: d"}}, "NATS/1.0\r\nA: b:c: d\r\n\r\n"},
		{"not ASCII", actors.Header{"Ä": {"ü\u00a0"}}, "NATS/1.0\r\nÄ: ü\u00a0\r\n\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			block, err := row.header.AppendBlock([]byte("x"))
			require.NoError(t, err)
			require.Equal(t, "x"+row.block, string(block))
			parsed, err := actors.ParseHeader(block[1:])
			require.NoError(t, err)
			require.Equal(t, len(row.header), len(parsed))
			for name, values := range row.header {
				require.Equal(t, values, parsed.Values(name))
			}
		})
	}
}

func TestHeaderRefusesWhatABlockCannotHold(t *testing.T) {
	for _, row := range []struct{ name, header, value string }{
		{"empty name", "", "x"},
		{"colon in the name", "a:b", "x"},
		{"space in the name", "a b", "x"},
		{"line break in the name", "a\r\nb", "x"},
		{"control character in the name", "a\x01", "x"},
		{"DEL in the name", "a\x7f", "x"},
		{"CR in the value", "a", "x\ry"},
		{"LF in the value", "a", "x\ny"},
		{"a second header in the value", "a", "x\r\nb: y"},
		{"a blank before the value", "a", " x"},
		{"a blank behind the value", "a", "x\t"},
		{"a value of blanks", "a", " "},
	} {
		t.Run(row.name, func(t *testing.T) {
			block, err := actors.Header{row.header: {row.value}}.AppendBlock(nil)
			require.ErrorIs(t, err, actors.ErrBadHeader)
			require.Nil(t, block)
		})
	}
}

// TestHeaderRefusesANameWithoutAValue: it would not come back.
func TestHeaderRefusesANameWithoutAValue(t *testing.T) {
	for _, header := range []actors.Header{{"A": nil}, {"A": {}}, {"A": nil, "B": {"x"}}} {
		_, err := header.AppendBlock(nil)
		require.ErrorIs(t, err, actors.ErrBadHeader)
		require.ErrorContains(t, err, `"A" has no value`)
	}
}

func TestParseHeaderTakesWhatOthersWrite(t *testing.T) {
	for _, row := range []struct {
		name, block string
		want        actors.Header
	}{
		{"nothing", "", nil},
		{"no headers", "NATS/1.0\r\n\r\n", actors.Header{}},
		{"no space after the colon", "NATS/1.0\r\nA:b\r\n\r\n", actors.Header{"A": {"b"}}},
		{"space around the value", "NATS/1.0\r\nA: \t b \t\r\n\r\n", actors.Header{"A": {"b"}}},
		{"status", "NATS/1.0 503\r\n\r\n", actors.Header{"Status": {"503"}}},
		{"status and text", "NATS/1.0 404 No Messages\r\nA: b\r\n\r\n", actors.Header{"Status": {"404 No Messages"}, "A": {"b"}}},
		{"bytes behind the end", "NATS/1.0\r\nA: b\r\n\r\nmore", actors.Header{"A": {"b"}}},
		{"names as they are", "NATS/1.0\r\nnats-msg-id: 1\r\nNATS-MSG-ID: 2\r\n\r\n",
			actors.Header{"nats-msg-id": {"1"}, "NATS-MSG-ID": {"2"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, err := actors.ParseHeader([]byte(row.block))
			require.NoError(t, err)
			require.Equal(t, row.want, h)
		})
	}
}

func TestParseHeaderRefusesOtherBytesWithoutQuotingThem(t *testing.T) {
	for _, row := range []struct{ name, block string }{
		{"other protocol", "HTTP/1.1\r\nSecret: 1\r\n\r\n"},
		{"no line", "NATS/1.0"},
		{"no end", "NATS/1.0\r\nSecret: 1\r\n"},
		{"half a line", "NATS/1.0\r\nSecret: 1"},
		{"no colon", "NATS/1.0\r\nSecret\r\n\r\n"},
		{"no name", "NATS/1.0\r\n: Secret\r\n\r\n"},
		{"bare line breaks", "NATS/1.0\nSecret: 1\n\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, err := actors.ParseHeader([]byte(row.block))
			require.ErrorIs(t, err, actors.ErrBadHeader)
			require.Nil(t, h)
			require.NotContains(t, err.Error(), "Secret")
		})
	}
}

func TestHeaderMethodsAreThoseOfAMap(t *testing.T) {
	h := actors.Header{}
	require.Equal(t, "", h.Get("A"))
	h.Add("A", "1")
	h.Add("A", "2")
	require.Equal(t, "1", h.Get("A"))
	require.Equal(t, []string{"1", "2"}, h.Values("A"))
	require.Empty(t, h.Values("a"), "names are case-sensitive")
	h.Set("A", "3")
	require.Equal(t, []string{"3"}, h.Values("A"))
	h.Del("A")
	require.Empty(t, h)
}

// TestHeaderSurvivesTheRoundTrip for every header that a block can hold; equal
// headers give equal bytes.
func TestHeaderSurvivesTheRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[!-9;-~]{1,12}`)
	value := rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringN(0, 20, -1).Draw(t, "value")
		s = strings.NewReplacer("\r", "", "\n", "").Replace(s)
		return strings.Trim(s, " \t")
	})
	rapid.Check(t, func(t *rapid.T) {
		h := actors.Header(rapid.MapOf(name, rapid.SliceOfN(value, 1, 4)).Draw(t, "header"))
		block, err := h.AppendBlock(nil)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := actors.ParseHeader(block)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(h, parsed, slices.Equal[[]string]) {
			t.Fatalf("%q became %q", h, parsed)
		}
		again, err := maps.Clone(h).AppendBlock(nil)
		if err != nil || !bytes.Equal(block, again) {
			t.Fatalf("another block, or %v", err)
		}
	})
}

// FuzzParseHeader: no panic, and what was parsed and can be encoded again is
// parsed to the same.
func FuzzParseHeader(f *testing.F) {
	for _, s := range []string{
		"", "NATS/1.0\r\n\r\n", "NATS/1.0\r\nA: b\r\n\r\n", "NATS/1.0 503 x\r\nA: b\r\nA:c\r\n\r\nrest",
		"NATS/1.0\r\nA\r\n\r\n", "NATS/1.0\r\n: x\r\n\r\n", "NATS/1.0\r\n\r\n\r\n", "NATS/1.0\r\nA b: \x00\r\n\r\n",
		"NATS/1.0\r\nA: \n\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		h, err := actors.ParseHeader(block)
		if err != nil {
			require.ErrorIs(t, err, actors.ErrBadHeader)
			return
		}
		encoded, err := h.AppendBlock(nil)
		if err != nil || len(h) == 0 {
			return // others write names and values that we do not
		}
		again, err := actors.ParseHeader(encoded)
		require.NoError(t, err)
		require.Equal(t, h, again)
	})
}
