package peers

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// FileMode is how the bare log uses its file. The two differ in what a sync costs.
type FileMode int

const (
	// Grow appends, so that each sync writes the new file size too.
	Grow FileMode = iota
	// Prezero overwrites zeros that were written and synced beforehand.
	Prezero
)

// recordOverhead is what a JetStream record has besides subject and payload. The bare log writes as
// many bytes, as zeros.
const recordOverhead = 30

// prezeroBytes is the size of the file that is overwritten, from the start again when it is full.
const prezeroBytes = 64 << 20

// gatherBytes is the size from which a group does not wait for more: the disk takes longer for more.
const gatherBytes = 256 << 10

// BareLog is write and fdatasync with group commit across callers, and nothing else: no sequence,
// checksum, index or limit. It is what a durable store cannot pass on this disk.
func BareLog(mode FileMode) Peer {
	name := [...]string{"bare log, growing", "bare log, over zeros"}[mode]
	return Peer{Name: name, Open: func(dir string) (Store, error) {
		file, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			return nil, err
		}
		log := &bareLog{file: file}
		if mode == Prezero {
			log.wrapAt = prezeroBytes
			if err := fillZeros(file, prezeroBytes); err != nil {
				_ = file.Close()
				return nil, err
			}
		}
		return log, nil
	}}
}

func fillZeros(file *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for offset := int64(0); offset < size; offset += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros, offset); err != nil {
			return err
		}
	}
	return file.Sync()
}

// bareLog commits like this: the first caller of a group leads it. It waits for the sync of the
// group before, then writes and syncs what has gathered meanwhile.
type bareLog struct {
	file   *os.File
	wrapAt int64 // 0: never

	mu        sync.Mutex
	gathering *commitGroup // nil when nobody has joined yet
	busy      bool         // a group is being written, or its successor was told to go on
	spare     []byte       // a buffer of a finished group

	offset int64 // of the leader
}

type commitGroup struct {
	buffer []byte
	lead   chan struct{} // closed when the leader of this group may go on
	done   chan struct{} // closed when err is set
	err    error
}

func (b *bareLog) Append(_ context.Context, message Message) error {
	b.mu.Lock()
	group, leads := b.join()
	group.buffer = appendRecord(group.buffer, message)
	return b.commit(group, leads)
}

func (b *bareLog) AppendBatch(_ context.Context, batch []Message) error {
	b.mu.Lock()
	group, leads := b.join()
	for _, message := range batch {
		group.buffer = appendRecord(group.buffer, message)
	}
	return b.commit(group, leads)
}

func appendRecord(buffer []byte, message Message) []byte {
	var overhead [recordOverhead]byte
	buffer = append(buffer, overhead[:]...)
	buffer = append(buffer, message.Subject...)
	return append(buffer, message.Payload...)
}

// join returns the gathering group and whether the caller leads it. The lock is held.
func (b *bareLog) join() (group *commitGroup, leads bool) {
	if b.gathering != nil {
		return b.gathering, false
	}
	b.gathering = &commitGroup{buffer: b.spare[:0], lead: make(chan struct{}), done: make(chan struct{})}
	b.spare = nil
	return b.gathering, true
}

// commit returns when the group is durable. The lock is held, and released.
func (b *bareLog) commit(group *commitGroup, leads bool) error {
	if !leads {
		b.mu.Unlock()
		<-group.done
		return group.err
	}
	if b.busy {
		b.mu.Unlock()
		<-group.lead
		b.mu.Lock()
		b.gather(group)
	}
	b.busy = true
	b.gathering = nil
	b.mu.Unlock()

	group.err = b.write(group.buffer)
	close(group.done)

	b.mu.Lock()
	b.spare = group.buffer
	if b.gathering != nil {
		close(b.gathering.lead)
	} else {
		b.busy = false
	}
	b.mu.Unlock()
	return group.err
}

// gather yields as long as that brings callers into the group: those whom the last group released
// come along, unless the group is large already. The lock is held, and let go meanwhile.
func (b *bareLog) gather(group *commitGroup) {
	for before := -1; len(group.buffer) > before && len(group.buffer) < gatherBytes; {
		before = len(group.buffer)
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
	}
}

// write is called by one leader at a time.
func (b *bareLog) write(buffer []byte) error {
	if b.wrapAt > 0 && b.offset+int64(len(buffer)) > b.wrapAt {
		b.offset = 0
	}
	if _, err := b.file.WriteAt(buffer, b.offset); err != nil {
		return err
	}
	b.offset += int64(len(buffer))
	return datasync(b.file)
}

func (b *bareLog) Close() error { return b.file.Close() }
