package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// A subjectTemplate makes the subject of a JSON object from its fields, as in
// "quakes.{{.properties.net}}.{{.properties.type}}". What a field gives becomes a single token: a dot or
// a space in the data cannot move a message to another subject.
type subjectTemplate struct {
	stream string
	parsed *template.Template
}

// parseSubjectTemplate refuses a template that can never make a subject of stream.
func parseSubjectTemplate(stream, text string) (*subjectTemplate, error) {
	parsed, err := template.New("subject").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the subject template %q does not parse: %w", text, err)
	}
	if parsed.Tree == nil || len(parsed.Root.Nodes) == 0 {
		return nil, errors.New("the subject template is empty")
	}
	for _, one := range parsed.Templates() { // itself, and what it defines
		wrapActions(one.Root)
	}
	parsed.Funcs(template.FuncMap{tokenFunction: tokenOf})
	made := &subjectTemplate{stream: stream, parsed: parsed}
	if len(parsed.Root.Nodes) == 1 && parsed.Root.Nodes[0].Type() == parse.NodeText {
		if err := validateSubject(stream, text); err != nil {
			return nil, fmt.Errorf("the subject template %q: %w", text, err)
		}
		return made, nil
	}
	// The text before the first field must begin the stream's subjects; the rest depends on the data.
	first, isText := parsed.Root.Nodes[0].(*parse.TextNode)
	if !isText || !strings.HasPrefix(string(first.Text), stream+".") {
		return nil, fmt.Errorf("the subject template %q must begin with %q, the stream's name", text, stream+".")
	}
	return made, nil
}

// subject applies the template to one JSON object.
func (t *subjectTemplate) subject(line []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return "", fmt.Errorf("the line is no JSON object: %w", err)
	}
	var made strings.Builder
	if err := t.parsed.Execute(&made, object); err != nil {
		return "", fmt.Errorf("making the subject: %w", err)
	}
	return made.String(), validateSubject(t.stream, made.String())
}

// tokenFunction is appended to the pipeline of every action that prints.
const tokenFunction = "asSubjectToken"

// wrapActions makes every printing action of the template end in tokenFunction, as html/template does
// with its escapers.
func wrapActions(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				call := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos}
				call.Args = append(call.Args, parse.NewIdentifier(tokenFunction).SetPos(n.Pos))
				n.Pipe.Cmds = append(n.Pipe.Cmds, call)
			}
		case *parse.IfNode:
			wrapActions(n.List)
			wrapActions(n.ElseList)
		case *parse.RangeNode:
			wrapActions(n.List)
			wrapActions(n.ElseList)
		case *parse.WithNode:
			wrapActions(n.List)
			wrapActions(n.ElseList)
		}
	}
}

// tokenOf prints a JSON value as one token; objects and lists have no sensible token.
func tokenOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "none", nil
	case string:
		return subjectToken(v), nil
	case json.Number:
		return subjectToken(v.String()), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	}
	return "", fmt.Errorf("a JSON %T cannot be a token of a subject", value)
}
