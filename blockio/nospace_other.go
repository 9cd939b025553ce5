//go:build !unix && !windows

package blockio

// noSpace is what the system says when there is no room for a write: nobody knows here.
var noSpace []error

// noDescriptors is what it says when no file can be opened any more.
var noDescriptors []error
