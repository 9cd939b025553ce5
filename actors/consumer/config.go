package consumer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// Start says where a new consumer begins.
type Start uint8

// The places where a consumer can begin.
const (
	StartAll            Start = iota // at the first message
	StartNew                         // behind the last message
	StartLast                        // at the last message that the filters select
	StartLastPerSubject              // with the last message of each subject that they select, and then go on behind the last
	StartSequence                    // at Config.StartSequence, or behind the last message if that comes first
	StartTime                        // at the first message that is not before Config.StartTime
)

// Unlimited lifts a bound that a consumer has.
const Unlimited = -1

// Config describes a consumer. Name is required; zero means, for a consumer that is there, as it has it, and for a new
// one the default.
type Config struct {
	// Name is the consumer's: as that of a stream, see actors.ValidName.
	Name string
	// MustExist has Open return ErrNoConsumer in place of making one.
	MustExist bool

	// Start says where a new consumer begins; one that is there goes on where it was.
	Start         Start
	StartSequence uint64
	StartTime     time.Time
	// Filters select messages by subject, with wildcards: a message that matches any of them. They cannot be changed.
	// Default: every message.
	Filters []string
	// OrderPerSubject, if On, has one message of a subject in flight at a time: the next comes when it is settled. It
	// cannot be changed. Default Off.
	OrderPerSubject actors.Switch

	// AckWait is how long a message may take to be settled before it is delivered again. Default 30 s, at least 1 ms.
	AckWait time.Duration
	// BackOff is in place of AckWait: so long may the first delivery take, the second, and so on, and the last of them all
	// that follow. At most 64 of them. An empty slice that is not nil takes it away.
	BackOff []time.Duration
	// MaxDeliver is how often a message is delivered at most; who has it last and does not settle it in time has it given
	// up, with a notice. Default Unlimited.
	MaxDeliver int
	// MaxAckPending bounds the messages that are delivered and not settled: beyond it none but those that come again are
	// delivered. With OrderPerSubject, as many more may wait for their turn. Default 1,000, at most 65,536.
	MaxAckPending int

	// MaxWaiting bounds the pulls that wait at a time. Default 512. It is not stored.
	MaxWaiting int
	// Logger gets what operators should know. Default: no logging. It is not stored.
	Logger *slog.Logger

	clock func() (wall int64, run time.Duration) // for tests; nil: that of the system
}

const (
	defaultAckWait = time.Minute / 2

	mostPending  = 1 << 16
	mostBackOffs = 64
	mostFilters  = 1024
	mostWaiting  = 1 << 16
)

// Validate returns an error that lists every problem of the configuration, or nil. Open calls it.
func (c *Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if err := actors.ValidName(c.Name); err != nil {
		problems = append(problems, err)
	}
	if c.Start > StartTime {
		bad("Start %d is not a place to begin", c.Start)
	}
	if (c.StartSequence != 0) != (c.Start == StartSequence) {
		bad("StartSequence %d with Start %d", c.StartSequence, c.Start)
	}
	if c.StartTime.IsZero() == (c.Start == StartTime) {
		bad("StartTime %v with Start %d", c.StartTime, c.Start)
	}
	if len(c.Filters) > mostFilters {
		bad("%d Filters, at most %d", len(c.Filters), mostFilters)
	}
	for _, filter := range c.Filters {
		if !validFilter(filter) {
			bad("filter %q is not a subject", filter)
		}
	}
	if c.OrderPerSubject > actors.Off {
		bad("OrderPerSubject %d is not a switch", c.OrderPerSubject)
	}
	if c.AckWait != 0 && c.AckWait < time.Millisecond {
		bad("AckWait %v is below 1ms", c.AckWait)
	}
	if len(c.BackOff) > mostBackOffs {
		bad("%d BackOffs, at most %d", len(c.BackOff), mostBackOffs)
	}
	for _, wait := range c.BackOff {
		if wait < time.Millisecond {
			bad("BackOff %v is below 1ms", wait)
		}
	}
	if c.MaxDeliver < Unlimited {
		bad("MaxDeliver %d is negative", c.MaxDeliver)
	}
	if c.MaxAckPending < 0 || c.MaxAckPending > mostPending {
		bad("MaxAckPending %d is not within 1 and %d", c.MaxAckPending, mostPending)
	}
	if c.MaxWaiting < 0 || c.MaxWaiting > mostWaiting {
		bad("MaxWaiting %d is not within 1 and %d", c.MaxWaiting, mostWaiting)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrConfig, errors.Join(problems...))
	}
	return nil
}

