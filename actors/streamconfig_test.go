package actors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// serverConfig is a configuration with members that a server knows and ones that nobody does, in an order of its own.
const serverConfig = `{"description":"what \u003cwe\u003e sell","name":"ORDERS","Created":"2020-02-03T04:05:06.789Z",` +
	`"subjects":["orders.\u003e"],"retention":"limits","max_consumers":7,"max_msgs":5,"discard":"old","storage":"file",` +
	`"num_replicas":1,"max_msg_size":1000,"republish":{"src":"a","dest":"b"},"allow_direct":true,` +
	`"metadata":{"owner":"sales", "_nats.req.level":"0"},"tomorrow":[1, 2.50,{"x":null}]}`

func metaFile(t *testing.T, files blockio.FS, name string) string {
	t.Helper()
	data, err := blockio.ReadFile(files, "data/ORDERS/"+name, 1<<20)
	require.NoError(t, err)
	return string(data)
}

// requireMeta: meta.inf is this, byte for byte, and meta.sum is right.
func requireMeta(t *testing.T, files blockio.FS, want string) {
	t.Helper()
	got := metaFile(t, files, "meta.inf")
	require.JSONEq(t, want, got)
	require.Equal(t, want, got)
	require.Equal(t, blockio.MetaSum("ORDERS", []byte(want)), metaFile(t, files, "meta.sum"))
}

// TestAServersConfigIsHandedThrough to a new stream, to an open one, and to a closed one, and read of each.
func TestAServersConfigIsHandedThrough(t *testing.T) {
	files := blocktest.NewMemFS()
	given := func(text string) func(*actors.Config) {
		return func(c *actors.Config) { c.StreamConfig = []byte(text) }
	}
	s := open(t, named(files, actors.SyncAlways, given(serverConfig)))
	requireMeta(t, files, serverConfig)
	for range 7 {
		mustStore(t, s, "a", "x")
	}
	require.Equal(t, uint64(5), stateOf(t, s).Messages, "what stands for a limit of ours is applied")
	shown, err := s.StreamConfig()
	require.NoError(t, err)
	require.Equal(t, serverConfig, string(shown))

	c := newClient(t, 10)
	reply := c.ask(t, s, &actors.StreamConfigRequest{Tag: 3}).(*actors.StreamConfigReply)
	require.Equal(t, &actors.StreamConfigReply{StreamConfig: []byte(serverConfig), Tag: 3}, reply)

	// A change of a limit changes its member alone.
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 4}))
	four := strings.Replace(serverConfig, `"max_msgs":5`, `"max_msgs":4`, 1)
	requireMeta(t, files, four)

	// The whole of it, by PID: members that are left out are gone, but for the time of the creation.
	next := `{"name":"ORDERS","max_msgs":3,"max_msgs_per_subject":9,"yesterday":"\u00fc"}`
	update := c.ask(t, s, &actors.UpdateConfigRequest{Config: actors.Config{Name: "ORDERS", StreamConfig: []byte(next)}})
	require.NoError(t, update.(*actors.UpdateConfigReply).Err)
	requireMeta(t, files, `{"Created":"2020-02-03T04:05:06.789Z",`+next[1:])
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
	require.Equal(t, int64(9), s.Limits().MaxMsgsPer)
	// And nothing of ours: a member beside, and a field that is set goes before.
	config := named(nil, actors.SyncAlways, given(`{"Created":"2021-01-01T00:00:00Z","name":"ORDERS","max_msgs":3,"max_bytes":99}`))
	config.MaxBytes = -1
	require.NoError(t, s.UpdateConfig(t.Context(), config))
	requireMeta(t, files, `{"Created":"2021-01-01T00:00:00Z","name":"ORDERS","max_msgs":3,"max_bytes":-1}`)
	require.ErrorIs(t, actors.WriteStreamConfig(named(files, actors.SyncAlways, given(serverConfig))), actors.ErrLocked)
	require.NoError(t, s.Stop(t.Context()))
	shown, err = s.StreamConfig()
	require.NoError(t, err)
	require.Equal(t, metaFile(t, files, "meta.inf"), string(shown), "of a stopped store")

	// Of a closed stream.
	shown, err = actors.ReadStreamConfig(named(files, actors.SyncAlways))
	require.NoError(t, err)
	require.Equal(t, metaFile(t, files, "meta.inf"), string(shown))
	three := strings.Replace(serverConfig, `"max_msgs":5`, `"max_msgs":3`, 1)
	require.NoError(t, actors.WriteStreamConfig(named(files, actors.SyncAlways, given(three))))
	requireMeta(t, files, three)
	s = open(t, named(files, actors.SyncAlways))
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
	requireMeta(t, files, three)
	require.NoError(t, s.Stop(t.Context()))

	// A limit that is raised by the Open that gets the whole brings nothing back.
	s = open(t, named(files, actors.SyncAlways, given(serverConfig)))
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
	requireMeta(t, files, serverConfig)
	require.NoError(t, s.Stop(t.Context()))
}

