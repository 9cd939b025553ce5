package blockio

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// noSpace is what the system says when there is no room for a write.
var noSpace = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED, syscall.ENOSPC}
