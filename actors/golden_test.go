package actors_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// The directories in testdata/golden were written by nats-server's file store;
// expected.json says what it reads from them.

type goldenState struct {
	Messages      uint64   `json:"messages"`
	Bytes         uint64   `json:"bytes"`
	FirstSequence uint64   `json:"first_seq"`
	FirstTime     string   `json:"first_ts_ns"`
	LastSequence  uint64   `json:"last_seq"`
	LastTime      string   `json:"last_ts_ns"`
	Deleted       []uint64 `json:"deleted"`
	NumDeleted    uint64   `json:"num_deleted"`
	NumSubjects   uint64   `json:"num_subjects"`
}

type goldenMessage struct {
	Sequence uint64 `json:"seq"`
	Time     string `json:"ts_ns"`
	Subject  string `json:"subject"`
	Header   []byte `json:"hdr"`
	Payload  []byte `json:"msg"`
}

type golden struct {
	Stream   string          `json:"stream"`
	State    goldenState     `json:"state"`
	Messages []goldenMessage `json:"msgs"`
	// Encryption says what the files are encrypted with, if they are.
	Encryption struct {
		Account string `json:"account"`
		MainKey string `json:"master_key"`
	} `json:"encryption"`
	// lost are the deleted ones that we say are lost: nats-server knows only how many bytes that are.
	lost      []uint64
	lostBytes uint64
	// Without is what holds when index.db is not there.
	Without *struct {
		State    *goldenState    `json:"state"`
		Messages []goldenMessage `json:"msgs"`
	} `json:"without_index_db"`
}

// loadGolden copies a golden directory and says what is to be found in it.
func loadGolden(t *testing.T, name string) (dir string, g golden) {
	t.Helper()
	from := filepath.Join("testdata", "golden", name)
	data, err := os.ReadFile(filepath.Join(from, "expected.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &g))
	dir = filepath.Join(t.TempDir(), "streams")
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(from, "streams"))))
	return dir, g
}

// loadGoldenBlocks is loadGolden without index.db.
func loadGoldenBlocks(t *testing.T, name string) (dir string, g golden) {
	t.Helper()
	dir, g = loadGolden(t, name)
	if g.Without != nil {
		if g.Without.State != nil {
			g.State = *g.Without.State
		}
		if g.Without.Messages != nil {
			g.Messages = g.Without.Messages
		}
	}
	require.NoError(t, os.RemoveAll(filepath.Join(dir, g.Stream, "msgs", blockio.StateFile)))
	return dir, g
}

