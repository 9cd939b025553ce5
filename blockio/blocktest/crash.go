package blocktest

import (
	"maps"
	"math/rand"
	"slices"
)

const sectorSize = 512

// CrashMode says what of the unsynced changes a crash leaves.
type CrashMode uint8

// The kinds of crash.
const (
	// DropUnsynced: power loss; nothing that was not synced is there.
	DropUnsynced CrashMode = iota
	// KeepAll: the process was killed; the machine has everything.
	KeepAll
	// KeepRandom: power loss; each unsynced write, truncate and change of a
	// directory is there or not.
	KeepRandom
	// TornSectors: power loss; each sector of 512 bytes of each unsynced write
	// is there or not, and where one is not is what was there before, or zeros.
	// The file may have grown without its data.
	TornSectors
	// TornByte: power loss; the unsynced writes of each file are there, in
	// order, up to some byte.
	TornByte
)

// CrashModes is all of them.
var CrashModes = []CrashMode{DropUnsynced, KeepAll, KeepRandom, TornSectors, TornByte}

// String names the mode.
func (c CrashMode) String() string {
	switch c {
	case DropUnsynced:
		return "drop unsynced"
	case KeepAll:
		return "keep all"
	case KeepRandom:
		return "keep random"
	case TornSectors:
		return "torn sectors"
	case TornByte:
		return "torn byte"
	default:
		return "unknown"
	}
}

// CrashImage returns the file system that would be found after a crash now. m
// goes on as if nothing had happened. rng decides where the mode leaves a
// choice; the same state, mode and rng lead to the same image. In the image all is
// durable, and nothing is locked.
func (m *MemFS) CrashImage(mode CrashMode, rng *rand.Rand) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{mode: mode, rng: rng, seen: make(map[*node]*node), keeps: make(map[*change]bool)}
	image := NewMemFS()
	image.clock = m.clock
	image.root = c.node(m.root)
	return image
}

// Clone returns a file system with the same files, all durable, unlocked.
func (m *MemFS) Clone() *MemFS { return m.CrashImage(KeepAll, nil) }

type crash struct {
	mode  CrashMode
	rng   *rand.Rand
	seen  map[*node]*node
	keeps map[*change]bool
}

// node returns what is left of a file or directory.
func (c *crash) node(n *node) *node {
	if left, ok := c.seen[n]; ok {
		return left
	}
	left := &node{}
	c.seen[n] = left
	if !n.dir {
		left.live = c.content(n)
		left.modTime = n.modTime
		if c.mode == DropUnsynced {
			left.modTime = n.durableTime
		}
		left.durableTime = left.modTime
		left.durable = left.live.clone()
		return left
	}
	*left = *newDir()
	entries := c.entries(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in order, for the rng
		child := c.node(entries[name])
		left.entries[name] = child
		left.synced[name] = child
	}
	return left
}

// entries returns what is left of a directory's names.
func (c *crash) entries(n *node) map[string]*node {
	switch {
	case c.mode == KeepAll:
		return n.entries
	case c.mode == DropUnsynced || len(n.changes) == 0:
		return n.synced
	}
	left := maps.Clone(n.synced)
	kept := len(n.changes)
	if c.mode == TornByte {
		kept = c.rng.Intn(len(n.changes) + 1)
	}
	for i, change := range n.changes {
		if change.done || !c.keep(change, i < kept) {
			continue
		}
		if change.from != "" && change.fromDir == n {
			delete(left, change.from)
		}
		if change.to != "" && change.toDir == n {
			left[change.to] = change.node
		}
	}
	return left
}

// keep decides on one change, for all directories that it is in: what was moved from one to another has one name. Among
// the first changes of the directory that is looked at first is what decides where a crash leaves a prefix of them.
func (c *crash) keep(change *change, among bool) bool {
	keep, ok := c.keeps[change]
	if !ok {
		if keep = among; c.mode != TornByte {
			keep = c.rng.Intn(2) == 0
		}
		c.keeps[change] = keep
	}
	return keep
}

// content returns what is left of a file.
func (c *crash) content(n *node) content {
	switch {
	case c.mode == KeepAll || len(n.pending) == 0 && !n.forgot:
		return n.live.clone()
	case c.mode == DropUnsynced:
		return n.durable.clone()
	}
	left := n.durable.clone()
	switch c.mode {
	case KeepRandom:
		for _, w := range n.pending {
			if c.rng.Intn(2) == 0 {
				w.to(&left)
			}
		}
	case TornSectors:
		c.tornSectors(n, &left)
	case TornByte:
		c.tornByte(n, &left)
	}
	return left
}

func (w write) to(c *content) {
	if w.truncate {
		c.truncate(w.offset)
		return
	}
	c.writeAt(w.data, w.offset)
}

// tornSectors keeps each sector of each write or not. Whether a truncate was
// kept decides the size; otherwise the file may have grown in full.
func (c *crash) tornSectors(n *node, left *content) {
	for _, w := range n.pending {
		if w.truncate {
			if c.rng.Intn(2) == 0 {
				left.truncate(w.offset)
			}
			continue
		}
		for from := 0; from < len(w.data); {
			at := w.offset + int64(from)
			to := min(len(w.data), from+sectorSize-int(at%sectorSize))
			if c.rng.Intn(2) == 0 {
				left.writeAt(w.data[from:to], at)
			}
			from = to
		}
	}
	if left.size < n.live.size && c.rng.Intn(2) == 0 {
		left.truncate(n.live.size)
	}
}

// tornByte keeps a prefix of the writes, cut at any byte.
func (c *crash) tornByte(n *node, left *content) {
	total := 0
	for _, w := range n.pending {
		total += 1 + len(w.data)
	}
	keep := c.rng.Intn(total + 1)
	for _, w := range n.pending {
		switch {
		case keep == 0:
			return
		case w.truncate:
			w.to(left)
			keep--
		default:
			part := min(keep, len(w.data))
			left.writeAt(w.data[:part], w.offset)
			keep -= min(keep, 1+len(w.data))
		}
	}
}
