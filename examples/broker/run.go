package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// runOptions are the flags of `broker run`.
type runOptions struct {
	dir        string
	duration   time.Duration
	repeat     uint64
	publishers int
	window     int
	maxBytes   int64
	stdin      bool
	stream     string
	subject    string
	verbose    bool
}

func (o *runOptions) register(flags *flag.FlagSet) {
	flags.StringVar(&o.dir, "dir", "data", "the `folder` that holds the streams; left there afterwards")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how long to take in events")
	flags.Uint64Var(&o.repeat, "repeat", 0, "how often to repeat the week at most; 0: as often as -duration allows")
	flags.IntVar(&o.publishers, "publishers", 64, "how many publishers there are")
	flags.IntVar(&o.window, "window", 2, "how many events each publisher has under way")
	flags.Int64Var(&o.maxBytes, "max-bytes", defaultMaxBytes, "how large a stream may get; beyond it the oldest events make room")
	flags.BoolVar(&o.stdin, "stdin", false, "take in NDJSON from standard input instead of the earthquakes")
	flags.StringVar(&o.stream, "stream", quakeStream, "with -stdin: the stream to store into")
	flags.StringVar(&o.subject, "subject", "", "with -stdin: the `template` of a line's subject, as in 'quakes.{{.properties.net}}' (default: the stream's name)")
	flags.BoolVar(&o.verbose, "v", false, "log what the store does")
}

// validate lists everything that is wrong with the flags.
func (o *runOptions) validate() error {
	var wrong []error
	refuse := func(bad bool, format string, values ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, values...))
		}
	}
	refuse(o.dir == "", "-dir is empty")
	refuse(o.duration <= 0, "-duration must be more than 0, not %s", o.duration)
	refuse(o.publishers < 1 || o.publishers > 4096, "-publishers must be 1 to 4096, not %d", o.publishers)
	refuse(o.window < 1 || o.window > 1024, "-window must be 1 to 1024, not %d", o.window)
	refuse(o.maxBytes < 16<<20, "-max-bytes must be at least 16 MiB, not %d", o.maxBytes)
	refuse(!o.stdin && o.subject != "", "-subject needs -stdin")
	refuse(!o.stdin && o.stream != quakeStream, "-stream needs -stdin")
	if err := validateStream(o.stream); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// A mainJob is one `broker run`: take in, stop, reopen, read back, compare.
type mainJob struct {
	options runOptions
	out     io.Writer
	logger  *slog.Logger
	week    *week
	system  *actor.ActorSystem
	onAck   func(acknowledgement) // for tests

	broker   *Broker
	topic    *Topic
	found    actors.State // before the run
	stopped  actors.State // before the stop
	reopened actors.State
	group    float64 // events per sync during the ingest, on average
	ingest   *ingest
	took     struct{ ingest, stop, reopen, replay time.Duration }
	live     *ingest // what came during the replay
	replay   *replay
}

// stopPatience bounds the wait for a clean stop.
const stopPatience = 30 * time.Second

// runMainJob does it all and prints the table. It fails when anything differs from what was acknowledged.
func runMainJob(ctx context.Context, options runOptions, out io.Writer, logger *slog.Logger) error {
	loaded, err := loadWeek()
	if err != nil {
		return err
	}
	job := &mainJob{options: options, out: out, logger: logger, week: loaded, system: newSystem(logger)}
	defer job.system.Shutdown()
	return job.run(ctx)
}

func (j *mainJob) run(ctx context.Context) (err error) {
	if err := j.open(ctx); err != nil {
		return err
	}
	defer func() {
		if j.broker != nil {
			err = joinFailures(err, j.close(ctx))
		}
	}()
	if j.found, err = j.topic.Store.FastState(ctx); err != nil {
		return fmt.Errorf("reading the stream's state: %w", err)
	}
	j.introduce()
	for _, step := range []func(context.Context) error{j.takeIn, j.stop, j.reopen, j.readBack} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	j.report()
	return j.verdict()
}

// open starts a broker on the data folder, with the stream in it.
func (j *mainJob) open(ctx context.Context) error {
	config := BrokerConfig{Dir: j.options.dir, MaxBytes: j.options.maxBytes, Logger: j.logger}
	broker, err := StartBroker(ctx, j.system, config)
	if err != nil {
		return err
	}
	j.broker = broker
	if j.topic, err = broker.Topic(ctx, quakeStream, true); err != nil {
		return fmt.Errorf("opening stream %q: %w", quakeStream, errors.Join(err, j.close(ctx)))
	}
	return nil
}

// close stops the broker also when ctx has ended: what was acknowledged is safe either way, but a
// clean stop makes the next start quick.
func (j *mainJob) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	err := j.broker.Stop(ctx)
	j.broker = nil
	return err
}

// joinFailures joins two errors, unless both are of a storage that failed: a store that has failed says so
// to everybody, and again when it stops.
func joinFailures(first, second error) error {
	if errors.Is(first, actors.ErrFailed) && errors.Is(second, actors.ErrFailed) {
		return first
	}
	return errors.Join(first, second)
}

