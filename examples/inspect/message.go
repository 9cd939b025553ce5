package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
)

// written is a message as JSON.
type written struct {
	Sequence uint64              `json:"seq"`
	Time     string              `json:"time"`
	Subject  string              `json:"subject"`
	Headers  map[string][]string `json:"headers,omitempty"`
	// Data is the payload when it is text, and Binary when it is not.
	Data   *string `json:"data,omitempty"`
	Binary []byte  `json:"data_base64,omitempty"`
	// JSON is the payload when it is JSON and that was asked for.
	JSON json.RawMessage `json:"json,omitempty"`
	// HeaderBlock is what stands in the place of headers that cannot be read.
	HeaderBlock []byte `json:"header_block_base64,omitempty"`
}

func writtenOf(m actors.Message, parsed bool) written {
	w := written{Sequence: m.Sequence, Time: instant(m.Time), Subject: m.Subject}
	if h, err := m.Header(); err != nil {
		w.HeaderBlock = m.HeaderBlock
	} else {
		w.Headers = h
	}
	switch text := string(m.Payload); {
	case parsed && json.Valid(m.Payload):
		w.JSON = m.Payload
	case utf8.ValidString(text):
		w.Data = &text
	default:
		w.Binary = m.Payload
	}
	return w
}

// mostShown is how many bytes of a payload a line of text shows.
const mostShown = 160

// message writes a message: a line, or as JSON.
func (a *app) message(m actors.Message, parsed bool) error {
	if a.asJSON {
		return a.json(writtenOf(m, parsed))
	}
	headers := ""
	if h, err := m.Header(); err != nil {
		headers = a.paint(yellow, "(headers that cannot be read) ")
	} else if len(h) > 0 {
		headers = a.paint(grey, headerLine(h)) + " "
	}
	return a.printf("%s  %s  %s  %s%s\n", a.paint(cyan, fmt.Sprint(m.Sequence)), instant(m.Time), a.paint(green, shown(m.Subject)), headers, excerpt(m.Payload))
}

func sortedKeys(h actors.Header) []string { return slices.Sorted(maps.Keys(h)) }

func headerLine(h actors.Header) string {
	var parts []string
	for _, name := range sortedKeys(h) {
		for _, value := range h[name] {
			parts = append(parts, shown(name)+": "+shown(value))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// excerpt returns a payload as far as a line takes it.
func excerpt(payload []byte) string {
	if !utf8.Valid(payload) {
		head := payload[:min(len(payload), mostShown/4)]
		return fmt.Sprintf("(%d bytes) % x%s", len(payload), head, dots(len(head) < len(payload)))
	}
	text := string(payload)
	if len(text) <= mostShown {
		return shown(text)
	}
	cut := mostShown
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return shown(text[:cut]) + fmt.Sprintf("... (%d bytes)", len(payload))
}

func dots(more bool) string {
	if more {
		return " ..."
	}
	return ""
}
