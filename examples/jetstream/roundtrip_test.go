package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

var (
	tripCount = flag.Int("trips", 200, "how many scripts make the round trip between a server and us")
	tripSeed  = flag.Uint64("trip.seed", 1, "seed of the first one")
)

// tripKey is the key that servers have in their configuration where they encrypt.
const tripKey = "the key of a round trip"

// tripStage is how a server and we store for a while.
type tripStage struct {
	server []oracle.Option
	key    actors.KeyFunc
	cipher actors.Cipher
}

var (
	inClear   = tripStage{cipher: actors.CipherNone}
	byChaCha  = tripStage{[]oracle.Option{oracle.WithKey(tripKey, false)}, actors.ServerKey("$G", tripKey), actors.CipherChaCha20}
	byAES     = tripStage{[]oracle.Option{oracle.WithKey(tripKey, true)}, actors.ServerKey("$G", tripKey), actors.CipherAES}
	tripKinds = []struct {
		name   string
		stages [4]tripStage // of the server, of us, of the server, of us
	}{
		{"plain", [4]tripStage{inClear, inClear, inClear, inClear}},
		{"ChaCha20", [4]tripStage{byChaCha, byChaCha, byChaCha, byChaCha}},
		{"AES", [4]tripStage{byAES, byAES, byAES, byAES}},
		{"encrypted by us", [4]tripStage{inClear, byChaCha, byChaCha, byChaCha}},
		{"encrypted by the server", [4]tripStage{inClear, inClear, byAES, byAES}},
		{"from one cipher to the other", [4]tripStage{byChaCha, byAES, byAES, byChaCha}},
	}
)

// tripsPerServer is how many scripts share a server: it takes longer to start one than to run a script.
const tripsPerServer = 20

// TestRoundTrips runs random scripts twice, by a client of a real server and by Millrace, and wants the same answers
// and the same streams. Then each opens what the other has left, finds all of it, goes on with it, and gives it back:
// a stream is written by the server, by us, by the server, and read by us, and another one by us, by the server, and
// read by us. Of the scripts some are stored in clear, some encrypted, and some are encrypted, or in another way, on the way.
func TestRoundTrips(t *testing.T) {
	for from, end := *tripSeed, *tripSeed+uint64(*tripCount); from < end; {
		group := (max(from, 1) - 1) / tripsPerServer
		first, next := from, min(end, (group+1)*tripsPerServer+1)
		kind := tripKinds[group%uint64(len(tripKinds))]
		t.Run(fmt.Sprintf("%d-%d, %s", first, next-1, kind.name), func(t *testing.T) {
			t.Parallel()
			newTripGroup(t, kind.stages, first, int(next-first)).run(t)
		})
		from = next
	}
}

// trip is a script and its two streams.
type trip struct {
	seed     uint64
	maker    *tripMaker
	script   []tripOp
	more     []tripOp // that the next one runs on the stream
	history  []string
	consumes bool   // a consumer of the server's takes some of its stream
	acked    uint64 // the last that it has taken

	theirs, ours string // the names of the streams
	left         map[string]tripState
	maxPer       map[string]int64 // of each stream by now
}

// tripGroup are scripts that share servers.
type tripGroup struct {
	ctx     context.Context
	dir     string
	stages  [4]tripStage
	trips   []*trip
	current *trip           // that is under way
	indexed map[string]bool // streams with an index.db
	differs map[string]bool // streams of which the server has found something else than we had left

	has      actors.Cipher // with which the streams are encrypted by now
	converts bool          // the server encrypts them, or in another way
	had      tripStage     // how the server had stored what it left
	copied   string        // what we have opened last, as it was
}

