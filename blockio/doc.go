// Package blockio is the files of a stream.
package blockio
