package actors

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A disk that fails, and a client that means harm, can bring the same line into the log as often as they like. So of each
// kind of warning or error, which is its text, the first is logged at once; those that follow within repeatInterval are counted, and
// at its end the last of them is logged with their number ("repeated"). A kind that stays quiet for an interval begins
// anew. While a stream is opened the first of a kind are logged, and the last of the others with their number when it is open:
// a folder with 100,000 odd names is no flood either. What tells of another loss each time is logged each time: it is bounded by what there is to lose.

// mostWhileOpening is how many lines of a kind are logged before the stream is open.
const mostWhileOpening = 16

// repeatInterval is how often a kind of line is logged at most.
const repeatInterval = time.Minute

// unrepeated are the lines of which each counts.
var unrepeated = map[string]bool{
	"damaged record": true, "block is damaged": true, "messages are lost": true,
	"messages are lost: their block does not have them any more": true,
}

// tryingAgain is the one line of a lower level that can come as often as a disk fails.
const tryingAgain = "will try to recover"

// logRepeats is the handler of a stream's logger.
type logRepeats struct {
	slog.Handler
	state *repeatState
}

// repeatState is what the loggers of one stream share.
type repeatState struct {
	mu      sync.Mutex
	opening map[string]*repeated // nil when the stream is open
	kinds   map[string]*repeated
	open    bool
	ended   bool // every line is logged
}

// repeated is one kind of line.
type repeated struct {
	logged int // while the stream is opened
	count  int
	last   slog.Record // if count is not 0
	to     slog.Handler
	timer  *time.Timer
}

// countRepeats returns a logger that counts lines that repeat. For one that logs nothing it is the same, and the state nil.
func countRepeats(log *slog.Logger) (*slog.Logger, *repeatState) {
	if !log.Enabled(context.Background(), slog.LevelError) {
		return log, nil
	}
	state := &repeatState{}
	return slog.New(&logRepeats{log.Handler(), state}), state
}

// WithAttrs implements slog.Handler.
func (l *logRepeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logRepeats{l.Handler.WithAttrs(attrs), l.state}
}

// WithGroup implements slog.Handler.
func (l *logRepeats) WithGroup(name string) slog.Handler {
	return &logRepeats{l.Handler.WithGroup(name), l.state}
}

// Handle implements slog.Handler.
func (l *logRepeats) Handle(ctx context.Context, r slog.Record) error {
	mayRepeat := r.Level >= slog.LevelWarn && !unrepeated[r.Message] || r.Message == tryingAgain
	if mayRepeat && l.state.held(l.Handler, &r) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// held reports whether a line is only counted.
func (s *repeatState) held(to slog.Handler, r *slog.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if !s.open {
		return s.heldWhileOpening(to, r)
	}
	k := s.kinds[r.Message]
	if k != nil {
		k.count++
		k.last, k.to = r.Clone(), to
		return true
	}
	if s.kinds == nil {
		s.kinds = make(map[string]*repeated)
	}
	text := r.Message
	k = &repeated{}
	k.timer = time.AfterFunc(repeatInterval, func() { s.due(text, k) })
	s.kinds[text] = k
	return false
}

// heldWhileOpening is held for a stream that is not open yet.
func (s *repeatState) heldWhileOpening(to slog.Handler, r *slog.Record) bool {
	if s.opening == nil {
		s.opening = make(map[string]*repeated)
	}
	k := s.opening[r.Message]
	if k == nil {
		k = &repeated{}
		s.opening[r.Message] = k
	}
	if k.logged < mostWhileOpening {
		k.logged++
		return false
	}
	k.count++
	k.last, k.to = r.Clone(), to
	return true
}

// due ends an interval of a kind.
func (s *repeatState) due(text string, k *repeated) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return
	}
	if k.count == 0 {
		delete(s.kinds, text)
		return
	}
	k.flush()
	k.timer.Reset(repeatInterval)
}

// flush logs what was counted of a kind.
func (k *repeated) flush() {
	if k.count == 0 {
		return
	}
	k.last.AddAttrs(slog.Int("repeated", k.count))
	_ = k.to.Handle(context.Background(), k.last) // as of every logger, nobody is told of its errors
	k.count, k.last, k.to = 0, slog.Record{}, nil
}

// begin has lines counted from now on.
func (s *repeatState) begin() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	s.opened()
}

// opened logs what was counted while the stream was opened.
func (s *repeatState) opened() {
	for _, k := range s.opening {
		k.flush()
	}
	s.opening = nil
}

// end logs what was counted, and lets everything through from now on.
func (s *repeatState) end() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.ended = false, true
	s.opened()
	for _, k := range s.kinds {
		k.timer.Stop()
		k.flush()
	}
	s.kinds = nil
}
