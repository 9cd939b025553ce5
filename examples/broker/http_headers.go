package main

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

var (
	// errBadID is what a caller gets for message ids that are none.
	errBadID = errors.New("bad message id")
	// errBadExpectation is what a caller gets for headers beginning with Nats- that the broker cannot honour.
	errBadExpectation = errors.New("bad header")
	// errOtherStream is what a caller gets who expected another stream.
	errOtherStream = errors.New("it is another stream")
)

// Headers that mean something to the broker, in the way in which they are stored.
const (
	headerTTL                = "Nats-TTL" // how long the message lives
	headerExpectStream       = "Nats-Expected-Stream"
	headerExpectLast         = "Nats-Expected-Last-Sequence"
	headerExpectSubject      = "Nats-Expected-Last-Subject-Sequence"
	headerExpectSubjectOther = "Nats-Expected-Last-Subject-Sequence-Subject"
	natsPrefix               = "Nats-"
)

// honoured lists what a publisher may ask for, for those who asked for something else.
var honoured = strings.Join([]string{
	headerEventID, headerTTL, headerExpectStream, headerExpectLast, headerExpectSubject, headerExpectSubjectOther,
}, ", ")

// wishes are what a publisher asks for with headers beginning with Nats-.
type wishes struct {
	header  actors.Header // what is stored
	options []actors.StoreOption
}

// wish takes one header over. What is wrong with a TTL the store says.
func (w *wishes) wish(name, value string) {
	if w.header == nil {
		w.header = actors.Header{}
	}
	w.header.Set(name, value)
}

// wishesOf honours all headers beginning with Nats-, or refuses one by its name: a publisher who asks for what the
// broker does not do must not be told that it was done.
func wishesOf(stream, subject string, given map[string][]string) (w wishes, err error) {
	other := subject
	var expected *uint64
	names := make([]string, 0, len(given))
	for name := range given {
		if canonical := http.CanonicalHeaderKey(name); strings.HasPrefix(canonical, natsPrefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	seen := map[string]bool{}
	for _, name := range names {
		values := given[name]
		if seen[http.CanonicalHeaderKey(name)] { // in a line of a batch, where names are as they were written
			return w, fmt.Errorf("%w: %s is there twice, in upper and lower case", errBadExpectation, name)
		}
		seen[http.CanonicalHeaderKey(name)] = true
		if len(values) != 1 {
			return w, fmt.Errorf("%w: %d %s headers; a message has one %s", errBadExpectation, len(values), name, kindOf(name))
		}
		value := values[0]
		switch http.CanonicalHeaderKey(name) {
		case http.CanonicalHeaderKey(headerEventID):
			err = checkID(value)
			w.wish(headerEventID, value)
		case http.CanonicalHeaderKey(headerTTL):
			w.wish(headerTTL, value)
		case headerExpectStream:
			if value != stream {
				err = fmt.Errorf("%w: %s expects %q", errOtherStream, headerExpectStream, value)
			}
		case headerExpectLast:
			var sequence uint64
			sequence, err = expectedSequence(name, value)
			w.options = append(w.options, actors.ExpectLast(sequence))
		case headerExpectSubject:
			var sequence uint64
			sequence, err = expectedSequence(name, value)
			expected = &sequence
		case headerExpectSubjectOther:
			other, err = removableSubject(stream, value)
		default:
			err = fmt.Errorf("%w: %s is nothing that this broker does; it honours %s", errBadExpectation, name, honoured)
		}
		if err != nil {
			return w, err
		}
	}
	switch {
	case expected != nil && other == subject:
		w.options = append(w.options, actors.ExpectLastOfSubject(subject, *expected))
	case expected != nil:
		w.options = append(w.options, actors.ExpectLastOf(actors.Filter(other), *expected))
	case other != subject:
		return w, fmt.Errorf("%w: %s needs %s beside it", errBadExpectation, headerExpectSubjectOther, headerExpectSubject)
	}
	return w, nil
}

// kindOf is what a header gives a message.
func kindOf(name string) string {
	switch http.CanonicalHeaderKey(name) {
	case http.CanonicalHeaderKey(headerEventID):
		return "id"
	case http.CanonicalHeaderKey(headerTTL):
		return "TTL"
	}
	return "of them"
}

func expectedSequence(name, value string) (uint64, error) {
	sequence, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s is %q, and must be a whole number", errBadExpectation, name, value)
	}
	return sequence, nil
}

func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: the %s header is empty", errBadID, headerEventID)
	case len(id) > maxSubject:
		return fmt.Errorf("%w: the %s header has %d bytes, at most %d are taken", errBadID, headerEventID, len(id), maxSubject)
	}
	return nil
}
