// Package disk holds what is done with the files of a stream, as plain functions that run on the
// goroutine of whoever calls them: the operations of the commit lane and of the maintenance lane
// (work.go), the recovery of a stream (recovery.go, rescan.go, tail.go), and what recovery and the
// engine take from a block index in place of the block (fromindex.go). The actors that call it decide when; package
// blockio knows how bytes lie in a file. Nothing here knows of actors, so that a test can run one
// file operation at a time.
package disk
