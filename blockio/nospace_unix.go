//go:build unix

package blockio

import "syscall"

// noSpace is what the system says when there is no room for a write.
var noSpace = []error{syscall.ENOSPC, syscall.EDQUOT}

// noDescriptors is what it says when no file can be opened any more.
var noDescriptors = []error{syscall.EMFILE, syscall.ENFILE}
