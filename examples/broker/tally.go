package main

import (
	"errors"
	"fmt"
)

// A tally keeps each error once, by its text, and counts who met it: a disk that fails tells all who wait
// the same. The zero value is ready; it is not safe for concurrent use.
type tally struct {
	met []tallied // in the order in which they came
}

type tallied struct {
	err   error
	count int
}

// add counts an error; nil is none.
func (t *tally) add(err error) {
	if err == nil {
		return
	}
	for i := range t.met {
		if t.met[i].err.Error() == err.Error() {
			t.met[i].count++
			return
		}
	}
	t.met = append(t.met, tallied{err: err, count: 1})
}

// err joins the errors, or is nil. Of one that was met more than once it says by how many of who.
func (t *tally) err(who string) error {
	var all []error
	for _, one := range t.met {
		if one.count > 1 {
			one.err = fmt.Errorf("%w (%d %s were told so)", one.err, one.count, who)
		}
		all = append(all, one.err)
	}
	return errors.Join(all...)
}
