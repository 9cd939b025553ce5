package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// jsonWords says for people why JSON is not what it should be: encoding/json names Go types of ours.
func jsonWords(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	value, _, _ := strings.Cut(kind.Value, " ") // "number 1e400" names the number, too
	if kind.Field == "" {
		return fmt.Sprintf("it is %s, and has to be an object", withArticle(value))
	}
	if number, large := strings.CutPrefix(kind.Value, "number "); large {
		return fmt.Sprintf("%q cannot be %s", kind.Field, number)
	}
	return fmt.Sprintf("%q cannot be %s", kind.Field, withArticle(value))
}

// withArticle returns what encoding/json calls a kind of value, as a part of a sentence.
func withArticle(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + kind
	}
	return "a " + kind
}
