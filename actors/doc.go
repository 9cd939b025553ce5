// Package actors is the stream store: durable, subject-addressed logs in a
// directory, each owned by an actor.
//
// Open makes a Store. Its methods are for any Go program: they take a
// context.Context, return errors, and may be called from any number of
// goroutines. Store.PID is for actors: every operation is also a message with a
// typed reply (see StoreRequest and its siblings), and nothing blocks.
//
// # Contract
//
//  1. One actor owns all mutable state of a stream. Operations take effect one
//     after another, in the order in which they reach its mailbox; two calls of
//     one goroutine keep their order. (Store.PurgeEx of very many messages takes
//     effect in pieces, between other operations.)
//  2. A store is acknowledged when it is as durable as Config.Sync says. With
//     SyncAlways, the default, that is after fdatasync: it survives power loss.
//     Callers that arrive while one sync runs share the next one.
//  3. Nothing is shown before it could be acknowledged: loads, scans, state and
//     watches see a message when its store returns, not before.
//  4. Reads never wait for writes and never make them wait: they run on the
//     goroutine of the caller, from memory or from the files. Whatever a reply
//     has told a caller is true of every read that begins after it, and each
//     query answers from one instant.
//  5. An error says what became of the operation. With ErrOutcomeUnknown it may or
//     may not have happened: it was on its way when a write or a sync failed (the
//     error is ErrFailed, too), when the store was stopped from outside (it is not
//     ErrStopped then), or when the caller's context ended (it wraps the cause).
//     Every other error changed nothing, but for those of Store.PurgeEx: a refusal (ErrMaxMsgs, ErrTooLarge, ...),
//     ErrFailed alone, by which everything is refused from a failure until the
//     store has recovered from its files (by itself, unless Config.NoRecovery; Store.Ready waits for it),
//     ErrStopped, and a context that ended while the operation waited for its turn.
//     With Config.Duplicates a message that has an id (MsgID) can be stored again whatever
//     the error was.
//     A panic of ours is a failure, too. A store that crashes again and again refuses everything but reads with
//     ErrCrashLoop, until it is opened again.
//  6. Work in flight is bounded. A caller beyond Config.MaxInFlight waits until
//     there is room or its context ends; an actor beyond it is answered with
//     ErrOverloaded.
//  7. A damaged record costs itself: a load of it is ErrCorrupt, before and after
//     reopening, a scan gives an error for it and goes on (see Store.Messages for the
//     loop), and State.LostMessages counts it once.
//  8. Slices passed in may be used again when the call returns. Messages that
//     come back are private copies, unless Borrowed says otherwise.
//  9. No method takes a nil context: it panics in the goroutine of the caller, and
//     nothing is changed. A message to the PID that is no request of a store is
//     answered with UnknownReply.
//
// Directories are those of nats-server 2.14's file store: Config.Dir can be the
// streams folder of a JetStream account. Only one process may have a stream
// open; a Store holds a lock on its directory, which nats-server does not know
// of, so stop one before you start the other: who forgot it is told with ErrChanged,
// where that is noticed. Config.ReadOnly takes no lock and changes nothing: what it
// shows is of one instant, whatever the owner does, or ErrChanged.
package actors
