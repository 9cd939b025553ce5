package blockio

import "golang.org/x/sys/windows"

// readFailures are errors of a disk that could not read, beside EIO, which Windows does
// not have.
var readFailures = []error{windows.ERROR_CRC, windows.ERROR_SECTOR_NOT_FOUND, windows.ERROR_READ_FAULT, windows.ERROR_IO_DEVICE}
