package actors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	idKillRounds  = 6
	idKillWriters = 5
	idKillAcks    = 300
	idKillWindow  = 8 // of the writer with a pipeline
)

func idKillConfig(dir string, level SyncLevel) Config {
	c := killConfig(dir, level)
	c.Duplicates, c.MaxDuplicates = time.Hour, 1_000_000
	return c
}

// TestRetriesAfterAKillAreStoredOnce kills a process that stores messages with ids, again and again, and stores all
// that it may have stored again: what was acknowledged is answered with its sequence, and in the end every message
// is there exactly once.
func TestRetriesAfterAKillAreStoredOnce(t *testing.T) {
	for _, level := range []SyncLevel{SyncAlways, SyncInterval, SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			dir := t.TempDir()
			rng := randomOf(*crashSeed, 100+int64(level))
			want := map[string]bool{}
			for round := range idKillRounds {
				acked := map[uint64]string{}
				require.NoError(t, killOnce("TestIDKillChild", dir, level, round, 1+rng.Intn(idKillAcks), acked))
				require.NoError(t, idRetry(dir, level, round, acked, want))
			}
			t.Logf("%d kills, %d messages", idKillRounds, len(want))
		})
	}
}

// idRetry stores all messages of a round again that were acknowledged or may have been on their way, and looks
// through the stream.
func idRetry(dir string, level SyncLevel, round int, acked map[uint64]string, want map[string]bool) (err error) {
	ctx := context.Background()
	store, err := Open(ctx, faultSystem, idKillConfig(dir, level))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Stop(ctx)) }()
	sequences, most := map[string]uint64{}, [idKillWriters]int{}
	for sequence, id := range acked {
		sequences[id] = sequence
		var writer, n int
		if _, err := fmt.Sscanf(id, strconv.Itoa(round)+"-%d-%d", &writer, &n); err != nil {
			return err
		}
		most[writer] = max(most[writer], n)
	}
	for writer, n := range most {
		for i := range n + 1 + idKillWindow {
			id := fmt.Sprintf("%d-%d-%d", round, writer, i)
			ack, err := store.StoreMsg(ctx, "kill."+id, nil, killPayload(id), MsgID(id))
			sequence, wasAcked := sequences[id]
			if err != nil || wasAcked && level != SyncNever && (!ack.Duplicate || ack.Sequence != sequence) {
				return fmt.Errorf("%s, acknowledged as %d: %+v, %w", id, sequence, ack, err)
			}
			want[id] = true
		}
	}
	seen := map[string]uint64{}
	for m, err := range store.Messages(ctx, Borrowed()) {
		if err != nil {
			return err
		}
		header, err := m.Header()
		if err != nil {
			return err
		}
		id := header.Get(msgIDHeader)
		if first, twice := seen[id]; twice || !want[id] {
			return fmt.Errorf("%s is there as %d, and as %d", id, first, m.Sequence)
		}
		seen[id] = m.Sequence
	}
	if len(seen) != len(want) {
		return fmt.Errorf("%d of %d messages are there", len(seen), len(want))
	}
	return nil
}

// TestIDKillChild is the child.
func TestIDKillChild(t *testing.T) {
	beKilled(t, idKillConfig, idKillWriters, func(store *Store, writer int, prefix string) error {
		if writer == 0 {
			return idWritePipelined(store, prefix)
		}
		return idWriteEach(store, prefix)
	})
}

// idWriteEach stores one message after the other, and now and then a batch of two.
func idWriteEach(store *Store, prefix string) error {
	ctx := context.Background()
	for n := 0; ; n++ {
		id := prefix + strconv.Itoa(n)
		if n%5 > 0 {
			ack, err := store.StoreMsg(ctx, "kill."+id, nil, killPayload(id), MsgID(id))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(os.Stdout, "acked %d %s\n", ack.Sequence, id); err != nil {
				return err
			}
			continue
		}
		n++
		next := prefix + strconv.Itoa(n)
		ack, err := store.StoreBatch(ctx, []BatchMessage{
			{Subject: "kill." + id, Payload: killPayload(id), Options: []StoreOption{MsgID(id)}},
			{Subject: "kill." + next, Payload: killPayload(next), Options: []StoreOption{MsgID(next)}},
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "acked %d %s\nacked %d %s\n", ack.First, id, ack.Last, next); err != nil {
			return err
		}
	}
}

// idWritePipelined has a window of messages on their way.
func idWritePipelined(store *Store, prefix string) error {
	failed := make(chan error, 1)
	p := store.Pipeline(idKillWindow, func(r PipelineResult) {
		err := r.Err
		if err == nil {
			_, err = fmt.Fprintf(os.Stdout, "acked %d %s%d\n", r.Ack.Sequence, prefix, r.Index)
		}
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	})
	for n := 0; len(failed) == 0; n++ {
		id := prefix + strconv.Itoa(n)
		if _, err := p.Store(context.Background(), "kill."+id, nil, killPayload(id), MsgID(id)); err != nil {
			return err
		}
	}
	return <-failed
}
