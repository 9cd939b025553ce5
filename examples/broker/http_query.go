package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A readQuery is the query of GET /streams/{stream}/messages.
type readQuery struct {
	from    uint64    // 0: not said
	last    uint64    // so many before the end; 0: not said
	since   time.Time // zero: not said
	subject string    // perhaps with wildcards; empty: all
	limit   uint64    // 0: none
	follow  bool
}

const (
	defaultLimit = 100
	maxLimit     = 100_000
)

// parseReadQuery refuses what it does not know: a misspelt parameter would otherwise be an unlimited one.
func parseReadQuery(stream, raw string, now time.Time) (query readQuery, err error) {
	given, err := parameters(raw, "from", "last", "since", "subject", "limit", "follow")
	if err != nil {
		return query, err
	}
	begins := 0
	for name, value := range given {
		switch name {
		case "from":
			begins++
			if query.from, err = strconv.ParseUint(value, 10, 64); err != nil || query.from == 0 {
				return query, fmt.Errorf("from=%q is no sequence: it must be a whole number from 1 on", value)
			}
		case "last":
			begins++
			if query.last, err = strconv.ParseUint(value, 10, 64); err != nil || query.last == 0 || query.last > maxLimit {
				return query, fmt.Errorf("last=%q must be a whole number from 1 to %d", value, maxLimit)
			}
		case "since":
			begins++
			if query.since, err = parseSince(value, now); err != nil {
				return query, err
			}
		case "subject":
			if query.subject, err = removableSubject(stream, value); err != nil {
				return query, err
			}
		case "limit":
			if query.limit, err = strconv.ParseUint(value, 10, 64); err != nil || query.limit == 0 || query.limit > maxLimit {
				return query, fmt.Errorf("limit=%q must be a whole number from 1 to %d", value, maxLimit)
			}
		case "follow":
			if query.follow, err = strconv.ParseBool(value); err != nil {
				return query, fmt.Errorf("follow=%q must be true or false", value)
			}
		}
	}
	if begins > 1 {
		return query, errors.New("from=, last= and since= say where to begin; only one of them can")
	}
	if query.limit == 0 && !query.follow {
		query.limit = max(query.last, defaultLimit)
	}
	return query, nil
}

// parseSince reads a time, or how long ago it was.
func parseSince(value string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(value); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return at, fmt.Errorf("since=%q must be a time such as 2018-02-01T00:00:00Z, or how long ago, such as 90s or 2h", value)
	}
	return at, nil
}

// filters are those of the subject.
func (q *readQuery) filters() []actors.Filters {
	if q.subject == "" || q.subject == ">" {
		return nil
	}
	return []actors.Filters{actors.Filter(q.subject)}
}

// begin returns the sequence from which to read.
func (q *readQuery) begin(ctx context.Context, store *actors.Store) (uint64, error) {
	switch {
	case q.from > 0:
		return q.from, nil
	case !q.since.IsZero():
		return store.GetSeqFromTime(ctx, q.since)
	case q.last > 0:
		return beginOfLast(ctx, store, q.last, q.filters())
	}
	return 1, nil
}

// beginOfLast returns the sequence of the message that is so many from the end. What is lost does not count.
func beginOfLast(ctx context.Context, store *actors.Store, count uint64, filters []actors.Filters) (uint64, error) {
	options := []actors.ReadOption{actors.Reverse(), actors.Borrowed(), actors.PassDamage()}
	for _, one := range filters {
		options = append(options, one)
	}
	from, left := uint64(1), count
	for message, err := range store.Messages(ctx, options...) {
		if err != nil {
			return 0, err
		}
		from = message.Sequence
		if left--; left == 0 {
			break
		}
	}
	if left == count { // there is none
		from = store.Stats().LastSequence + 1
	}
	return from, nil
}