// TestWhatAStreamConfigCannotSay is refused by all who take one, and changes nothing.
func TestWhatAStreamConfigCannotSay(t *testing.T) {
	files := blocktest.NewMemFS()
	s := open(t, named(files, actors.SyncAlways, func(c *actors.Config) { c.MaxMsgs = 5 }))
	before := metaFile(t, files, "meta.inf")
	for _, row := range []struct {
		name, json  string
		unsupported bool
	}{
		{"no object", `[]`, false},
		{"not JSON", `{"name":`, false},
		{"nothing", ``, false},
		{"another name", `{"name":"OTHER"}`, false},
		{"another type", `{"name":"ORDERS","max_msgs":"five"}`, false},
		{"an age that is too short", `{"name":"ORDERS","max_age":5}`, false},
		{"a marker that lives too short", `{"name":"ORDERS","subject_delete_marker_ttl":5}`, false},
		{"schedules that discard", `{"name":"ORDERS","allow_msg_schedules":true,"discard":"new"}`, false},
		{"storage", `{"name":"ORDERS","storage":"memory"}`, true},
		{"discard", `{"name":"ORDERS","discard":"random"}`, true},
		{"retention", `{"name":"ORDERS","retention":"moon"}`, true},
		{"compression", `{"name":"ORDERS","compression":"zip"}`, true},
		{"a later level", `{"name":"ORDERS","metadata":{"_nats.req.level":"6"}}`, true},
		{"no level", `{"name":"ORDERS","metadata":{"_nats.req.level":"x"}}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := named(files, actors.SyncAlways, func(c *actors.Config) { c.StreamConfig = []byte(row.json) })
			require.ErrorIs(t, s.UpdateConfig(t.Context(), config), actors.ErrConfig)
			other := config
			other.FS = blocktest.NewMemFS()
			_, err := actors.Open(t.Context(), quiet, other)
			require.ErrorIs(t, err, actors.ErrConfig)
			require.Equal(t, row.unsupported, isUnsupported(err))
			require.Equal(t, before, metaFile(t, files, "meta.inf"))
			closed := blocktest.NewMemFS()
			require.NoError(t, open(t, named(closed, actors.SyncAlways)).Stop(t.Context()))
			config.FS = closed
			require.ErrorIs(t, actors.WriteStreamConfig(config), actors.ErrConfig)
			if !row.unsupported {
				return
			}
			// What a server has left is refused as well, and stays as it is.
			inf := closed.Clone()
			require.NoError(t, blockio.ReplaceFile(inf, "data/ORDERS/meta.inf", []byte(row.json)))
			require.NoError(t, blockio.ReplaceFile(inf, "data/ORDERS/meta.sum", []byte(blockio.MetaSum("ORDERS", []byte(row.json)))))
			_, err = actors.Open(t.Context(), quiet, named(inf, actors.SyncAlways))
			require.ErrorIs(t, err, actors.ErrUnsupported)
			requireMeta(t, inf, row.json)
		})
	}
	require.NoError(t, s.Stop(t.Context()))
	set := func(json string) error {
		return actors.WriteStreamConfig(named(files, actors.SyncAlways, func(c *actors.Config) { c.StreamConfig = []byte(json) }))
	}
	require.ErrorContains(t, set(`{"name":"ORDERS","max_msgs":6}`), "limit of a closed stream")
	require.Equal(t, before, metaFile(t, files, "meta.inf"))
	_, err := actors.ReadStreamConfig(named(blocktest.NewMemFS(), actors.SyncAlways))
	require.ErrorIs(t, err, fs.ErrNotExist)
	empty := blocktest.NewMemFS()
	require.ErrorIs(t, actors.WriteStreamConfig(named(empty, actors.SyncAlways, func(c *actors.Config) { c.StreamConfig = []byte(`{}`) })), fs.ErrNotExist)
	_, err = empty.ReadDir("data")
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing was made")
}

func isUnsupported(err error) bool {
	return strings.Contains(fmt.Sprint(err), actors.ErrUnsupported.Error())
}

// TestAStreamConfigIsWrittenWhole: a crash or a fault at any operation leaves the old one or the new one.
func TestAStreamConfigIsWrittenWhole(t *testing.T) {
	files := blocktest.NewMemFS()
	s := open(t, named(files, actors.SyncAlways))
	mustStore(t, s, "a", "x")
	old, err := s.StreamConfig()
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	next := `{"Created":"2021-01-01T00:00:00Z","name":"ORDERS","description":"another"}`
	for _, fails := range []bool{false, true} {
		for at := 0; ; at++ {
			disk := files.Clone()
			faults := blocktest.NewFaultFS(disk)
			faults.SetHook(blocktest.CrashAt(at))
			if fails {
				faults.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
			}
			err := actors.WriteStreamConfig(named(faults, actors.SyncAlways, func(c *actors.Config) { c.StreamConfig = []byte(next) }))
			for _, mode := range blocktest.CrashModes {
				image := disk.CrashImage(mode, rand.New(rand.NewSource(int64(at))))
				s := open(t, named(image, actors.SyncAlways))
				got, shownErr := s.StreamConfig()
				require.NoError(t, shownErr)
				if string(got) != next || err != nil {
					require.Contains(t, []string{string(old), next}, string(got), "operation %d", at)
				}
				require.Equal(t, uint64(1), stateOf(t, s).Messages)
				require.NoError(t, s.Stop(t.Context()))
				requireMeta(t, image, string(got))
			}
			if fails && err != nil {
				require.ErrorIs(t, err, actors.ErrNoSpace)
			}
			if faults.Count() < at {
				require.NoError(t, err)
				break
			}
		}
	}
}

// TestWhatAServerDoesIsWarnedOf when the stream is opened: the members that ask for it are named, and no others.
func TestWhatAServerDoesIsWarnedOf(t *testing.T) {
	for _, row := range []struct{ json, want string }{
		{`{"name":"ORDERS","sealed":false,"sources":[],"mirror":null,"num_replicas":1}`, ""},
		{`{"name":"ORDERS","sealed":true,"deny_delete":true,"deny_purge":true}`, "[sealed deny_delete deny_purge]"},
		{`{"name":"ORDERS","retention":"workqueue","num_replicas":3}`, "[retention=workqueue num_replicas=3]"},
		{`{"name":"ORDERS","mirror":{"name":"X"},"sources":[{"name":"Y"}],"republish":{"src":"a","dest":"b"}}`, "[mirror sources republish]"},
		{`{"name":"ORDERS","subject_transform":{"src":"a","dest":"b"},"allow_msg_counter":true,"metadata":{"_nats.req.level":"5"}}`,
			"[allow_msg_counter subject_transform]"},
	} {
		require.True(t, json.Valid([]byte(row.json)))
		var log bytes.Buffer
		config := named(blocktest.NewMemFS(), actors.SyncAlways, func(c *actors.Config) {
			c.StreamConfig, c.Logger = []byte(row.json), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		s := open(t, config)
		require.NoError(t, s.Stop(t.Context()))
		if row.want == "" {
			require.Empty(t, log.String())
			continue
		}
		require.Contains(t, log.String(), `fields="`+row.want+`"`)
	}
}

// TestANewStreamHasItsTime when nobody says another one.
func TestANewStreamHasItsTime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	files := blocktest.NewMemFS()
	config := named(files, actors.SyncAlways, func(c *actors.Config) {
		c.Runtime = actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return now }})
		c.StreamConfig = []byte(`{"subjects":["a"]}`)
	})
	require.NoError(t, open(t, config).Stop(t.Context()))
	meta, err := blockio.ReadMeta(files, "data/ORDERS", "ORDERS")
	require.NoError(t, err)
	require.True(t, now.Equal(meta.Created))
	require.Equal(t, []string{"a"}, meta.Subjects)
}
