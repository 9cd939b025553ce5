package protoactor

import "strings"

// tokens are the tokens of a subject that stand for the name of an actor: one for each part of its path, so that filters
// can select the children of an actor. What a token should not have is %XX, and an empty part is a % alone. No two names
// have the same.
func tokens(name string) string {
	var b strings.Builder
	for i, part := range strings.Split(name, "/") {
		if i > 0 {
			b.WriteByte('.')
		}
		if part == "" {
			b.WriteByte('%')
		}
		for _, c := range []byte(part) {
			if plain(c) {
				b.WriteByte(c)
				continue
			}
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// plain tells what stands for itself in a token.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '$'
}
