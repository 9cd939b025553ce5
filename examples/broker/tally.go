package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A tally keeps each error once, by its text, and counts who met it: a disk that fails tells all who wait
// the same. The zero value is ready; it is not safe for concurrent use.
//
// One failure of the storage reaches some as ErrOutcomeUnknown and others, who came after it, as a refusal that
// says nothing else than the cause. That is one error here, in the words of the former, which say more.
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
		one := &t.met[i]
		if failureIn(one.err) == failureIn(err) {
			if errors.Is(err, actors.ErrOutcomeUnknown) {
				one.err = err
			}
			one.count++
			return
		}
	}
	t.met = append(t.met, tallied{err: err, count: 1})
}

// failureIn returns what has failed, of an error that may also be ErrOutcomeUnknown.
func failureIn(err error) string {
	if errors.Is(err, actors.ErrFailed) {
		return strings.TrimPrefix(engine.CauseOf(err).Error(), actors.ErrOutcomeUnknown.Error()+": ")
	}
	return err.Error()
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
