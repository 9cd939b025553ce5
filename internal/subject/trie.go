package subject

import (
	"bytes"
	"slices"
	"strings"
)

// A trie is patterns with wildcards, token by token: a subject is compared once with what many of them have in
// common, and with the tokens that differ by a lookup. It is not changed once it is settled.
type trie struct {
	literals map[string]*trie // by token
	token    string           // of the only literal, if there is one
	only     *trie            // what is behind it
	star     *trie            // behind any token
	end      bool             // a pattern ends here
	more     bool             // and one goes on with >, so one or more tokens match
	// sorted has the literal tokens as they stand in a subject: as its last one, and with the dot that another
	// one follows.
	sorted []step
	least  string // nothing that matches from here is below it
}

type step struct {
	text string // the token, and the dot if the pattern goes on
	from string // nothing that matches and begins with text is below it
}

// newTrie returns the trie of some patterns with wildcards, which does not keep the slice.
func newTrie(patterns []Pattern) *trie {
	root := new(trie)
	for i := range patterns {
		root.add(&patterns[i])
	}
	root.settle()
	return root
}

func (t *trie) add(p *Pattern) {
	for _, token := range p.tokens {
		t = t.child(token)
	}
	if p.more {
		t.more = true
	} else {
		t.end = true
	}
}

// child returns what is behind a token of a pattern, and adds it if it is new.
func (t *trie) child(token string) *trie {
	if token == "*" {
		if t.star == nil {
			t.star = new(trie)
		}
		return t.star
	}
	to := t.literals[token]
	if to == nil {
		if t.literals == nil {
			t.literals = make(map[string]*trie)
		}
		to = new(trie)
		t.literals[token] = to
	}
	return to
}

// settle finds out what next needs, once all patterns are in.
func (t *trie) settle() {
	if t.star != nil {
		t.star.settle()
	}
	for token, to := range t.literals {
		to.settle()
		if to.end {
			t.sorted = append(t.sorted, step{token, token})
		}
		if to.more || to.star != nil || to.literals != nil {
			t.sorted = append(t.sorted, step{token + ".", token + "." + to.least})
		}
	}
	if len(t.literals) == 1 {
		for t.token, t.only = range t.literals {
		}
	}
	slices.SortFunc(t.sorted, func(a, b step) int { return strings.Compare(a.text, b.text) })
	if !t.more && t.star == nil && len(t.sorted) > 0 {
		t.least = t.sorted[0].from
	}
}

// behind returns what is behind a literal token, nil if no pattern has it.
func (t *trie) behind(token []byte) *trie {
	switch {
	case t.only != nil:
		if string(token) == t.token {
			return t.only
		}
		return nil
	case t.literals == nil:
		return nil
	}
	return t.literals[string(token)]
}

// match reports whether what is left of a subject, at least one token, matches.
func (t *trie) match(rest []byte) bool {
	for !t.more {
		end := bytes.IndexByte(rest, '.')
		if end < 0 {
			to := t.behind(rest)
			return to != nil && to.end || t.star != nil && t.star.end
		}
		to := t.behind(rest[:end])
		rest = rest[end+1:]
		switch {
		case to == nil && t.star == nil:
			return false
		case to == nil:
			to = t.star
		case t.star != nil && t.star.match(rest):
			return true
		}
		t = to
	}
	return true
}

// covers reports whether another pattern of the trie matches all that a pattern of it does: tokens are left of that
// one. own is true while the way from the root is its own.
func (t *trie) covers(tokens []string, more, own bool) bool {
	if len(tokens) == 0 {
		return !own && (more && t.more || !more && t.end)
	}
	if t.more {
		return true
	}
	if to := t.literals[tokens[0]]; to != nil && to.covers(tokens[1:], more, own) {
		return true
	}
	return t.star != nil && t.star.covers(tokens[1:], more, own && tokens[0] == "*")
}

// whole returns the length of a beginning of a subject such that everything that begins with it matches, and
// false if there is none.
func (t *trie) whole(subject []byte) (length int, ok bool) {
	for at := 0; ; {
		if t.more {
			return at, at > 0
		}
		end := bytes.IndexByte(subject[at:], '.')
		if end < 0 {
			return 0, false
		}
		if t = t.behind(subject[at : at+end]); t == nil {
			return 0, false
		}
		at += end + 1
	}
}

// A bound is a text: the first bytes of a subject, and what is behind them instead.
type bound struct {
	at   int
	text string
	ok   bool
}

// next returns a bound after a subject that does not match: no match is between the two. Its bytes up to at are the
// way to here. It is not ok if no match comes after the subject.
func (t *trie) next(subject []byte, at int) (b bound) {
	end, last := len(subject), true
	if i := bytes.IndexByte(subject[at:], '.'); i >= 0 {
		end, last = at+i, false
	}
	if to := t.behind(subject[at:end]); to != nil && !last {
		b = to.next(subject, end+1)
	}
	if !b.ok {
		// A text with the token at hand and its dot would be found here only if the subject ended before the dot.
		rest := subject[at:]
		i, _ := slices.BinarySearchFunc(t.sorted, rest, func(s step, rest []byte) int {
			if s.text <= string(rest) {
				return -1
			}
			return 1
		})
		if i < len(t.sorted) {
			b = bound{at, t.sorted[i].from, true}
		}
	}
	if t.star == nil {
		return b
	}
	other := bound{len(subject), "\x00", true} // a token may go on with bytes below the dot
	if !last {
		if other = t.star.next(subject, end+1); !other.ok {
			other = bound{end, "/", true} // what comes after the dot
		}
	}
	if !b.ok || other.before(b, subject) {
		return other
	}
	return b
}

// before reports whether a bound of a subject is before another.
func (b bound) before(other bound, subject []byte) bool {
	if b.at > other.at {
		return !other.before(b, subject)
	}
	between := subject[b.at:other.at]
	n := min(len(between), len(b.text))
	if begin := string(between[:n]); b.text[:n] != begin {
		return b.text[:n] < begin
	}
	return n == len(b.text) || b.text[n:] < other.text
}
