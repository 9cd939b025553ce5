package blockio

import (
	"errors"
	"path/filepath"
	"sync"
)

// A FileCache keeps files open for reading, at most max of them beyond what is
// in use. One serves all stores of a process. It is safe for concurrent use.
type FileCache struct {
	max int

	mu    sync.Mutex
	files map[string][]*CachedFile // by path; several only when file systems differ
	open  int                      // busy and idle

	// The idle ones in a ring through lru, the least recently used first. It is
	// made of the files themselves, so that Release allocates nothing.
	lru CachedFile
}

// A CachedFile is a file in use. It stays readable until Release, also when it
// is removed or replaced meanwhile.
type CachedFile struct {
	cache *FileCache
	fs    FS
	path  string
	ready chan struct{} // closed when file and err are set
	file  File
	err   error

	// Guarded by cache.mu.
	users        int
	before, next *CachedFile // in cache.lru, when nobody uses it
	forgotten    bool
}

// detach takes an idle file out of the ring.
func (f *CachedFile) detach() {
	if f.next != nil {
		f.before.next, f.next.before = f.next, f.before
		f.before, f.next = nil, nil
	}
}

// NewFileCache makes a cache of at most max open files; 0 keeps none idle.
func NewFileCache(max int) *FileCache {
	c := &FileCache{max: max, files: make(map[string][]*CachedFile)}
	c.lru.before, c.lru.next = &c.lru, &c.lru
	return c
}

// Acquire returns the file with that path for reading, opened now or before. The
// caller must call Release once. The number of files open stays at or below the
// cache's maximum, except that files in use are never closed.
func (c *FileCache) Acquire(fs FS, path string) (*CachedFile, error) {
	c.mu.Lock()
	f := c.find(fs, path)
	if f != nil {
		f.users++
		f.detach()
		c.mu.Unlock()
		<-f.ready
		if f.err != nil {
			return nil, f.err
		}
		return f, nil
	}
	f = &CachedFile{cache: c, fs: fs, path: path, ready: make(chan struct{}), users: 1}
	c.files[path] = append(c.files[path], f)
	c.open++
	victims := c.evict()
	c.mu.Unlock()
	closeAll(victims) // their errors are of no use: nothing was written

	f.file, f.err = fs.OpenFile(path, ModeRead)
	if f.err != nil {
		c.mu.Lock()
		c.unlink(f)
		c.open--
		c.mu.Unlock()
	}
	close(f.ready)
	if f.err != nil {
		return nil, f.err
	}
	return f, nil
}

func (c *FileCache) find(fs FS, path string) *CachedFile {
	for _, f := range c.files[path] {
		if f.fs == fs {
			return f
		}
	}
	return nil
}

// evict takes idle files out until the number is right again. c.mu is held.
func (c *FileCache) evict() (victims []*CachedFile) {
	for c.open > c.max && c.lru.next != &c.lru {
		f := c.lru.next
		c.unlink(f)
		c.open--
		victims = append(victims, f)
	}
	return victims
}

// unlink makes Acquire not find f again. c.mu is held.
func (c *FileCache) unlink(f *CachedFile) {
	f.detach()
	if f.forgotten {
		return
	}
	f.forgotten = true
	same := c.files[f.path]
	for i, other := range same {
		if other == f {
			same = append(same[:i:i], same[i+1:]...)
			break
		}
	}
	if len(same) == 0 {
		delete(c.files, f.path)
		return
	}
	c.files[f.path] = same
}

func closeAll(files []*CachedFile) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

// ReadAt reads from the file, as io.ReaderAt says.
func (f *CachedFile) ReadAt(p []byte, offset int64) (int, error) { return f.file.ReadAt(p, offset) }

// Size returns the size of the file in bytes.
func (f *CachedFile) Size() (int64, error) {
	stat, err := f.file.Stat()
	return stat.Size, err
}

// Stat returns the size of the file and when it was last changed.
func (f *CachedFile) Stat() (FileStat, error) { return f.file.Stat() }

// Release ends the use of the file. It must be called once per Acquire.
func (f *CachedFile) Release() {
	c := f.cache
	c.mu.Lock()
	f.users--
	var victims []*CachedFile
	switch {
	case f.users > 0:
	case f.forgotten:
		c.open--
		victims = append(victims, f)
	default:
		f.before, f.next = c.lru.before, &c.lru
		f.before.next, c.lru.before = f, f
		victims = c.evict()
	}
	c.mu.Unlock()
	_ = closeAll(victims) // opened for reading: there is nothing to lose
}

// Forget makes the next Acquire of path open the file anew: call it after the
// file was removed or replaced. Those who have it keep what they have.
func (c *FileCache) Forget(path string) {
	c.mu.Lock()
	victims := c.drop(c.files[path])
	c.mu.Unlock()
	_ = closeAll(victims)
}

// ForgetDir is Forget for every file in a directory.
func (c *FileCache) ForgetDir(fs FS, dir string) {
	var victims []*CachedFile
	c.mu.Lock()
	for path, files := range c.files {
		if filepath.Dir(path) != filepath.Clean(dir) {
			continue
		}
		var own []*CachedFile
		for _, f := range files {
			if f.fs == fs {
				own = append(own, f)
			}
		}
		victims = append(victims, c.drop(own)...)
	}
	c.mu.Unlock()
	_ = closeAll(victims)
}

// drop unlinks files and returns those that nobody uses, to be closed.
func (c *FileCache) drop(files []*CachedFile) (victims []*CachedFile) {
	for _, f := range append([]*CachedFile(nil), files...) {
		c.unlink(f)
		if f.users == 0 {
			c.open--
			victims = append(victims, f)
		}
	}
	return victims
}

// Open returns the number of files open now, in use or not.
func (c *FileCache) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Close closes the idle files, and those in use when they are released. The
// cache can be used again after it.
func (c *FileCache) Close() error {
	c.mu.Lock()
	var victims []*CachedFile
	for _, files := range c.files {
		victims = append(victims, c.drop(files)...)
	}
	c.mu.Unlock()
	return closeAll(victims)
}