// validFilter reports whether a text is a subject, perhaps with wildcards.
func validFilter(filter string) bool {
	if filter == "" || strings.ContainsAny(filter, " \t\r\n\f\x00") || !utf8.ValidString(filter) {
		return false
	}
	tokens := strings.Split(filter, ".")
	for i, token := range tokens {
		if token == "" || token == ">" && i < len(tokens)-1 {
			return false
		}
	}
	return true
}

// stored is what the state of a consumer says of its configuration, as JSON.
type stored struct {
	// Created is when the stream was made that it reads.
	Created         time.Time       `json:"created,omitzero"`
	Filters         []string        `json:"filters,omitempty"`
	OrderPerSubject bool            `json:"order_per_subject,omitempty"`
	AckWait         time.Duration   `json:"ack_wait"`
	BackOff         []time.Duration `json:"backoff,omitempty"`
	MaxDeliver      int             `json:"max_deliver,omitempty"` // 0: unlimited
	MaxAckPending   int             `json:"max_ack_pending"`
}

// newStored returns what a new consumer has.
func newStored(c *Config, created time.Time) stored {
	return stored{
		Created: created, Filters: sorted(c.Filters), OrderPerSubject: c.OrderPerSubject == actors.On,
		AckWait: cmp.Or(c.AckWait, defaultAckWait), BackOff: slices.Clone(c.BackOff),
		MaxDeliver: max(c.MaxDeliver, 0), MaxAckPending: cmp.Or(c.MaxAckPending, 1000),
	}
}

// sorted returns the filters in one order, each once.
func sorted(filters []string) []string { return slices.Compact(slices.Sorted(slices.Values(filters))) }

// parseStored reads what a state has.
func parseStored(config []byte) (s stored, err error) {
	if err := json.Unmarshal(config, &s); err != nil || s.AckWait <= 0 || s.MaxAckPending <= 0 || s.MaxDeliver < 0 {
		return s, fmt.Errorf("%w: its configuration %q: %w", ErrState, config, cmp.Or(err, errors.New("numbers out of range")))
	}
	return s, nil
}

// with returns what a consumer that is there has with a configuration.
func (s stored) with(c *Config) (stored, error) {
	if c.Filters != nil && !slices.Equal(sorted(c.Filters), s.Filters) {
		return s, fmt.Errorf("%w: filters %q, not %q", ErrDifferent, s.Filters, sorted(c.Filters))
	}
	if c.OrderPerSubject != actors.AsStored && (c.OrderPerSubject == actors.On) != s.OrderPerSubject {
		return s, fmt.Errorf("%w: its order per subject cannot be changed", ErrDifferent)
	}
	s.AckWait = cmp.Or(c.AckWait, s.AckWait)
	if c.BackOff != nil {
		s.BackOff = append([]time.Duration(nil), c.BackOff...)
	}
	if c.MaxDeliver != 0 {
		s.MaxDeliver = max(c.MaxDeliver, 0)
	}
	s.MaxAckPending = cmp.Or(c.MaxAckPending, s.MaxAckPending)
	return s, nil
}

// settings are what the state machine needs.
func (s stored) settings() cursor.Settings {
	return cursor.Settings{
		Wait: s.AckWait, Waits: s.BackOff, MaxDeliver: uint64(s.MaxDeliver), MaxPending: s.MaxAckPending, Ordered: s.OrderPerSubject,
	}
}

func (s stored) bytes() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers, times and texts
	}
	return b
}

// shortestWait is the least time that a message has.
func (s stored) shortestWait() time.Duration {
	if len(s.BackOff) > 0 {
		return slices.Min(s.BackOff)
	}
	return s.AckWait
}

// filters returns the filters of the store's reads.
func (s stored) filters() []actors.Filters {
	if len(s.Filters) == 0 {
		return nil
	}
	return []actors.Filters{actors.Compile(actors.Filter(s.Filters...))}
}
