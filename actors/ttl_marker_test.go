package actors_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

const markerBlock = "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: 10s\r\nNats-Rollup: sub\r\n\r\n"

// markersOf returns the sequences of the markers that are there, by their subjects.
func markersOf(t *testing.T, s *actors.Store) map[string]uint64 {
	t.Helper()
	markers := map[string]uint64{}
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		if string(m.HeaderBlock) == markerBlock {
			require.Empty(t, m.Payload)
			markers[m.Subject] = m.Sequence
		}
	}
	return markers
}

// TestMarkers: the last message of a subject that goes for its age or by its TTL leaves a marker, which goes by its own
// TTL and leaves none. What somebody asks to remove, or another limit removes, leaves none either.
func TestMarkers(t *testing.T) {
	for _, row := range []struct {
		name  string
		set   func(*actors.Config)
		put   func(t *testing.T, s *actors.Store)
		after time.Duration
		want  map[string]uint64
		live  uint64 // and how many messages there are
	}{
		{"by age", func(c *actors.Config) { c.MaxAge = 30 * time.Second }, func(t *testing.T, s *actors.Store) {
			mustStore(t, s, "a", "")
			mustStore(t, s, "b", "")
			mustStore(t, s, "a", "")
			mustStoreRaw(t, s, "", "no subject")
		}, 30 * time.Second, map[string]uint64{"a": 6, "b": 5}, 2},
		{"by TTL", nil, func(t *testing.T, s *actors.Store) {
			mustStoreFor(t, s, "a", time.Second)
			mustStoreFor(t, s, "b", 5*time.Second)
			mustStore(t, s, "c", "")
		}, time.Second, map[string]uint64{"a": 4}, 3},
		{"not the last of its subject, older", nil, func(t *testing.T, s *actors.Store) {
			mustStoreFor(t, s, "a", time.Second)
			mustStore(t, s, "a", "")
		}, time.Second, map[string]uint64{}, 1},
		{"not the last of its subject, newer", nil, func(t *testing.T, s *actors.Store) {
			mustStore(t, s, "a", "")
			mustStoreFor(t, s, "a", time.Second)
		}, time.Second, map[string]uint64{}, 1},
		{"two that are due together", nil, func(t *testing.T, s *actors.Store) {
			mustStoreFor(t, s, "a", time.Second)
			mustStoreFor(t, s, "a", time.Second)
		}, time.Second, map[string]uint64{"a": 3}, 1},
		{"a purge of a key is a marker", nil, func(t *testing.T, s *actors.Store) {
			_, err := s.StoreMsg(t.Context(), "a", actors.Header{"KV-Operation": {"PURGE"}}, nil, actors.TTL(time.Second))
			require.NoError(t, err)
		}, time.Second, map[string]uint64{}, 0},
		{"a deletion of a key is none", nil, func(t *testing.T, s *actors.Store) {
			_, err := s.StoreMsg(t.Context(), "a", actors.Header{"KV-Operation": {"DEL"}}, nil, actors.TTL(time.Second))
			require.NoError(t, err)
		}, time.Second, map[string]uint64{"a": 2}, 1},
		{"with MaxMsgsPer", func(c *actors.Config) { c.MaxMsgsPer = 1 }, func(t *testing.T, s *actors.Store) {
			mustStoreFor(t, s, "a", time.Second)
			mustStoreFor(t, s, "a", 2*time.Second)
		}, 2 * time.Second, map[string]uint64{"a": 3}, 1},
		{"what is removed leaves none", func(c *actors.Config) { c.MaxMsgs = 2 }, func(t *testing.T, s *actors.Store) {
			for _, subject := range []string{"a", "b", "c", "d"} {
				mustStoreFor(t, s, subject, time.Second)
			}
			_, err := s.RemoveMsg(t.Context(), 3)
			require.NoError(t, err)
			_, err = s.Purge(t.Context())
			require.NoError(t, err)
		}, time.Second, map[string]uint64{}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := inMemory()
				config.SubjectDeleteMarkerTTL = 10*time.Second + 999*time.Millisecond
				if row.set != nil {
					row.set(&config)
				}
				s := open(t, config)
				row.put(t, s)
				waitFor(row.after + 300*time.Millisecond)
				require.Equal(t, row.want, markersOf(t, s))
				require.Equal(t, row.live, stateOf(t, s).Messages)
				if len(row.want) > 0 {
					waitFor(10 * time.Second)
					for subject := range row.want {
						require.NotContains(t, markersOf(t, s), subject)
					}
				}
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

// TestMarkersOfWhatExpiredWhileTheStoreWasClosed come when it is open again, not before anybody can be told.
func TestMarkersOfWhatExpiredWhileTheStoreWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.MaxAge, config.SubjectDeleteMarkerTTL = time.Minute, 10*time.Second
		s := open(t, config)
		mustStore(t, s, "a", "")
		mustStoreFor(t, s, "b", actors.Forever)
		mustStoreFor(t, s, "c", time.Second)
		require.NoError(t, s.Stop(t.Context()))
		waitFor(time.Hour)
		s = open(t, config)
		waitFor(time.Second)
		markers := markersOf(t, s)
		require.Len(t, markers, 2)
		require.ElementsMatch(t, []uint64{4, 5}, []uint64{markers["a"], markers["c"]})
		require.Equal(t, []uint64{2, 4, 5}, liveOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestNoticesOfTTLsAndMarkers: one for each message, with its reason; the marker comes behind the message whose place it
// takes.
func TestNoticesOfTTLsAndMarkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.MaxAge, config.SubjectDeleteMarkerTTL = time.Minute, 10*time.Second
		s := open(t, config)
		mustStoreFor(t, s, "a", time.Second)
		mustStore(t, s, "b", "")
		type told struct {
			reason   actors.NoticeReason
			messages int64
			sequence uint64
			subject  string
		}
		var list []told
		taker, err := s.Notices(t.Context(), func(notices []actors.Notice) {
			for _, n := range notices {
				list = append(list, told{n.Reason, n.Messages, n.Sequence, n.Subject})
			}
		})
		require.NoError(t, err)
		waitFor(2 * time.Minute)
		require.NoError(t, taker.Wait(t.Context()))
		require.Equal(t, []told{
			{actors.NoticeRegistered, 0, 0, ""},
			{actors.NoticeTTL, -1, 1, "a"}, {actors.NoticeStored, 1, 3, "a"}, {actors.NoticeTTL, -1, 3, "a"},
			{actors.NoticeMaxAge, -1, 2, "b"}, {actors.NoticeStored, 1, 4, "b"}, {actors.NoticeTTL, -1, 4, "b"},
		}, list)
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestTTLsAreStored under nats-server's names, kept by an open that says nothing of them, and changed by one that does,
// or while the store runs.
func TestTTLsAreStored(t *testing.T) {
	for _, running := range []bool{false, true} {
		ttlsAreStored(t, running)
	}
	for _, bad := range []actors.Config{
		{SubjectDeleteMarkerTTL: 999 * time.Millisecond}, {AllowMsgTTL: 3},
		{SubjectDeleteMarkerTTL: time.Second, AllowMsgTTL: actors.Off}, {SubjectDeleteMarkerTTL: time.Second, AllowRollup: actors.Off},
	} {
		bad.Dir, bad.Name = t.TempDir(), "ORDERS"
		require.Error(t, bad.Validate())
	}
}

func ttlsAreStored(t *testing.T, running bool) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	for _, row := range []struct {
		name        string
		ttl         actors.Switch
		marker      time.Duration
		wantTTL     bool
		wantMarkers time.Duration
	}{
		{"a new stream", actors.AsStored, 0, false, 0},
		{"TTLs", actors.On, 0, true, 0},
		{"kept", actors.AsStored, 0, true, 0},
		{"off", actors.Off, 0, false, 0},
		{"markers take TTLs", actors.AsStored, 90*time.Second + 900*time.Millisecond, true, 90 * time.Second},
		{"both kept", actors.AsStored, 0, true, 90 * time.Second},
		{"no markers", actors.AsStored, -1, true, 0},
		{"markers again", actors.On, time.Second, true, time.Second},
		{"none of it", actors.Off, 0, false, 0},
	} {
		s := open(t, config)
		if config.AllowMsgTTL, config.SubjectDeleteMarkerTTL = row.ttl, row.marker; running {
			require.NoError(t, s.UpdateConfig(t.Context(), config))
		} else {
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
		}
		meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "ORDERS"), "ORDERS")
		require.NoError(t, err)
		require.Equal(t, row.wantTTL, meta.AllowMsgTTL, row.name)
		require.Equal(t, row.wantMarkers, meta.DeleteMarkerTTL, row.name)
		require.True(t, row.wantMarkers == 0 || meta.AllowRollup, "a nats-server wants roll-ups with them")
		_, err = s.StoreMsg(t.Context(), "a", nil, nil, actors.TTL(time.Hour))
		require.Equal(t, row.wantTTL, err == nil, row.name)
		require.NoError(t, s.Stop(t.Context()))
		config.AllowMsgTTL, config.SubjectDeleteMarkerTTL = actors.AsStored, 0
	}
}