func newTripGroup(t *testing.T, stages [4]tripStage, first uint64, n int) *tripGroup {
	ctx, cancel := context.WithTimeout(t.Context(), tripTimeout)
	t.Cleanup(cancel)
	g := &tripGroup{ctx: ctx, dir: t.TempDir(), stages: stages, differs: map[string]bool{}}
	for i := range n {
		seed := first + uint64(i)
		maker := newTripMaker(seed)
		g.trips = append(g.trips, &trip{
			seed: seed, maker: maker, theirs: fmt.Sprintf("T%d", seed), ours: fmt.Sprintf("M%d", seed),
			script: maker.operationsOf(maker.config.operations), more: maker.operationsOf(maker.config.operations2),
			consumes: seed%4 == 0, left: map[string]tripState{}, maxPer: map[string]int64{},
		})
	}
	t.Cleanup(func() {
		if r := g.current; t.Failed() && r != nil {
			t.Logf("script %d, %+v\n%s", r.seed, r.maker.config, strings.Join(r.history, "\n"))
		}
	})
	return g
}

func (g *tripGroup) run(t *testing.T) {
	answers := map[*trip][]string{}
	g.withServer(t, g.stages[0], func(client func(*trip, string) *tripClient) {
		for _, r := range g.trips {
			c := client(r, r.theirs)
			require.NoError(t, c.server.CreateStream(r.maker.config.forServer(r.theirs), uint64(r.maker.config.blockSize)))
			answers[r] = r.play(t, c, r.theirs, "a client", r.script)
			if r.consumes {
				r.acked = consume(t, c)
			}
			r.leave(t, r.theirs, c)
		}
	})
	g.withOurs(t, g.stages[1], func(open func(r *trip, name string, isNew bool) *tripOurs) {
		for _, r := range g.trips {
			s := open(r, r.ours, true)
			require.Equal(t, answers[r], r.play(t, s, r.ours, "we", r.script), "script %d: answers of the server, and ours", r.seed)
			r.leave(t, r.ours, s)
			require.NoError(t, s.Stop(g.ctx))
			require.Equal(t, r.left[r.theirs].likeness(), r.left[r.ours].likeness(), "script %d: by the server, and by us", r.seed)

			s = open(r, r.theirs, false)
			g.findOfServer(t, r, "the server's, opened by us", r.theirs, s)
			answers[r] = r.play(t, s, r.theirs, "we, on the server's", r.more)
			r.leave(t, r.theirs, s)
			require.NoError(t, s.Stop(g.ctx))
		}
	})
	g.withServer(t, g.stages[2], func(client func(*trip, string) *tripClient) {
		for _, r := range g.trips {
			c := client(r, r.theirs)
			alike := g.findByServer(t, r, "the server's that we went on with, opened by the server", c)
			if r.consumes {
				info, err := c.server.JetStream().ConsumerInfo(r.theirs, "worker", nats.Context(g.ctx))
				require.NoError(t, err)
				require.Equal(t, r.acked, info.AckFloor.Stream)
			}
			c = client(r, r.ours)
			alike = g.findByServer(t, r, "ours, opened by the server", c) && alike
			theirAnswers := r.play(t, c, r.ours, "a client, on ours", r.more)
			r.leave(t, r.ours, c)
			if alike {
				require.Equal(t, answers[r], theirAnswers, "script %d: our answers, and the server's", r.seed)
				require.Equal(t, r.left[r.theirs].likeness(), r.left[r.ours].likeness(), "script %d: the two, when each has the other's", r.seed)
			}
			c = client(r, r.theirs)
			r.play(t, c, r.theirs, "a client", r.script[:5])
			r.leave(t, r.theirs, c)
		}
	})
	g.withOurs(t, g.stages[3], func(open func(r *trip, name string, isNew bool) *tripOurs) {
		for _, r := range g.trips {
			for _, name := range []string{r.theirs, r.ours} {
				s := open(r, name, false)
				if !g.differs[name] {
					g.findOfServer(t, r, "what the server had last, opened by us", name, s)
				}
				require.NoError(t, s.Stop(g.ctx))
			}
		}
	})
}

