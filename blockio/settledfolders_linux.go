package blockio

import "golang.org/x/sys/unix"

// lookAtFolder returns what a folder is like, false when that cannot be told.
func lookAtFolder(name string) (folderLook, bool) {
	var stat unix.Stat_t
	if unix.Stat(name, &stat) != nil {
		return folderLook{}, false
	}
	return folderLook{device: uint64(stat.Dev), inode: stat.Ino, changed: stat.Ctim.Nano()}, true
}
