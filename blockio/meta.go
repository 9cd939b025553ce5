package blockio

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	metaFile     = "meta.inf"
	metaSumFile  = "meta.sum"
	nextSumFile  = metaSumFile + ".tmp"
	metaKeyFile  = "meta.key"
	maxMetaSize  = 8 << 20 // bytes; the format allows 128 KiB of metadata and 4 KiB of description
	metaSumBytes = 16
)

// StreamMeta is what meta.inf says of a stream, as far as a store needs it. All
// else that an existing file says is kept, byte for byte and in its order, when
// the file is written again.
type StreamMeta struct {
	Created            time.Time
	Name               string
	Subjects           []string
	Retention          string        // "limits", "interest" or "workqueue"
	MaxMsgs            int64         // -1 for no limit
	MaxBytes           int64         // -1 for no limit
	MaxAge             time.Duration // 0 for no limit
	MaxMsgsPerSubject  int64         // -1 for no limit
	MaxMsgSize         int32         // bytes; -1 for no limit
	Discard            string        // "old" or "new"
	DiscardNewPerSubj  bool          // discard new also per subject
	Storage            string        // "file"
	Replicas           int
	DuplicateWindow    time.Duration
	Compression        string // "none" or "s2"
	FirstSeq           uint64
	Sealed             bool
	DenyDelete         bool
	DenyPurge          bool
	AllowRollup        bool
	AllowMsgTTL        bool
	DeleteMarkerTTL    time.Duration // subject_delete_marker_ttl
	AllowMsgCounter    bool
	AllowAtomicPublish bool
	AllowMsgSchedules  bool

	text     []byte      // the file as it was read, nil if there is none
	fields   []metaField // its members in order, nil after Rest
	finished bool        // see Finished
}

// NewStreamMeta returns the meta of a new stream without limits, stored in files,
// as nats-server 2.14 writes it. Its one subject is its name.
func NewStreamMeta(stream string, created time.Time) *StreamMeta {
	m := &StreamMeta{
		Created: created.UTC(), Name: stream, Subjects: []string{stream},
		Retention: "limits", MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Discard: "old", Storage: "file", Replicas: 1, DuplicateWindow: 2 * time.Minute, Compression: "none",
	}
	m.fields = alwaysWritten
	return m
}

// alwaysWritten is what a store does not need, but nats-server always writes. All new streams share it: fields are
// copied before they are changed.
var alwaysWritten = func() (fields []metaField) {
	for _, member := range [...][2]string{
		{"max_consumers", "-1"}, {"allow_direct", "false"}, {"mirror_direct", "false"}, {"consumer_limits", "{}"},
		{"metadata", `{"_nats.req.level":"0"}`},
	} {
		fields = append(fields, metaField{
			key: json.RawMessage(`"` + member[0] + `"`), name: member[0], value: json.RawMessage(member[1]),
		})
	}
	return slices.Clip(fields)
}()

// encrypted reports whether the stream in dir is encrypted, and the file system does not know of it.
func encrypted(fsys FS, dir string) bool {
	if _, ok := fsys.(Sealer); ok {
		return false
	}
	features, err := ReadDirectoryFeatures(fsys, dir)
	return err == nil && features.Encrypted
}

// WriteMeta writes meta.inf, and then meta.sum, of the stream in dir, each all
// or nothing, and is durable on return. The new sum lies ready beside the old one
// before meta.inf is replaced: FinishMeta ends what a crash in between has left.
// m.Name must be stream.
func WriteMeta(fsys FS, dir, stream string, m *StreamMeta) error {
	if m.Name != stream {
		return fmt.Errorf("%w: %q, want %q", ErrName, m.Name, stream)
	}
	data, err := m.encode()
	if err != nil {
		return fmt.Errorf("write meta of %s: %w", stream, err)
	}
	seal := func(plain []byte) ([]byte, error) { return plain, nil }
	if s, ok := SealerOf(fsys); ok {
		seal = s.SealMeta
	}
	return WriteMetaBytes(fsys, dir, stream, data, seal)
}

