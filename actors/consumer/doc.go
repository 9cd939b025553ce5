// Package consumer is durable, named cursors on a stream, each owned by an actor, as JetStream's consumers are: they know
// which messages were handed out and which of those are done, and deliver again what is not.
//
// Open opens a Consumer of an actors.Store, with its state in a store that may be another one. Its methods are for any Go
// program; Consumer.PID is for actors: every operation is also a message with a typed reply (see PullRequest and its
// siblings).
//
// # Contract
//
//  1. At least once. A message that the filters select is delivered again and again until it is acknowledged, given up
//     after Config.MaxDeliver deliveries, settled with Term, or gone from the stream. What is settled in one of these
//     ways does not come again, whatever crashes.
//  2. What was seen outside is durable, as the sync level of the stream with the state says: a message is handed out when its
//     delivery is written down, and a verdict is confirmed when it is. So a crash forgets no acknowledgement, no
//     negative one, no pause; and a delivery counts although its receiver took the process down with it. What was
//     not confirmed may or may not have happened (ErrOutcomeUnknown).
//  3. Exactly once, where Consumer.AckWith stores what came of a message as one with its acknowledgement. The outputs go to the
//     stream with the state, since a batch is in one stream: that of the results is where the state belongs then.
//  4. Each delivery has a Token. Any delivery of a message can acknowledge it; only the latest can put it off. Tokens hold over
//     stops and crashes.
//  5. Order: new messages come in the order of the stream. Those that come again, come before new ones. With
//     Config.OrderPerSubject a message waits until the one before it on its subject is settled.
//  6. A consumer has one owner. Who opens it takes it over: whoever had it open can store nothing more, hands nothing out,
//     and ends with ErrTaken.
//  7. What the stream removes, for whatever reason, is not waited for: it is settled, with a notice, as soon as the stream tells
//     of it, or when the consumer is opened. A message that is removed at the moment may be handed out once more.
//  8. Work in flight is bounded: messages that are not settled by Config.MaxAckPending, pulls by Config.MaxWaiting,
//     messages that are read ahead to 1 MiB, requests to 4,096 of 64 MiB. A caller beyond that waits, and an actor is answered
//     with ErrOverloaded.
//  9. While the stream with the state takes no writes, as of a full disk, nothing is delivered, and verdicts are refused. When it
//     does again the consumer goes on with what is durable.
//  10. Slices passed in may be used again when the call returns, or with the reply to an actor. Messages that come back
//     are private copies.
package consumer