func (j *mainJob) introduce() {
	fmt.Fprintf(j.out, "Millrace broker: %s earthquakes of a week (%s), again and again, durably, into %s\n",
		grouped(len(j.week.quakes)), size(j.week.bytes), j.options.dir)
	if j.found.LastSequence == 0 {
		fmt.Fprintf(j.out, "found     nothing: stream %q is new; it keeps at most %s, then the oldest events make room\n", quakeStream, size(j.options.maxBytes))
		return
	}
	fmt.Fprintf(j.out, "found     %s events (sequences %s to %s, %s of at most %s); going on at sequence %s\n",
		grouped(j.found.Messages), grouped(j.found.FirstSequence), grouped(j.found.LastSequence),
		size(j.found.Bytes), size(j.options.maxBytes), grouped(j.found.LastSequence+1))
}

// ingestLimit keeps a run to three quarters of what the stream holds, so that no limit removes what the
// run is about to read back.
func (j *mainJob) ingestLimit() uint64 {
	const overhead = 128 // a record's fields, subject and id
	perEvent := uint64(j.week.bytes/len(j.week.quakes) + overhead)
	limit := uint64(j.options.maxBytes) / 4 * 3 / perEvent
	if j.options.repeat > 0 {
		limit = min(limit, j.options.repeat*uint64(len(j.week.quakes)))
	}
	return limit
}

func (j *mainJob) takeIn(ctx context.Context) error {
	j.ingest = &ingest{
		feed:  newFeed(j.week, j.found.LastSequence, j.ingestLimit()),
		topic: j.topic, publishers: j.options.publishers, window: j.options.window, onAck: j.onAck,
	}
	before := j.topic.Store.Stats()
	timer := time.AfterFunc(j.options.duration, j.ingest.feed.end)
	defer timer.Stop()
	started := time.Now()
	err := j.during("ingest  ", &j.ingest.acked, "durable", func() error { return j.ingest.run(ctx) })
	j.took.ingest = time.Since(started)
	if err != nil {
		return fmt.Errorf("taking in events: %w", err)
	}
	if j.stopped, err = j.topic.Store.FastState(ctx); err != nil {
		return fmt.Errorf("reading the stream's state: %w", err)
	}
	j.group = meanGroup(before, j.topic.Store.Stats())
	return nil
}

func (j *mainJob) stop(ctx context.Context) error {
	started := time.Now()
	err := j.close(ctx)
	j.took.stop = time.Since(started)
	return err
}

func (j *mainJob) reopen(ctx context.Context) error {
	started := time.Now()
	if err := j.open(ctx); err != nil {
		return fmt.Errorf("reopening: %w", err)
	}
	j.took.reopen = time.Since(started)
	var err error
	if j.reopened, err = j.topic.Store.FastState(ctx); err != nil {
		return fmt.Errorf("reading the recovered state: %w", err)
	}
	if err := sameState(j.stopped, j.reopened); err != nil {
		return fmt.Errorf("the data folder %s has not kept the stream: %w", j.options.dir, err)
	}
	fmt.Fprintf(j.out, "reopened  in %s after a stop of %s: %s\n", brief(j.took.reopen), brief(j.took.stop), describeState(j.reopened))
	return nil
}

// sameState tells what a stop and a reopening have changed, which must be nothing.
func sameState(before, after actors.State) error {
	if before.Messages == after.Messages && before.Bytes == after.Bytes &&
		before.FirstSequence == after.FirstSequence && before.LastSequence == after.LastSequence {
		return nil
	}
	return fmt.Errorf("before the stop it held %s; reopened, it holds %s", describeState(before), describeState(after))
}

// readBack replays to three subscribers, and publishes the week once more while they read: each of them
// has to pass from what is stored to what arrives without a gap.
func (j *mainJob) readBack(ctx context.Context) error {
	base, last := j.found.LastSequence, j.reopened.LastSequence
	j.replay = newReplay(j.topic)
	for _, subscriber := range []struct {
		name string
		from uint64
	}{
		{"everything", j.oldest()},
		{"this run", base + 1},
		{"second half", base + 1 + (last-base)/2},
	} {
		j.replay.add(subscriber.name, subscriber.from, newChecker(j.week, base))
	}
	j.live = &ingest{topic: j.topic, publishers: 4, window: 4}
	// The live events go on counting where the ingest ended, so that their ids are new.
	j.live.feed = newFeed(j.week, base, j.ingest.feed.next.Load()+uint64(len(j.week.quakes)))
	j.live.feed.next.Store(j.ingest.feed.next.Load())

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		if err := j.live.run(ctx); err != nil {
			cancel(fmt.Errorf("publishing during the replay: %w", err))
			return
		}
		j.replay.endAt(last + uint64(len(j.live.acks)))
	})
	started := time.Now()
	err := j.during("replay  ", &j.replay.messages, "read", func() error { return j.replay.run(ctx) })
	j.took.replay = time.Since(started)
	cancel(err)
	publishing.Wait()
	return err
}