// WriteMetaBytes is WriteMeta of what meta.inf is to say, which it holds as seal returns it.
func WriteMetaBytes(fsys FS, dir, stream string, plain []byte, seal func(plain []byte) ([]byte, error)) error {
	data, err := seal(plain)
	if err == nil {
		err = writeNextSum(fsys, dir, MetaSum(stream, data))
	}
	if err != nil {
		return fmt.Errorf("write meta of %s: %w", stream, err)
	}
	name := filepath.Join(dir, metaFile)
	_, readErr := readFile(fsys, name, maxMetaSize, nil)
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) && !errors.Is(readErr, ErrTooLarge) && Unreadable(readErr) == nil {
		return fmt.Errorf("write meta of %s: %w", stream, readErr)
	}
	if err = ReplaceFile(fsys, name, data); err != nil {
		if errors.Is(readErr, fs.ErrNotExist) {
			// A sync of the directory that failed may have forgotten the new name: no later sync would
			// write it. A name that is given anew is another matter.
			err = errors.Join(err, remove(fsys, name))
		}
		return err
	}
	return putNextSum(fsys, dir, stream)
}

// remove removes a file that need not be there.
func remove(fsys FS, name string) error {
	if err := fsys.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeNextSum(fsys FS, dir, sum string) error {
	err := fsys.SyncDir(dir) // what there is may be of a process that was killed
	if err == nil {
		err = writeFile(fsys, filepath.Join(dir, nextSumFile), []byte(sum))
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	return err
}

func putNextSum(fsys FS, dir, stream string) error {
	err := fsys.Rename(filepath.Join(dir, nextSumFile), filepath.Join(dir, metaSumFile))
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write meta of %s: %w", stream, err)
	}
	return nil
}

// MetaSum is the content of meta.sum for those bytes of meta.inf: 16 lowercase
// hexadecimal digits and no newline, or nats-server skips the stream.
func MetaSum(stream string, data []byte) string {
	sum := nameSum(stream, data)
	var b [checksumSize]byte
	for i := range b {
		b[i] = byte(sum >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}

// DirectoryFeatures says what else the directory of a stream holds that decides
// whether and how it can be opened.
type DirectoryFeatures struct {
	Encrypted    bool  // meta.key: the stream can be read only with its key
	HasBlocksDir bool  // msgs
	HasBlocks    bool  // msgs/<number>.*: there is a block, or the index or the key of one
	HasIndex     bool  // msgs/index.db: nats-server's cached state, unless Millrace has written it
	IndexError   error // whether Millrace has written it cannot be read
	HasTTL       bool  // msgs/thw.db: nats-server's list of messages that expire
	HasSchedules bool  // msgs/sched.db: nats-server's list of scheduled messages
	PurgeCut     bool  // __new_msgs__ or __msgs__: a purge by nats-server was cut short
}

// ReadDirectoryFeatures looks at the directory of a stream. A missing directory
// is fs.ErrNotExist.
func ReadDirectoryFeatures(fsys FS, dir string) (DirectoryFeatures, error) {
	var features DirectoryFeatures
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return features, fmt.Errorf("look at %s: %w", dir, err)
	}
	for _, entry := range entries {
		switch entry.Name {
		case metaKeyFile:
			features.Encrypted = true
		case "__new_msgs__", "__msgs__":
			features.PurgeCut = true
		case blocksDir:
			features.HasBlocksDir = entry.IsDir
		}
	}
	entries, err = fsys.ReadDir(filepath.Join(dir, blocksDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return features, fmt.Errorf("look at %s: %w", dir, err)
	}
	for _, entry := range entries {
		if stem, _, found := strings.Cut(entry.Name, "."); found && !entry.IsDir {
			_, number := blockID(stem + blockSuffix)
			features.HasBlocks = features.HasBlocks || number
		}
		switch entry.Name {
		case StateFile:
			var own bool
			own, features.IndexError = isOwnState(fsys, filepath.Join(dir, blocksDir, StateFile))
			features.HasIndex = !own
		case TTLFile:
			features.HasTTL = true
		case SchedulesFile:
			features.HasSchedules = true
		}
	}
	return features, nil
}
