package blockio

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// noSpace is what the system says when there is no room for a write.
var noSpace = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED, syscall.ENOSPC}

// noDescriptors is what it says when no file can be opened any more.
var noDescriptors = []error{windows.ERROR_TOO_MANY_OPEN_FILES, syscall.EMFILE, syscall.ENFILE}
