// Package stamps has the rules of the times of messages: which time a new message gets,
// and from which time on the age of a message counts, when the clock has jumped or a
// message was stored with a time of its own.
//
//   - A new message gets the time of the clock, or that of the message before it if the
//     clock shows less: times do not go back with a clock that is set back by a little. If
//     that message is ahead of the clock by more than MaxAhead, its time was wrong: new
//     ones get the time of the clock again, and times are out of order there (Next).
//   - The age of a message counts from its own time, wherever it stands and whatever is
//     around it. Only while that time is ahead of the clock, which no message can be, it
//     counts from the highest time around the message that is not ahead (ForExpiry): it
//     was stored about then. So an old time makes no other message older, and a wrong one
//     keeps its message for no longer than its neighbours.
//   - Around a message is its block; if all times in that are ahead, the nearest blocks on
//     both sides in which not all are (Around).
//
// The times in a block are summed up in 32 bytes (Summary), which is all that is needed to
// know when something in it may be due. There is no state and no clock here; times are
// nanoseconds since the epoch.
package stamps
