package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	heapStored   = "just stored"
	heapIdle     = "idle"
	heapReopened = "reopened"
	heapFew      = "idle with 100 subjects"
)

// fewSubjects is on how many subjects the messages of heapFew are.
const fewSubjects = 100

// heapRows are the rows about the memory of a store that does nothing.
func heapRows(s size) []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	most := func(extra string, bound float64) target {
		return target{against: millraceName, figure: extraFigure, extra: extra, unit: measure.MiB, bound: bound}
	}
	return []row{{
		name: "heap", title: "heap with " + count(s.heapMessages) + " messages, each on its subject",
		once: true, together: true,
		contestants: each(list, func(p peers.Peer) contestant { return &weighing{peer: p} }),
		targets:     []target{most(heapStored, 90), most(heapIdle, 60), most(heapReopened, 60), most(heapFew, 2)},
	}}
}

// weighing measures the heap of a store. The stores are in processes of their own, so that nothing
// else is in the heap, and two can be idle at a time.
type weighing struct {
	peer peers.Peer
}

func (w *weighing) name() string { return w.peer.Name }
func (w *weighing) close() error { return nil }

func (w *weighing) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	messages := place.size.heapMessages
	many, few := probe{Messages: messages, Subjects: messages}, probe{Messages: messages, Subjects: fewSubjects}
	waiting := make(chan error, 1)
	var withFew heaps
	go func() {
		var err error
		withFew, err = w.probe(ctx, place, few)
		waiting <- err
	}()
	withMany, err := w.probe(ctx, place, many)
	if err := errors.Join(err, <-waiting); err != nil {
		return run, err
	}
	return measure.Run{Messages: int64(messages), Extras: []measure.Extra{
		{Name: heapStored, Value: withMany.Stored, Unit: measure.MiB},
		{Name: heapIdle, Value: withMany.Idle, Unit: measure.MiB},
		{Name: heapReopened, Value: withMany.Reopened, Unit: measure.MiB},
		{Name: heapFew, Value: withFew.Idle, Unit: measure.MiB},
	}}, nil
}

// probe asks another process of this program to fill a store and to measure its heap.
type probe struct {
	Peer               string
	Dir                string
	Messages, Subjects int
	Idle               time.Duration
	TTL                *lifetimes // the probe is one of expiring, and not of weighing
	Streams            int        // the probe is one of many streams
}

// heaps is what a probe answers: by how much the heap has grown since before the store was opened, in
// MiB.
type heaps struct {
	Stored, Idle, Reopened float64
}

// probeVariable is set in the environment of a process that is to be a probe.
const probeVariable = "COMPARE_HEAP_PROBE"

// probe runs a probe in a process of its own.
func (w *weighing) probe(ctx context.Context, place workplace, p probe) (measured heaps, err error) {
	p.Peer, p.Idle = w.peer.Name, place.size.heapIdle
	err = p.ask(ctx, place, &measured)
	return measured, err
}

// ask runs a probe in a process of its own.
func (p probe) ask(ctx context.Context, place workplace, answers any) (err error) {
	dir, remove, err := place.freshDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	p.Dir = dir
	asked, err := json.Marshal(p)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, program)
	command.Env = append(os.Environ(), probeVariable+"="+string(asked))
	command.Stderr = os.Stderr
	answer, err := command.Output()
	if err != nil {
		return fmt.Errorf("the process that measures: %w", err)
	}
	return json.Unmarshal(answer, answers)
}

// isProbe says whether this process was started by a probe, and if so, does what it was started for.
func isProbe(ctx context.Context, out io.Writer) (bool, error) {
	asked := os.Getenv(probeVariable)
	if asked == "" {
		return false, nil
	}
	var p probe
	if err := json.Unmarshal([]byte(asked), &p); err != nil {
		return true, err
	}
	var measured any
	var err error
	switch {
	case p.TTL != nil:
		measured, err = p.expire(ctx)
	case p.Streams > 0:
		measured, err = p.crowd(ctx)
	default:
		measured, err = p.measure(ctx)
	}
	return true, errors.Join(err, json.NewEncoder(out).Encode(measured))
}

// peer is the store that the probe is about, of a process that has all that stores share.
func (p probe) peer() peers.Peer {
	peers.StartActorSystem()
	if p.Peer == millraceName {
		return peers.Millrace(peers.Buffered)
	}
	return peers.NATS(peers.NATSAsync)
}

// measure fills a store and looks at the heap at once, when it was left alone, and when it was opened
// again. The subjects are made as they are needed, and are not held.
func (p probe) measure(ctx context.Context) (measured heaps, err error) {
	peer := p.peer()
	before := measure.Heap()
	grown := func() float64 { return float64(measure.Heap()-before) / (1 << 20) }
	store, err := peers.OpenAs[peers.ScanStore](peer, p.Dir)
	if err != nil {
		return measured, err
	}
	if err := kvShape(p.Messages, p.Subjects).fill(ctx, store); err != nil {
		return measured, errors.Join(err, store.Close())
	}
	measured.Stored = grown()
	time.Sleep(p.Idle)
	measured.Idle = grown()
	if err := store.Close(); err != nil {
		return measured, err
	}
	if store, err = peers.OpenAs[peers.ScanStore](peer, p.Dir); err != nil {
		return measured, err
	}
	measured.Reopened = grown()
	return measured, store.Close()
}