// withServer runs a server meanwhile.
func (g *tripGroup) withServer(t *testing.T, stage tripStage, use func(client func(*trip, string) *tripClient)) {
	t.Helper()
	g.indexed, g.converts = map[string]bool{}, stage.cipher != g.has
	for _, r := range g.trips {
		for _, name := range []string{r.theirs, r.ours} {
			_, err := os.Stat(filepath.Join(oracle.StreamDir(g.dir, name), "msgs", "index.db"))
			g.indexed[name] = err == nil
		}
	}
	running, err := oracle.Start(g.dir, stage.server...)
	require.NoError(t, err)
	t.Cleanup(running.Stop)
	use(func(r *trip, name string) *tripClient {
		g.current, r.history = r, append(r.history, "the server has "+name)
		return &tripClient{ctx: g.ctx, server: running, name: name, config: r.maker.config}
	})
	running.Stop()
	g.had, g.converts = stage, false
	g.has = stage.cipher
	g.checkEncryption(t, stage)
}

// checkEncryption wants each stream to have a key where it is to be encrypted, and no other.
func (g *tripGroup) checkEncryption(t *testing.T, stage tripStage) {
	t.Helper()
	for _, r := range g.trips {
		for _, name := range []string{r.theirs, r.ours} {
			dir := oracle.StreamDir(g.dir, name)
			if _, err := os.Stat(dir); err != nil {
				continue // it is not made yet
			}
			_, err := os.Stat(filepath.Join(dir, "meta.key"))
			require.Equal(t, stage.key != nil, err == nil, "script %d", r.seed)
		}
	}
}

// withOurs runs an actor system meanwhile.
func (g *tripGroup) withOurs(t *testing.T, stage tripStage, use func(open func(r *trip, name string, isNew bool) *tripOurs)) {
	t.Helper()
	system := interop.QuietSystem()
	defer func(s *actor.ActorSystem) { s.Shutdown() }(system)
	use(func(r *trip, name string, isNew bool) *tripOurs {
		g.current, r.history = r, append(r.history, "we have "+name)
		if !isNew {
			g.copied = t.TempDir()
			require.NoError(t, oracle.CopyStream(filepath.Join(g.copied, name), oracle.StreamDir(g.dir, name)))
		}
		s, err := openTrip(g.ctx, system, g.dir, name, r.maker.config, stage, isNew)
		require.NoError(t, err, "script %d", r.seed)
		return s
	})
	g.has = stage.cipher
	g.checkEncryption(t, stage)
}

// play runs operations, and returns the answers.
func (r *trip) play(t *testing.T, s tripStore, name, who string, script []tripOp) (answers []string) {
	t.Helper()
	for _, op := range script {
		r.history = append(r.history, who+": "+op.text)
		answer, err := op.run(s)
		require.NoError(t, err, "script %d: %s", r.seed, op.text)
		answers = append(answers, op.text+": "+answer)
		if op.maxPer != 0 {
			r.maxPer[name] = op.maxPer
		}
	}
	return answers
}

// leave notes what a stream is when it is left to the other.
func (r *trip) leave(t *testing.T, name string, s tripStore) {
	t.Helper()
	state, err := s.observe()
	require.NoError(t, err, "script %d", r.seed)
	r.left[name] = state
}

// find wants a stream to be what it was when it was left.
func (r *trip) find(t *testing.T, what, name string, s tripStore) {
	t.Helper()
	state, err := s.observe()
	require.NoError(t, err, "script %d: %s", r.seed, what)
	require.Equal(t, r.left[name], state, "script %d: %s", r.seed, what)
}

