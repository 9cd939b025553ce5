//go:build !linux

package blockio

// syncState is empty: os.File's Sync is all there is.
type syncState struct{}

func (f *osFile) prepareSync() error { return nil }

// Sync flushes the file to the device.
func (f *osFile) Sync() error { return f.File.Sync() }
