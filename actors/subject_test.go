package actors_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// subjectRows are subjects, and what the refusal of each names; "" where there is none.
var subjectRows = []struct{ subject, wrong string }{
	{"a", ""}, {"orders.eu.new", ""}, {"größe.kleiner", ""}, {"a*b.c>d", ""}, {"**.>>", ""}, {"a\x01b", ""}, {"\U0001f600", ""},
	{strings.Repeat("a.", 200) + "a", ""},
	{"", "it is empty"}, {".", "empty token"}, {"a.", "empty token"}, {".a", "empty token"}, {"a..b", "empty token"},
	{"*", "the wildcard *"}, {"a.*", "the wildcard *"}, {"a.*.b", "the wildcard *"}, {">", "the wildcard >"}, {"a.>", "the wildcard >"},
	{"a b", `it holds ' '`}, {"a\tb", `it holds '\t'`}, {"a.b\n", `it holds '\n'`}, {"\ra", `it holds '\r'`}, {"a\fb", `it holds '\f'`},
	{"a\x00", `it holds '\x00'`}, {"a.\xff", "not UTF-8"}, {"a\ufffd", "not UTF-8"}, {"é\xc3", "not UTF-8"},
}

// TestSubjectsOfMessages: every way of storing but the raw one takes the same subjects, and a refusal says what is wrong, and
// has stored nothing, of a batch either.
func TestSubjectsOfMessages(t *testing.T) {
	s := open(t, actors.Config{})
	c := newClient(t, 1)
	ways := map[string]func(subject string) error{
		"StoreMsg": func(subject string) error {
			_, err := s.StoreMsg(t.Context(), subject, nil, []byte("x"))
			return err
		},
		"StoreBatch": func(subject string) error {
			_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: subject}})
			return err
		},
		"StoreBatch, second": func(subject string) error {
			_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: subject}})
			if err != nil && !strings.Contains(err.Error(), "message 1 of the batch") {
				return errors.New("it does not say which message")
			}
			return err
		},
		"StoreRequest": func(subject string) error {
			return c.ask(t, s, &actors.StoreRequest{Subject: subject}).(*actors.StoreReply).Err
		},
		"StoreBatchRequest": func(subject string) error {
			return c.ask(t, s, &actors.StoreBatchRequest{Messages: []actors.BatchMessage{{Subject: subject}}}).(*actors.StoreBatchReply).Err
		},
		"ValidSubject": actors.ValidSubject,
	}
	for _, row := range subjectRows {
		for way, store := range ways {
			before := stateOf(t, s)
			err := store(row.subject)
			if row.wrong == "" {
				require.NoError(t, err, "%s of %q", way, row.subject)
				continue
			}
			require.ErrorIs(t, err, actors.ErrBadSubject, "%s of %q", way, row.subject)
			require.ErrorContains(t, err, row.wrong, "%s of %q", way, row.subject)
			require.Less(t, len(err.Error()), 200)
			require.Equal(t, before, stateOf(t, s), "%s of %q", way, row.subject)
		}
	}
}

// TestRawMessagesHaveAnySubject, and are read whatever it is, also when the stream was opened again.
func TestRawMessagesHaveAnySubject(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S"}
	s := open(t, config)
	c := newClient(t, 1)
	var want []string
	for i, row := range subjectRows {
		raw := actors.RawMessage{Subject: row.subject, Payload: []byte("x"), StampNow: true}
		if i%2 == 0 {
			require.NoError(t, c.ask(t, s, &actors.StoreRawRequest{Message: raw}).(*actors.StoreReply).Err, "%q", row.subject)
		} else {
			_, err := s.StoreRaw(t.Context(), raw)
			require.NoError(t, err, "%q", row.subject)
		}
		want = append(want, row.subject)
	}
	read := func() (got []string) {
		for m, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			got = append(got, m.Subject)
			if m.Subject == "" {
				continue
			}
			one, err := s.LoadLastMsg(t.Context(), actors.Literal(m.Subject))
			require.NoError(t, err)
			require.Equal(t, m.Sequence, one.Sequence)
		}
		return got
	}
	require.Equal(t, want, read())
	require.NoError(t, s.Stop(context.Background()))
	s = open(t, config)
	require.Equal(t, want, read())
}

func BenchmarkValidSubject(b *testing.B) {
	for name, subject := range map[string]string{
		"short": "orders.new", "usual": "orders.eu.berlin.4711.created", "long": strings.Repeat("token.", 40) + "end", "UTF-8": "größe.kleiner.als.das.übrige",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := actors.ValidSubject(subject); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
