package actors

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	// ErrBadSubject: refused, a message cannot be stored with this subject; see ValidSubject. Nothing was changed.
	ErrBadSubject = errors.New("invalid subject")
	// ErrBadFilter: refused, a pattern of Filter cannot match any message; see Filter. Nothing was changed.
	ErrBadFilter = errors.New("invalid filter")
)

// notInSubjects is what neither a subject nor a pattern has: it ends a word of the protocol of NATS.
const notInSubjects = " \t\n\f\r"

// What the bytes of a subject are to its rule.
const (
	ofToken = iota // a byte of a token like any other
	dot
	beyondASCII
	refused
)

// subjectBytes says of each byte what it is.
var subjectBytes = func() (kinds [256]byte) {
	for c := utf8.RuneSelf; c < len(kinds); c++ {
		kinds[c] = beyondASCII
	}
	for _, c := range notInSubjects + "\x00" {
		kinds[c] = refused
	}
	kinds['.'] = dot
	return kinds
}()

// ValidSubject returns why a message cannot be stored with a subject, or nil: the error is ErrBadSubject and says what
// is wrong. The rule is that of JetStream. A subject is a row of tokens with dots between them. A token has at least one
// byte, and no space, tab, line feed, form feed, carriage return or zero byte; the whole is UTF-8 without U+FFFD, which
// stands for what was none. A token that is * or > alone is a wildcard, which no subject of a message has; in a longer
// token both are bytes like others.
//
// StoreMsg, StoreBatch, StoreRequest and StoreBatchRequest ask for it. StoreRaw and StoreRawRequest do not, for those
// who copy streams or keep logs of their own: they store any subject, the empty one, too. What is there is read
// whatever its subject is.
func ValidSubject(subject string) error {
	if subject == "" {
		return fmt.Errorf("%w: it is empty", ErrBadSubject)
	}
	begin := 0 // of the token
	ascii := true
	for i := range len(subject) {
		switch subjectBytes[subject[i]] {
		case ofToken:
		case dot:
			if i-begin <= 1 { // a longer token is right
				if err := validToken(subject, subject[begin:i]); err != nil {
					return err
				}
			}
			begin = i + 1
		case beyondASCII:
			ascii = false
		case refused:
			return fmt.Errorf("%w %q: it holds %q", ErrBadSubject, shown(subject), subject[i])
		}
	}
	if err := validToken(subject, subject[begin:]); err != nil {
		return err
	}
	if !ascii && (!utf8.ValidString(subject) || strings.ContainsRune(subject, utf8.RuneError)) {
		return fmt.Errorf("%w %q: it is not UTF-8", ErrBadSubject, shown(subject))
	}
	return nil
}

// validPattern returns why no message can match a pattern, or nil. The empty one stands for every message.
func validPattern(pattern string) error {
	if pattern == "" || pattern == ">" {
		return nil
	}
	if i := strings.IndexAny(pattern, notInSubjects); i >= 0 {
		return fmt.Errorf("%w %q: it holds %q, which no subject does", ErrBadFilter, shown(pattern), pattern[i])
	}
	for rest, more := pattern, true; more; {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		switch {
		case token == "":
			return fmt.Errorf("%w %q: it has an empty token, which no subject has", ErrBadFilter, shown(pattern))
		case token == ">" && more:
			return fmt.Errorf("%w %q: the wildcard > stands only at the end", ErrBadFilter, shown(pattern))
		}
	}
	return nil
}

// validToken returns why a subject cannot have a token, or nil.
func validToken(subject, token string) error {
	switch token {
	case "":
		return fmt.Errorf("%w %q: it has an empty token", ErrBadSubject, shown(subject))
	case "*", ">":
		return fmt.Errorf("%w %q: it has the wildcard %s, and a message needs a subject without one", ErrBadSubject, shown(subject), token)
	}
	return nil
}
