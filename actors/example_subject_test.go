package actors_test

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A subject that comes from outside is checked before anything is made of it.
func ExampleValidSubject() {
	for _, subject := range []string{"orders.eu.4711", "orders..4711", "orders.*", "orders.new order"} {
		err := actors.ValidSubject(subject)
		fmt.Println(errors.Is(err, actors.ErrBadSubject), err)
	}
	// Output:
	// false <nil>
	// true invalid subject "orders..4711": it has an empty token
	// true invalid subject "orders.*": it has the wildcard *, and a message needs a subject without one
	// true invalid subject "orders.new order": it holds ' '
}
