package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
)

const (
	maxStreamName = 64
	maxSubject    = 1024
)

// errBadName is what a caller gets for a stream or subject that cannot be one; the text says why.
var errBadName = errors.New("bad name")

// validateStream accepts what is safe as a folder name on every system and as a JetStream stream name:
// letters, digits, '-' and '_'. A stream is a folder of the data folder, so that nothing else may pass.
func validateStream(name string) error {
	if name == "" {
		return fmt.Errorf("%w: the stream has no name", errBadName)
	}
	if len(name) > maxStreamName {
		return fmt.Errorf("%w: a stream's name has at most %d characters, this one has %d", errBadName, maxStreamName, len(name))
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (r < '0' || r > '9') && r != '-' && r != '_' {
			return fmt.Errorf("%w: stream %q holds %q; letters, digits, '-' and '_' are allowed", errBadName, name, r)
		}
	}
	return nil
}

// validateSubject accepts a subject that the library takes, and whose first token is the stream's name. That keeps the subjects of two streams apart, as JetStream asks.
func validateSubject(stream, subject string) error {
	if len(subject) > maxSubject {
		return fmt.Errorf("%w: a subject has at most %d bytes, this one has %d", errBadName, maxSubject, len(subject))
	}
	if err := actors.ValidSubject(subject); err != nil {
		return err
	}
	if subject != stream && !strings.HasPrefix(subject, stream+".") {
		return fmt.Errorf("%w: subject %q is not of stream %q: it must be %q or begin with %q", errBadName, subject, stream, stream, stream+".")
	}
	return nil
}

func unfitForSubject(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// subjectToken makes one token of any text: what would split, match or break a subject becomes '-'.
func subjectToken(text string) string {
	token := strings.Map(func(r rune) rune {
		if r == '.' || r == '*' || r == '>' || r == utf8.RuneError || unfitForSubject(r) {
			return '-'
		}
		return r
	}, strings.TrimSpace(text))
	if token == "" {
		return "none"
	}
	return token
}