// oldest is where a subscriber that wants everything begins. In a full stream the events that arrive
// during the replay push out as many of the oldest, and those are left out.
func (j *mainJob) oldest() uint64 {
	first := max(j.reopened.FirstSequence, 1)
	if j.reopened.Bytes+uint64(2*j.week.bytes) < uint64(j.options.maxBytes) {
		return first
	}
	return min(first+uint64(2*len(j.week.quakes)), j.found.LastSequence+1)
}

// during runs work and shows how a counter moves meanwhile.
func (j *mainJob) during(phase string, counter interface{ Load() uint64 }, verb string, work func() error) error {
	line, done, finished := newProgressLine(j.out), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		finished <- work()
	}()
	started, previous, previousAt := time.Now(), uint64(0), time.Duration(0)
	rate := uint64(0)
	line.watch(done, func(elapsed time.Duration) string {
		count := counter.Load()
		if elapsed-previousAt >= 500*time.Millisecond {
			rate = perSecond(count-previous, elapsed-previousAt)
			previous, previousAt = count, elapsed
		}
		return fmt.Sprintf("%s  %5.1f s  %12s events %s  %11s/s", phase, elapsed.Seconds(), grouped(count), verb, grouped(rate))
	})
	elapsed, count := time.Since(started), counter.Load()
	line.finish(fmt.Sprintf("%s  %5.1f s  %12s events %s  %11s/s on average", phase, elapsed.Seconds(), grouped(count), verb, grouped(perSecond(count, elapsed))))
	return <-finished
}

// verdict fails when anything that was read differs from what was acknowledged.
func (j *mainJob) verdict() error {
	var wrong []error
	acks := append(append([]acknowledgement(nil), j.ingest.acks...), j.live.acks...)
	for i := range j.replay.subscribers {
		subscriber := &j.replay.subscribers[i]
		subscriber.checker.matches(acks, subscriber.from)
		if err := subscriber.checker.err(); err != nil {
			wrong = append(wrong, fmt.Errorf("subscriber %q: %w", subscriber.name, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		fmt.Fprintf(j.out, "\nNOT EQUAL: %v\n", err)
		return errors.New("what was read back differs from its source")
	}
	fmt.Fprintf(j.out, "\nEvery event that was acknowledged was read back, byte for byte equal to its source.\n")
	return nil
}

// report prints the table.
func (j *mainJob) report() {
	events := uint64(len(j.ingest.acks))
	stored := uint64(0)
	for _, ack := range j.ingest.acks {
		stored += uint64(len(j.ingest.feed.event(ack.number).line))
	}
	ending := ""
	if j.options.repeat == 0 && j.took.ingest < j.options.duration*9/10 {
		ending = ", until three quarters of -max-bytes were written"
	}
	t := table{title: fmt.Sprintf("The main job on %s/%s with %d processors", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))}
	t.row("events", "%s in %s from %d publishers with %d under way each%s", grouped(events), brief(j.took.ingest), j.options.publishers, j.options.window, ending)
	t.row("bytes", "%s of payload, %s/s", size(stored), size(perSecond(stored, j.took.ingest)))
	t.row("rate", "%s events/s, each acknowledged when durable", grouped(perSecond(events, j.took.ingest)))
	t.row("acknowledgement", "p50 %s, p99 %s", brief(j.ingest.latencies.quantile(0.50)), brief(j.ingest.latencies.quantile(0.99)))
	t.row("mean group size", "%.1f events per sync", j.group)
	t.row("stop, reopen", "%s, %s", brief(j.took.stop), brief(j.took.reopen))
	t.row("recovered state", "%s", describeState(j.reopened))
	total := uint64(0)
	for i := range j.replay.subscribers {
		subscriber := &j.replay.subscribers[i]
		total += subscriber.checker.messages
		t.row("subscriber "+fmt.Sprint(i+1), "%s: %s events from sequence %s, %s/s", subscriber.name,
			grouped(subscriber.checker.messages), grouped(subscriber.from), grouped(perSecond(subscriber.checker.messages, subscriber.elapsed)))
	}
	t.row("replay rate", "%s events/s to %d subscribers together, each event compared", grouped(perSecond(total, j.took.replay)), len(j.replay.subscribers))
	t.row("live", "%s events published during the replay and passed on", grouped(len(j.live.acks)))
	if foreign := j.replay.subscribers[0].checker.foreign; foreign > 0 {
		t.row("not compared", "%s older messages that came from elsewhere", grouped(foreign))
	}
	t.print(j.out)
}

func describeState(state actors.State) string {
	text := fmt.Sprintf("%s events, sequences %s to %s, %s", grouped(state.Messages), grouped(state.FirstSequence), grouped(state.LastSequence), size(state.Bytes))
	if state.LostMessages > 0 {
		text += fmt.Sprintf("; the disk has lost %s", grouped(state.LostMessages))
	}
	return text
}

// meanGroup is how many records a sync made durable on average, between two moments.
func meanGroup(before, after actors.Stats) float64 {
	groups := after.Groups.Count - before.Groups.Count
	if groups == 0 {
		return 0
	}
	return (after.Groups.Sum - before.Groups.Sum) / float64(groups)
}
