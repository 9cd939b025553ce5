// Package subject matches subjects with patterns, and says where in a sorted list
// the next match can be.
//
// A subject is a row of tokens separated by dots. In a pattern the token * stands
// for exactly one token, and > at its end for one or more. The empty pattern and >
// alone stand for every message, also one with the empty subject; no other pattern
// matches that. Everything else is compared byte by byte: subjects are not
// validated, an empty token is a token, and foo* is no wildcard.
package subject

import (
	"bytes"
	"slices"
	"strings"
)

// Pattern is a compiled pattern. The zero Pattern matches everything. It is
// immutable.
type Pattern struct {
	text   string
	tokens []string // of a pattern with wildcards, without the final >
	exact  bool     // literal: text is the only match
	more   bool     // ends in >
	prefix string   // what every match begins with
	stars  bool     // behind prefix there are only wildcards
	seeks  []string // by token: the literal bytes from there up to the next wildcard
}

// Compile compiles a pattern. Every text is one.
func Compile(text string) Pattern {
	if text == "" || text == ">" {
		return Pattern{}
	}
	tokens := strings.Split(text, ".")
	p := Pattern{text: text}
	if p.more = tokens[len(tokens)-1] == ">"; p.more {
		tokens = tokens[:len(tokens)-1]
	}
	first := slices.Index(tokens, "*")
	if first < 0 && !p.more {
		return Literal(text)
	}
	p.tokens = tokens
	if first < 0 {
		first = len(tokens)
	}
	p.seeks = seeks(tokens, p.more)
	p.stars = true
	for i, token := range tokens {
		if i < first {
			p.prefix += token + "."
		} else if token != "*" {
			p.stars = false
		}
	}
	return p
}

// seeks gives for each token the literal bytes that a match must have from there
// up to the next wildcard or the end.
func seeks(tokens []string, more bool) []string {
	out := make([]string, len(tokens))
	rest := ""
	for i := len(tokens) - 1; i >= 0; i-- {
		if i < len(tokens)-1 || more {
			rest = "." + rest
		}
		if tokens[i] == "*" {
			rest = ""
			continue
		}
		rest = tokens[i] + rest
		out[i] = rest
	}
	return out
}

// Literal returns the pattern that matches one subject, wildcards in it or not.
// As everywhere, the empty one stands for every message.
func Literal(text string) Pattern {
	if text == "" {
		return Pattern{}
	}
	return Pattern{text: text, exact: true, prefix: text}
}

// String returns the text of the pattern.
func (p *Pattern) String() string {
	if p.All() {
		return ">"
	}
	return p.text
}

// All reports whether the pattern matches everything.
func (p *Pattern) All() bool { return p.text == "" }

// Exact reports whether the pattern matches only the subject that is its text.
func (p *Pattern) Exact() bool { return p.exact }

// Prefix returns what every match begins with.
func (p *Pattern) Prefix() string { return p.prefix }

// Depth returns how many tokens a match has: exactly so many, or at least. It
// reports whether nothing but Prefix and this decides what matches.
func (p *Pattern) Depth() (tokens int, atLeast, decides bool) {
	switch {
	case p.All():
		return 0, true, true
	case p.exact:
		return strings.Count(p.text, ".") + 1, false, false
	case p.more:
		return len(p.tokens) + 1, true, p.stars
	}
	return len(p.tokens), false, p.stars
}

// Match reports whether a subject matches.
func (p *Pattern) Match(subject []byte) bool {
	switch {
	case p.text == "":
		return true
	case p.exact:
		return string(subject) == p.text
	case len(subject) == 0 || len(subject) < len(p.prefix) || string(subject[:len(p.prefix)]) != p.prefix:
		return false
	}
	_, _, ok := p.follow(subject)
	return ok
}

// follow goes along the tokens of a subject as far as they match. It returns the
// index of the first token of the pattern that does not, and where that begins in
// the subject: len(subject)+1 when the subject has no such token.
func (p *Pattern) follow(subject []byte) (token, at int, ok bool) {
	for i, want := range p.tokens {
		if at > len(subject) {
			return i, at, false
		}
		end := bytes.IndexByte(subject[at:], '.')
		if end < 0 {
			end = len(subject)
		} else {
			end += at
		}
		if want != "*" && string(subject[at:end]) != want {
			return i, at, false
		}
		at = end + 1
	}
	if ended := at > len(subject); ended == p.more {
		return len(p.tokens), at, false
	}
	return len(p.tokens), at, true
}

// Next returns the least text at or after a subject that does not match where a
// match can be, in byte order, or false when no match comes after it. It appends
// to into.
func (p *Pattern) Next(into, subject []byte) ([]byte, bool) {
	switch {
	case p.All():
		return append(into, subject...), true
	case p.exact:
		return append(into, p.text...), string(subject) < p.text
	case len(subject) == 0 && p.prefix == "":
		return append(into, 0), true // no pattern with a wildcard matches the empty subject
	case len(subject) == 0:
		return append(into, p.prefix...), true
	}
	token, at, _ := p.follow(subject)
	if at > len(subject) {
		// The subject ends early: what goes on from it comes next. A token that a
		// wildcard stands for may go on with bytes below the dot.
		if p.tokens[token-1] == "*" {
			return append(append(into, subject...), 0), true
		}
		into = append(append(into, subject...), '.')
		if token < len(p.seeks) {
			into = append(into, p.seeks[token]...)
		}
		return into, true
	}
	if token < len(p.tokens) {
		if literal := p.seeks[token]; string(subject[at:]) < literal {
			return append(append(into, subject[:at]...), literal...), true
		}
	}
	// Nothing more comes below the last token that a wildcard stands for.
	for token--; token >= 0; token-- {
		at = bytes.LastIndexByte(subject[:at-1], '.') + 1
		if p.tokens[token] == "*" {
			end := bytes.IndexByte(subject[at:], '.')
			return append(append(into, subject[:at+end]...), '.'+1), true
		}
	}
	return into, false
}
