package consumer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Token names one delivery of one message. Whoever has it can settle the message.
type Token struct {
	Sequence uint64 // of the message
	Number   uint64 // of the delivery, which no other of the consumer has
}

// String returns the token as a text, for ParseToken.
func (t Token) String() string {
	return strconv.FormatUint(t.Sequence, 10) + "." + strconv.FormatUint(t.Number, 10)
}

// ParseToken reads what Token.String returns. Anything else is ErrRequest.
func ParseToken(text string) (Token, error) {
	sequence, number, found := strings.Cut(text, ".")
	a, err1 := strconv.ParseUint(sequence, 10, 64)
	b, err2 := strconv.ParseUint(number, 10, 64)
	t := Token{a, b}
	if !found || err1 != nil || err2 != nil || t.String() != text {
		return Token{}, fmt.Errorf("%w: %q is not a token", ErrRequest, text)
	}
	return t, nil
}

// Delivery is a message that was delivered: a private copy.
type Delivery struct {
	actors.Message
	Token      Token
	Deliveries uint64 // of the message, this one included: 1 for the first
}
