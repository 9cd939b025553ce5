// Package blocktest is for tests of what stands on blockio.FS: a file system in
// memory that can lose power (MemFS), one that fails on demand (FaultFS), and
// the rules that every file system must keep (TestFS).
package blocktest
