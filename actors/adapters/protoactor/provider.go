package protoactor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/persistence"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Config says how a Provider works. Zero means the default.
type Config struct {
	// Prefix is what the subjects begin with, "actors" by default: events of the actor bank/account-7 are
	// actors.event.bank.account-7, and its snapshot is actors.snapshot.bank.account-7.
	Prefix string
	// SnapshotInterval is after how many events an actor gets persistence.RequestSnapshot. By default it never does, but
	// after its first event, which is the mixin's doing.
	SnapshotInterval int
	// DeleteEvents has a snapshot that is stored be followed by the deletion of the events that are in it, which an actor
	// has no way to ask for.
	DeleteEvents bool
	// Codec is how messages are stored. Default Proto.
	Codec Codec
	// Patience is how long an operation may take, with the recovery of a stream that has failed. Default 10 s.
	Patience time.Duration
	// AcceptLoss has actors start of which damage may have taken the last events, or all there was. Without it they are
	// not started (actors.ErrCorrupt), nor are new actors while nobody knows what a damaged record was. Events that are
	// known to be missing are ErrGap in any case.
	AcceptLoss bool
}

// defaultPatience is longer than a disk is busy, and shorter than people wait.
const defaultPatience = 10 * time.Second

// The headers of what is stored.
const (
	typeHeader  = "Actor-Type"  // the codec's name of the type
	indexHeader = "Actor-Index" // of the event; of a snapshot, that of the first event that is not in it
	fromHeader  = "Actor-From"  // of a snapshot: the sequence from which on the events are that are not in it
)

// Provider is a persistence.Provider on a stream. It is safe for any number of actors; each gets a state of its own.
type Provider struct {
	store    *actors.Store
	prefix   string
	interval int
	codec    Codec
	patience time.Duration
	// deleteEvents and acceptLoss are as in Config.
	deleteEvents, acceptLoss bool
}

var _ persistence.Provider = (*Provider)(nil)

// New returns a Provider on a stream, which has to stay open for as long as there are actors. Streams that lose events
// are refused with ErrConfig: those with limits, that would remove some while they are needed. What else is in the stream
// does not matter.
func New(store *actors.Store, config Config) (*Provider, error) {
	if config.SnapshotInterval < 0 {
		return nil, fmt.Errorf("%w: a snapshot every %d events", ErrConfig, config.SnapshotInterval)
	}
	if strings.ContainsAny(config.Prefix, "*> \t\r\n") || slices.Contains(strings.Split("x."+config.Prefix, "."), "") && config.Prefix != "" {
		return nil, fmt.Errorf("%w: the prefix has to be tokens", ErrConfig)
	}
	if l := store.Limits(); l.MaxMsgs > 0 || l.MaxBytes > 0 || l.MaxMsgsPer > 0 || l.MaxAge > 0 {
		return nil, fmt.Errorf("%w: the limits of the stream would remove events", ErrConfig)
	}
	p := &Provider{store: store, prefix: config.Prefix, interval: config.SnapshotInterval, codec: config.Codec, patience: config.Patience,
		deleteEvents: config.DeleteEvents, acceptLoss: config.AcceptLoss}
	if p.prefix == "" {
		p.prefix = "actors"
	}
	if p.interval == 0 {
		p.interval = math.MaxInt
	}
	if p.codec == nil {
		p.codec = Proto
	}
	if p.patience <= 0 {
		p.patience = defaultPatience
	}
	return p, nil
}

// GetState returns the state for an actor that starts.
func (p *Provider) GetState() persistence.ProviderState {
	return &state{provider: p, last: map[string]position{}}
}

func (p *Provider) eventSubject(name string) string { return p.prefix + ".event." + tokens(name) }

func (p *Provider) snapshotSubject(name string) string { return p.prefix + ".snapshot." + tokens(name) }

// attempt carries out an operation that may be carried out again, until it does not fail for the storage or the patience
// is over, and panics with what is left of an error.
func (p *Provider) attempt(op, name string, index int, do func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	err := do(ctx)
	for failed(err) && p.store.Ready(ctx) == nil {
		err = do(ctx)
	}
	if err != nil {
		panic(&Error{Op: op, Actor: name, Index: index, Err: err})
	}
}

// failed tells an error of storage that a recovery may help with. The operation may have happened.
func failed(err error) bool {
	return err != nil && !errors.Is(err, actors.ErrStopped) &&
		(errors.Is(err, actors.ErrFailed) || errors.Is(err, actors.ErrOutcomeUnknown))
}

// headerNumber reads a number from the headers of a message of ours.
func headerNumber(header actors.Header, name string) (uint64, error) {
	number, err := strconv.ParseUint(header.Get(name), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: the header %s is no number", ErrCodec, name)
	}
	return number, nil
}
