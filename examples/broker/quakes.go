package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// quakeStream is the stream of the main job.
const quakeStream = "quakes"

//go:embed data/usgs-earthquakes-2018-02.ndjson.gz
var packedWeek []byte

// A quake is one event of the week, ready to be published: its payload is the line as USGS wrote it.
type quake struct {
	id      string
	subject string
	line    []byte
}

// A week is the input of the main job.
type week struct {
	quakes []quake
	byID   map[string]int
	bytes  int // of all lines
}

// loadWeek unpacks the embedded events.
func loadWeek() (*week, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(packedWeek))
	if err != nil {
		return nil, fmt.Errorf("unpacking the week of earthquakes: %w", err)
	}
	loaded := &week{byID: map[string]int{}}
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		parsed, err := parseQuake(bytes.Clone(lines.Bytes()))
		if err != nil {
			return nil, fmt.Errorf("earthquake %d: %w", len(loaded.quakes)+1, err)
		}
		if _, twice := loaded.byID[parsed.id]; twice {
			return nil, fmt.Errorf("earthquake %d: its id %s is there twice", len(loaded.quakes)+1, parsed.id)
		}
		loaded.byID[parsed.id] = len(loaded.quakes)
		loaded.quakes = append(loaded.quakes, parsed)
		loaded.bytes += len(parsed.line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the week of earthquakes: %w", err)
	}
	return loaded, nil
}

// parseQuake makes an event of a GeoJSON feature, with subject quakes.<net>.<type>.<magnitude band>.
func parseQuake(line []byte) (quake, error) {
	var feature struct {
		ID         string
		Properties struct {
			Magnitude *float64 `json:"mag"`
			Network   string   `json:"net"`
			Type      string
		}
	}
	if err := json.Unmarshal(line, &feature); err != nil {
		return quake{}, err
	}
	if feature.ID == "" || strings.ContainsAny(feature.ID, "/\r\n") {
		return quake{}, fmt.Errorf("event id %q is empty or holds a character that an id must not", feature.ID)
	}
	subject := strings.Join([]string{
		quakeStream,
		subjectToken(feature.Properties.Network),
		subjectToken(feature.Properties.Type),
		magnitudeBand(feature.Properties.Magnitude),
	}, ".")
	return quake{id: feature.ID, subject: subject, line: line}, nil
}

// magnitudeBand names the whole number below a magnitude: m0, m1, ...; "micro" below zero.
func magnitudeBand(magnitude *float64) string {
	switch {
	case magnitude == nil:
		return "unknown"
	case *magnitude < 0:
		return "micro"
	case *magnitude >= 10:
		return "m10"
	}
	return fmt.Sprintf("m%d", int(*magnitude))
}
