// Package cursor is the state of a consumer: which messages it has handed out, which of them are not settled, and where
// it reads on. It is a state machine without goroutines, clocks and I/O: the time comes in with each call.
//
// Every change is an event. A command checks whether it may happen, and if so applies the events that say it, and
// appends them to what Take returns. To rebuild a state, Restore takes a Snapshot and Replay the events since then: it is
// the same code that applies them, so what is rebuilt is what was.
//
// What is not an event does not survive: which messages are being loaded (Next, Putback), and how far the position has
// moved over messages that are of no interest, of which Take tells only along with other events.
package cursor
