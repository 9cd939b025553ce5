package actors_test

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A damageWay is how and when a file is damaged.
type damageWay string

// The ways. Cold is before the store is opened, warm is under a store that has read everything once, on the
// real file system.
const (
	coldRot     damageWay = "cold"         // the disk's bits change: the file's time stays
	coldWritten damageWay = "cold-written" // somebody writes the file
	warmRot     damageWay = "warm"         // in place, the file's time is set back
	warmWritten damageWay = "warm-written" // in place
	warmReplace damageWay = "warm-renamed" // another file is given its name
)

func (w damageWay) warm() bool { return strings.HasPrefix(string(w), "warm") }

// waysOf are the ways in which a file of an image is damaged. Times count where there is an index. What a
// store reads once, when it is opened, has one of each kind.
func (i *damageImage) waysOf(f *damageFile) []damageWay {
	switch {
	case strings.HasSuffix(f.path, ".bix"), f.block > 0 && i.indexed(f):
		return []damageWay{coldRot, coldWritten, warmRot, warmWritten, warmReplace}
	case f.block > 0:
		return []damageWay{coldRot, warmRot, warmReplace}
	default:
		return []damageWay{coldRot, warmReplace}
	}
}

func (i *damageImage) indexed(f *damageFile) bool {
	return slices.ContainsFunc(i.files, func(other *damageFile) bool {
		return other.path == strings.TrimSuffix(f.path, ".blk")+".bix"
	})
}

// A damageStratum is one kind of damage to one file, in one way: as many cases as it has places.
type damageStratum struct {
	image *damageImage
	file  *damageFile
	way   damageWay
	kind  string
	count int
	step  int // of -damage.all: one place in so many
}

// thinned is the step that keeps -damage.all within minutes. Of what is alike it takes a part: every bit is
// flipped while the store is stopped, in each block of a stopped store, in what ends a crash image, and in
// the indexes of one world. The step of the others is odd, so that it comes by all bits of a byte.
func (s *damageStratum) thinned() int {
	index := strings.HasSuffix(s.file.path, ".bix")
	sampled := s.way != coldRot || s.image.openEnd && !s.file.tail || index && s.image.world.name != "indexed"
	switch {
	case !sampled || s.kind != damageFlip && s.kind != damageCut:
		return 1
	case index && s.kind == damageFlip:
		return 73
	case index || s.kind == damageFlip:
		return 9
	}
	return 3
}

// String is how the names of its cases begin.
func (s *damageStratum) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", s.image.world.name, s.image.name, s.way, s.file.path, s.kind)
}

// A damageCase is one of them.
type damageCase struct {
	*damageStratum
	at int
}

// The kinds of damage.
const (
	damageNothing   = "nothing" // the store must be found as it was stored
	damageFlip      = "flip"
	damageCut       = "cut"
	damageZero      = "zero"
	damageMissing   = "missing"
	damageEmpty     = "empty"
	damageOlder     = "older"
	damageNeighbour = "neighbour"
)

// damageStrata lists everything that is done to some worlds.
func damageStrata(worlds []*damageWorld) (strata []*damageStratum) {
	for _, w := range worlds {
		for _, image := range w.images {
			for i, f := range image.files {
				for _, way := range image.waysOf(f) {
					for _, kind := range []struct {
						name  string
						count int
					}{
						{damageFlip, 8 * len(f.data)},
						{damageCut, len(f.data)},
						{damageZero, len(f.windows)},
						{damageMissing, 1},
						{damageEmpty, min(len(f.data), 1)},
						{damageOlder, len(f.older)},
						{damageNeighbour, len(image.neighbours(f))},
						{damageNothing, btoi(i == 0)},
					} {
						if kind.count > 0 && !(kind.name == damageMissing && (way == coldWritten || way == warmWritten || way == warmReplace)) {
							s := &damageStratum{image: image, file: f, way: way, kind: kind.name, count: kind.count}
							s.step = s.thinned()
							strata = append(strata, s)
						}
					}
				}
			}
		}
	}
	return strata
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A damageWindow is a stretch of a file.
type damageWindow struct{ from, size int }

// windowsOf are the stretches of a file that are zeroed: of 64, 512 and 4096 bytes from each multiple of
// that on, and from where each record begins.
func windowsOf(f *damageFile) (list []damageWindow) {
	for _, size := range []int{64, 512, 4096} {
		for from := 0; from < len(f.data); from += size {
			list = append(list, damageWindow{from, size})
		}
		for _, p := range f.placed {
			if p.from%size != 0 {
				list = append(list, damageWindow{p.from, size})
			}
		}
	}
	return list
}

// neighbours are the files of the same kind before and behind a file.
func (i *damageImage) neighbours(f *damageFile) (list []*damageFile) {
	var same []*damageFile
	for _, other := range i.files {
		if path.Ext(other.path) == path.Ext(f.path) {
			same = append(same, other)
		}
	}
	at := slices.Index(same, f)
	if at > 0 {
		list = append(list, same[at-1])
	}
	if at+1 < len(same) {
		list = append(list, same[at+1])
	}
	if len(list) == 0 && path.Ext(f.path) != ".blk" { // a file of another kind
		list = append(list, i.files[(slices.Index(i.files, f)+1)%len(i.files)])
	}
	return list
}

// String is the name of the case, by which it is run again.
func (c damageCase) String() string {
	what := c.damageStratum.String()
	switch c.kind {
	case damageFlip:
		return fmt.Sprintf("%s:%d.%d", what, c.at/8, c.at%8)
	case damageCut, damageOlder:
		return fmt.Sprintf("%s:%d", what, c.at)
	case damageZero:
		return fmt.Sprintf("%s:%d+%d", what, c.file.windows[c.at].from, c.file.windows[c.at].size)
	case damageNeighbour:
		return what + ":" + path.Base(c.image.neighbours(c.file)[c.at].path)
	}
	return what
}

// changed returns what the file holds after the damage. The result is false when it is gone.
func (c damageCase) changed() ([]byte, bool) {
	data := c.file.data
	switch c.kind {
	case damageFlip:
		data = bytes.Clone(data)
		data[c.at/8] ^= 1 << (c.at % 8)
	case damageCut:
		data = data[:c.at]
	case damageZero:
		w := c.file.windows[c.at]
		data = bytes.Clone(data)
		clear(data[w.from:min(len(data), w.from+w.size)])
	case damageMissing:
		return nil, false
	case damageEmpty:
		data = nil
	case damageOlder:
		data = c.file.older[c.at]
	case damageNeighbour:
		data = c.image.neighbours(c.file)[c.at].data
	}
	return data, true
}
