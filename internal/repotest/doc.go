// Package repotest holds the tests that keep the shape of this repository: which package imports
// which, that the engine stays a pure state machine, that files stay short, that the README's Go
// blocks compile, and that nothing of the machine it was written on is left in it. It has no code of
// its own; each rule is a test file, with a table that plants a violation and must see it found.
package repotest
