package main

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/rawblock"
)

// restart restarts the server, with its index.db or without.
func restart(keepIndex bool) step {
	name := "restart without index"
	if keepIndex {
		name = "restart with index"
	}
	return step{name: name, run: func(t *testing.T, r *trial) {
		t.Helper()
		require.NoError(t, r.server.Restart(func() error {
			if keepIndex {
				return nil
			}
			return r.server.RemoveIndex(imageStream)
		}))
	}}
}

// publish publishes messages and waits for each acknowledgement.
func publish(count int) step {
	return step{name: fmt.Sprintf("publish %d", count), run: func(t *testing.T, r *trial) {
		t.Helper()
		for i := range count {
			_, err := r.server.JetStream().Publish(fmt.Sprintf("marks.%d", i), fmt.Appendf(nil, "published %d", i))
			require.NoError(t, err)
		}
	}}
}

// remove deletes messages, leaving their bytes.
func remove(sequences ...uint64) step {
	return step{name: "remove", run: func(t *testing.T, r *trial) {
		t.Helper()
		for _, sequence := range sequences {
			require.NoError(t, r.server.JetStream().DeleteMsg(imageStream, sequence))
		}
	}}
}

// removeRange deletes what there is of first .. last, upwards.
func removeRange(first, last uint64) step {
	return step{name: fmt.Sprintf("remove %d..%d", first, last), run: func(t *testing.T, r *trial) {
		t.Helper()
		for sequence := first; sequence <= last; sequence++ {
			_ = r.server.JetStream().DeleteMsg(imageStream, sequence) // some are gone already
		}
	}}
}

// removeBackwards deletes last .. first, downwards.
func removeBackwards(last, first uint64) step {
	return step{name: fmt.Sprintf("remove %d..%d", last, first), run: func(t *testing.T, r *trial) {
		t.Helper()
		for sequence := last; sequence >= first; sequence-- {
			require.NoError(t, r.server.JetStream().DeleteMsg(imageStream, sequence))
		}
	}}
}

// removeAlternating deletes two of three, from first to last, which leaves interior deletes.
func removeAlternating(first, last uint64) step {
	return step{name: fmt.Sprintf("remove 2/3 of %d..%d", first, last), run: func(t *testing.T, r *trial) {
		t.Helper()
		for sequence := first; sequence <= last; sequence++ {
			if sequence%3 != 0 {
				require.NoError(t, r.server.JetStream().DeleteMsg(imageStream, sequence))
			}
		}
	}}
}

// erase deletes messages and overwrites their bytes.
func erase(sequences ...uint64) step {
	return step{name: "erase", run: func(t *testing.T, r *trial) {
		t.Helper()
		for _, sequence := range sequences {
			require.NoError(t, r.server.JetStream().SecureDeleteMsg(imageStream, sequence))
		}
	}}
}

// purge purges by the request.
func purge(request nats.StreamPurgeRequest) step {
	return step{name: fmt.Sprintf("purge %+v", request), run: func(t *testing.T, r *trial) {
		t.Helper()
		require.NoError(t, r.server.JetStream().PurgeStream(imageStream, &request))
	}}
}

// appendOffline stops the server, appends a group to block index as Millrace would, and starts the
// server again, over the index.db that it wrote before. Without records it leaves a mark alone,
// as a crash between mark and group does.
func appendOffline(index int, records *group) step {
	name := fmt.Sprintf("append a mark alone to block %d", index)
	if records != nil {
		name = fmt.Sprintf("append %d records to block %d", records.records, index)
	}
	return step{name: name, run: func(t *testing.T, r *trial) {
		t.Helper()
		require.NoError(t, r.server.Restart(func() error {
			block := rawblock.New(imageStream, index)
			block.Append(r.blockFiles(t)[fmt.Sprintf("%d.blk", index)])
			if records == nil {
				r.mark(block, 5, nil)
			} else {
				sizing := rawblock.New(imageStream, index)
				records.write(sizing)
				r.mark(block, records.records, sizing.Bytes())
				records.write(block)
			}
			return block.WriteTo(r.streamDir())
		}))
	}}
}
