package blocktest

import "golang.org/x/sys/unix"

// makeFault makes mapped pages fault when they are touched.
func makeFault(pages []byte) error { return unix.Mprotect(pages, unix.PROT_NONE) }
