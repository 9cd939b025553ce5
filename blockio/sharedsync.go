package blockio

import "sync"

// folderSyncs shares the syncs of folders above streams. Whoever opens a stream syncs all of them, up to the root, as somebody
// may have made one and been killed before it was durable: thousands of streams that are opened at once would sync the same few
// folders thousands of times, and each sync waits for the disk.
var folderSyncs = sharedSyncs{syncDir: syncDir}

// sharedSyncs lets those who want the same folder synced at the same time share one sync. It begins after they have asked for it,
// so that it covers what each of them has made: who comes while one is under way shares the next one.
type sharedSyncs struct {
	syncDir func(name string) error

	mu      sync.Mutex
	folders map[string]*folderRounds
}

// folderRounds are the syncs of a folder: at most one is under way, and one gathers those who share it.
type folderRounds struct {
	running, next *syncRound
}

// A syncRound is one sync. Its lock is held until it has ended: a lock and no channel, as those who wait may be in different
// bubbles of testing/synctest.
type syncRound struct {
	ended sync.Mutex
	err   error
}

// sync syncs a folder, and returns when a sync has ended that has begun after the call.
func (s *sharedSyncs) sync(name string) error {
	round, before, leads := s.join(name)
	if !leads {
		return round.wait()
	}
	if before != nil {
		_ = before.wait() // what it has met is told to those who share it
	}
	s.begin(name, round)
	round.err = s.syncDir(name)
	s.end(name)
	round.ended.Unlock()
	return round.err
}

// join returns the round that gathers. If there is none yet, the caller leads a new one: it has to wait for the one before, if
// that is under way, and to carry out its own.
func (s *sharedSyncs) join(name string) (round, before *syncRound, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[name]
	if f == nil {
		f = &folderRounds{}
		if s.folders == nil {
			s.folders = make(map[string]*folderRounds)
		}
		s.folders[name] = f
	}
	if leads = f.next == nil; leads {
		f.next = &syncRound{}
		f.next.ended.Lock()
	}
	return f.next, f.running, leads
}

// begin ends the gathering of a round: it is under way.
func (s *sharedSyncs) begin(name string, round *syncRound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[name]
	f.running, f.next = round, nil
}

// end forgets the round that was under way.
func (s *sharedSyncs) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.folders[name]
	if f.running = nil; f.next == nil {
		delete(s.folders, name)
	}
}

func (r *syncRound) wait() error {
	r.ended.Lock()
	defer r.ended.Unlock()
	return r.err
}