// goldenTime reads a time of expected.json. The nanoseconds of Go's zero time
// stand for no time.
func goldenTime(t *testing.T, s string) time.Time {
	t.Helper()
	if s == "zero" || s == strconv.FormatInt(time.Time{}.UnixNano(), 10) {
		return time.Time{}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(t, err)
	return time.Unix(0, n).UTC()
}

func checkGolden(t *testing.T, s *actors.Store, g *golden) {
	t.Helper()
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.Equal(t, actors.State{
		Messages: g.State.Messages, Bytes: g.State.Bytes,
		FirstSequence: g.State.FirstSequence, FirstTime: goldenTime(t, g.State.FirstTime),
		LastSequence: g.State.LastSequence, LastTime: goldenTime(t, g.State.LastTime),
		Deleted: g.State.NumDeleted, Subjects: g.State.NumSubjects,
		Durable: g.State.LastSequence, LostMessages: uint64(len(g.lost)), LostBytes: g.lostBytes,
	}, state)
	ranges, err := s.Deleted(t.Context())
	require.NoError(t, err)
	var deleted []uint64
	for _, r := range ranges {
		for sequence := r.First; sequence <= r.Last; sequence++ {
			deleted = append(deleted, sequence)
		}
	}
	require.Equal(t, len(g.State.Deleted), len(deleted))
	for i, sequence := range g.State.Deleted {
		require.Equal(t, sequence, deleted[i])
		_, err := s.LoadMsg(t.Context(), sequence)
		if slices.Contains(g.lost, sequence) {
			require.ErrorIs(t, err, actors.ErrCorrupt)
			continue
		}
		require.ErrorIs(t, err, actors.ErrNotFound)
	}
	i, damage := 0, 0
	for m, err := range s.Messages(t.Context()) {
		if errors.Is(err, actors.ErrCorrupt) {
			damage++
			continue
		}
		require.NoError(t, err)
		require.Less(t, i, len(g.Messages))
		checkGoldenMessage(t, &g.Messages[i], m)
		i++
	}
	require.Equal(t, len(g.Messages), i)
	require.Equal(t, len(g.lost), damage)
	for i := range g.Messages {
		m, err := s.LoadMsg(t.Context(), g.Messages[i].Sequence)
		require.NoError(t, err)
		checkGoldenMessage(t, &g.Messages[i], m)
	}
	_, err = s.LoadMsg(t.Context(), g.State.LastSequence+1)
	require.ErrorIs(t, err, actors.ErrEOF)
}

func checkGoldenMessage(t *testing.T, want *goldenMessage, m actors.Message) {
	t.Helper()
	require.Equal(t, want.Sequence, m.Sequence)
	require.Equal(t, want.Subject, m.Subject)
	require.Equal(t, string(want.Header), string(m.HeaderBlock))
	require.Equal(t, string(want.Payload), string(m.Payload))
	require.Equal(t, goldenTime(t, want.Time), m.Time)
}

// TestDirectoriesOfNatsServerAreReadBack, then written to, then read back again, with their index.db and without.
// Where that tells nothing that the blocks do not, it is not touched before the first change.
func TestDirectoriesOfNatsServerAreReadBack(t *testing.T) {
	for _, name := range []string{
		"basic", "headers", "empty", "first-seq", "deletes", "multi-block", "schedules", "corrupted-tail", "many-subjects", "purged",
		"head-tombstones-lost", "corrupted-tail-index", "compressed", "encrypted",
	} {
		t.Run(name, func(t *testing.T) {
			dir, g := loadGolden(t, name)
			if name == "corrupted-tail-index" {
				g.lost, g.lostBytes = []uint64{13}, 40
			}
			_, err := os.Stat(filepath.Join(dir, g.Stream, "msgs", "index.db"))
			stays := err == nil && name != "corrupted-tail-index" && name != "head-tombstones-lost"
			readBack(t, dir, &g, stays)
		})
		t.Run(name+" without index.db", func(t *testing.T) {
			dir, g := loadGoldenBlocks(t, name)
			readBack(t, dir, &g, false)
		})
	}
}

// readBack opens a golden directory several times, and writes to it. stays tells whether it has an index.db that
// stays until then.
func readBack(t *testing.T, dir string, g *golden, stays bool) {
	t.Helper()
	index := filepath.Join(dir, g.Stream, "msgs", "index.db")
	config := actors.Config{Dir: dir, Name: g.Stream}
	if g.Encryption.Account != "" {
		config.Key = actors.ServerKey(g.Encryption.Account, g.Encryption.MainKey)
	}
	there := stays
	for range 2 { // opening alone changes nothing that counts
		s := open(t, config)
		checkGolden(t, s, g)
		_, err := os.Stat(index)
		require.Equal(t, there, err == nil)
		require.NoError(t, s.Stop(t.Context()))
		there = stays || g.lostBytes == 0 && g.State.LastSequence > 0 // what there is without a loss is written down
	}
	s := open(t, config)
	before := time.Now()
	ack, err := s.StoreMsg(t.Context(), "more.ü", actors.Header{"A": {"1"}}, []byte("one more"))
	require.NoError(t, err)
	require.Equal(t, g.State.LastSequence+1, ack.Sequence)
	require.NoFileExists(t, index)
	g.add(ack, "more.ü", "NATS/1.0\r\nA: 1\r\n\r\n", "one more")
	require.WithinRange(t, ack.Time, before.Add(-time.Second), time.Now().Add(time.Second))
	checkGolden(t, s, g)
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	checkGolden(t, s, g)
}

// add is what storing a message of a new subject does to the expectation.
func (g *golden) add(ack actors.Ack, subject, header, payload string) {
	at := strconv.FormatInt(ack.Time.UnixNano(), 10)
	g.Messages = append(g.Messages, goldenMessage{ack.Sequence, at, subject, []byte(header), []byte(payload)})
	if g.State.Messages == 0 {
		g.State.FirstSequence, g.State.FirstTime = ack.Sequence, at
	}
	g.State.Messages++
	g.State.NumSubjects++
	g.State.Bytes += uint64(actors.RecordSize(len(subject), len(header), len(payload)))
	g.State.LastSequence, g.State.LastTime = ack.Sequence, at
}

// tree returns a sum for each file below a directory, the lock file excepted.
func tree(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := make(map[string][32]byte)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == "millrace.lock" {
			return err
		}
		if entry.IsDir() {
			sums[path] = [32]byte{}
			return nil
		}
		data, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(data)
		return err
	}))
	return sums
}

// TestUnsupportedDirectoriesAreLeftAlone to the last byte.
func TestUnsupportedDirectoriesAreLeftAlone(t *testing.T) {
	for _, row := range []struct {
		name, golden string
		prepare      func(t *testing.T, stream string)
		want         string
		is           error
	}{
		{"encrypted", "encrypted", nil, "encrypted", actors.ErrKey},
		{"compressed in an unknown way", "compressed", func(t *testing.T, stream string) {
			path := filepath.Join(stream, "msgs", "1.blk")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			data[3], data[10] = 9, 'X'
			require.NoError(t, os.WriteFile(path, data, 0o600))
		}, "algorithm 9", actors.ErrUnsupported},
		{"encrypted without blocks", "encrypted", func(t *testing.T, stream string) {
			require.NoError(t, os.RemoveAll(filepath.Join(stream, "msgs")))
		}, "encrypted", actors.ErrKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, g := loadGolden(t, row.golden)
			if row.prepare != nil {
				row.prepare(t, filepath.Join(dir, g.Stream))
			}
			before := tree(t, dir)
			for range 2 {
				_, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: g.Stream, MaxMsgs: 1})
				require.ErrorIs(t, err, row.is)
				require.ErrorContains(t, err, row.want)
				require.Equal(t, before, tree(t, dir))
			}
		})
	}
}
