package blockio

import (
	"sync"
	"time"
)

// foldersAbove are the folders above the one that holds a stream.
var foldersAbove = settledFolders{sync: folderSyncs.sync, look: lookAtFolder, now: time.Now}

// settledFolders remembers folders that were synced and have not changed since: to sync such a folder again tells the disk nothing
// and waits for it. A folder is known by its identity and the time of its last change, which a name that is given in it moves.
type settledFolders struct {
	sync func(name string) error
	look func(name string) (folderLook, bool)
	now  func() time.Time

	mu    sync.Mutex
	known map[string]folderLook
}

// A folderLook is what a folder was like when it was looked at.
type folderLook struct {
	device, inode uint64
	changed       int64 // nanoseconds since the epoch
}

const (
	// settleTime is how long ago a folder has to have changed for that to be told from a change that comes right after it was
	// looked at: the clocks of file systems tick up to two seconds apart.
	settleTime = 2 * time.Second
	// mostSettled bounds the folders that are remembered.
	mostSettled = 64
)

// settle syncs a folder, unless that was done since it changed last.
func (s *settledFolders) settle(name string) error {
	before, told := s.look(name)
	if told && s.knows(name, before) {
		return nil
	}
	if err := s.sync(name); err != nil {
		return err
	}
	if told && before.changed > 0 && s.now().UnixNano()-before.changed > int64(settleTime) {
		s.note(name, before)
	}
	return nil
}

func (s *settledFolders) knows(name string, now folderLook) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[name]
	return ok && known == now
}

func (s *settledFolders) note(name string, look folderLook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= mostSettled {
		s.known = make(map[string]folderLook)
	}
	s.known[name] = look
}
