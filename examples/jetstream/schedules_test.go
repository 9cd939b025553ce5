package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// publishSchedule has a client publish a schedule.
func publishSchedule(t *testing.T, s *oracle.Server, subject, pattern, target string, more ...string) {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte("by " + subject)
	m.Header.Set("Nats-Schedule", pattern)
	m.Header.Set("Nats-Schedule-Target", target)
	m.Header.Set("Mine", "kept")
	for i := 0; i < len(more); i += 2 {
		m.Header.Set(more[i], more[i+1])
	}
	_, err := s.JetStream().PublishMsg(m)
	require.NoError(t, err)
}

var producedTimes = regexp.MustCompile(`Next: 2[^\r]+`)

// shape is a header block of a produced message without its time, and with the same name for all that are due once.
func shape(block []byte) string {
	return strings.Replace(producedTimes.ReplaceAllString(string(block), "Next: a time"), "mill.later", "mill.soon", 1)
}

// TestSchedulesGoOnFromServerToMillraceAndBack: the server begins schedules, Millrace goes on with them, and then the
// server. What the two produce is the same but for the times.
func TestSchedulesGoOnFromServerToMillraceAndBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	storeDir := t.TempDir()
	theirs, err := oracle.Start(storeDir)
	require.NoError(t, err)
	t.Cleanup(theirs.Stop)
	require.NoError(t, theirs.CreateStream(server.StreamConfig{
		Name: millraceStream, Subjects: []string{"mill.>"}, Storage: server.FileStorage, AllowMsgSchedules: true, AllowMsgTTL: true,
	}, 0))
	publishSchedule(t, theirs, "mill.every", "@every 1s", "mill.out.every", "Nats-Schedule-TTL", "1h")
	publishSchedule(t, theirs, "mill.cron", "*/1 * * * * *", "mill.out.cron", "Nats-Schedule-Time-Zone", "Europe/Amsterdam", "Nats-Schedule-Rollup", "sub")
	publishSchedule(t, theirs, "mill.soon", "@at "+time.Now().Add(time.Second).UTC().Format(time.RFC3339), "mill.out.soon", "Nats-Schedule-Source", "mill.in")
	publishSchedule(t, theirs, "mill.later", "@at "+time.Now().Add(8*time.Second).UTC().Format(time.RFC3339), "mill.out.soon", "Nats-Schedule-Source", "mill.in")
	_, err = theirs.JetStream().Publish("mill.in", []byte("news"))
	require.NoError(t, err)

	// has waits until the server has so many messages of a subject, and returns the last of each subject.
	has := func(subject string, count uint64) map[string]oracle.Message {
		require.Eventually(t, func() bool {
			state, err := theirs.State(ctx, millraceStream)
			return err == nil && state.Subjects[subject] >= count
		}, time.Minute, 50*time.Millisecond, subject)
		state, err := theirs.State(ctx, millraceStream)
		require.NoError(t, err)
		last := map[string]oracle.Message{}
		for m, err := range theirs.Messages(ctx, millraceStream, state.First, state.Last) {
			require.NoError(t, err)
			last[m.Subject] = m
		}
		return last
	}
	has("mill.out.soon", 1)
	produced := has("mill.out.every", 2)
	require.NotContains(t, produced, "mill.soon")
	before := produced["mill.out.every"]
	var count uint64

	require.NoError(t, theirs.Restart(func() error {
		dir := filepath.Dir(oracle.StreamDir(storeDir, millraceStream))
		system := interop.QuietSystem()
		defer system.Shutdown()
		ours, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: millraceStream})
		if err != nil {
			return err
		}
		seen := map[string]int{}
		for m, err := range ours.Messages(ctx, actors.From(before.Sequence+1), actors.Follow(), actors.Filter("mill.out.>")) {
			if err != nil {
				return err
			}
			like := produced[m.Subject]
			if shape(m.HeaderBlock) != shape(like.Header) {
				return fmt.Errorf("%s: header block %q, the server's %q", m.Subject, m.HeaderBlock, like.Header)
			}
			if m.Subject != "mill.out.soon" && string(m.Payload) != string(like.Payload) {
				return fmt.Errorf("%s: payload %q", m.Subject, m.Payload)
			}
			if seen[m.Subject]++; seen["mill.out.every"] >= 3 && seen["mill.out.cron"] >= 3 && seen["mill.out.soon"] >= 1 {
				break
			}
		}
		totals, err := ours.SubjectsTotals(ctx)
		count = totals["mill.out.every"]
		if err == nil && totals["mill.out.cron"] != 1 {
			err = fmt.Errorf("%d messages, of which each takes the place of those before", totals["mill.out.cron"])
		}
		if stop := ours.Stop(ctx); err == nil {
			err = stop
		}
		return err
	}))

	after := has("mill.out.every", count+2)
	require.NotContains(t, after, "mill.later", "Millrace has fired it")
	require.Equal(t, "news", string(after["mill.out.soon"].Payload))
	state, err := theirs.State(ctx, millraceStream)
	require.NoError(t, err)
	require.EqualValues(t, 2, state.Subjects["mill.out.soon"], "once each")
	require.EqualValues(t, 1, state.Subjects["mill.out.cron"])
}