// consume has a consumer take up to ten messages, and returns up to where it has acknowledged all.
func consume(t *testing.T, c *tripClient) uint64 {
	t.Helper()
	js := c.server.JetStream()
	sub, err := js.PullSubscribe(prefix(c.name)+".>", "worker", nats.BindStream(c.name))
	require.NoError(t, err)
	info, err := js.ConsumerInfo(c.name, "worker", nats.Context(c.ctx))
	require.NoError(t, err)
	if n := min(info.NumPending, 10); n > 0 {
		messages, err := sub.Fetch(int(n), nats.Context(c.ctx))
		require.NoError(t, err)
		for _, m := range messages {
			require.NoError(t, m.AckSync(nats.Context(c.ctx)))
		}
	}
	info, err = js.ConsumerInfo(c.name, "worker", nats.Context(c.ctx))
	require.NoError(t, err)
	return info.AckFloor.Stream
}

// findByServer is find for what we have left to the server.
//
// Where there is no index.db, the server reads the blocks, and with MaxMsgs or MaxBytes does not find what was there, not even
// of its own: messages that such a limit has removed leave no trace, and are back when others were removed behind them;
// and those that MaxMsgsPer has removed count when it applies these limits, so that it removes too much. What was back for the
// server goes again when we open the stream, as we have a floor.
func (g *tripGroup) findByServer(t *testing.T, r *trip, what string, c *tripClient) (found bool) {
	t.Helper()
	if limits := r.maker.config; limits.maxMsgs > 0 || limits.maxBytes > 0 {
		if !g.indexed[c.name] {
			r.leave(t, c.name, c)
			g.differs[c.name] = true
			return false
		}
	}
	if want, state := r.left[c.name], r.observe(t, what, c); g.converts && state.LastNanos == 0 && want.Contents[want.Last] == 0 {
		want.LastNanos = 0 // it forgets the last time, where that is not of a message, of a block that it encrypts
		require.Equal(t, want, state, "script %d: %s", r.seed, what)
		return true
	}
	r.find(t, what, c.name, c)
	return true
}

// findOfServer is find for what a server has left to us. A server may leave an index.db that contradicts itself: the number of
// messages in all is another than that in the blocks. Nobody believes it then, and what the server had removed by a limit, or
// has lost the tombstone of, is back. So what we find is what it left, or what it finds itself in the same files.
func (g *tripGroup) findOfServer(t *testing.T, r *trip, what, name string, s *tripOurs) {
	t.Helper()
	state := r.observe(t, what, s)
	if reflect.DeepEqual(r.left[name], state) {
		return
	}
	config := r.maker.config
	if maxPer := r.maxPer[name]; maxPer != 0 {
		config.maxPer = maxPer
	}
	dir := filepath.Join(g.copied, name)
	store, err := oracle.OpenLone(dir, config.forServer(name), 0)
	if g.had.key != nil {
		cipher := server.ChaCha
		if g.had.cipher == actors.CipherAES {
			cipher = server.AES
		}
		store, err = oracle.OpenLoneEncrypted(dir, config.forServer(name), cipher, "$G", tripKey)
	}
	require.NoError(t, err, "script %d: %s", r.seed, what)
	found, err := theirs{store}.observe()
	require.NoError(t, err)
	require.NoError(t, store.Stop())
	if found.FirstNanos != state.FirstNanos && state.Messages > 0 {
		// A server may go on with the first time of a message that it has removed. Ours is that of the one that is first.
		first, err := s.LoadMsg(g.ctx, state.First)
		require.NoError(t, err)
		require.Equal(t, first.Time.UnixNano(), state.FirstNanos, "script %d: %s", r.seed, what)
		require.Less(t, found.FirstNanos, state.FirstNanos, "script %d: %s", r.seed, what)
		found.FirstNanos = state.FirstNanos
	}
	require.Equal(t, found, state.scriptState, "script %d: %s, and by the server itself", r.seed, what)
}

// observe is what there is to be seen of a stream.
func (r *trip) observe(t *testing.T, what string, s tripStore) tripState {
	t.Helper()
	state, err := s.observe()
	require.NoError(t, err, "script %d: %s", r.seed, what)
	return state
}
