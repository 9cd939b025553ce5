// Package mailbox holds what stands between the callers of a store and its store actor: the mailbox
// that orders their messages, the patience that decides when the mailbox yields the processor, and
// the credits that bound how much work may be on its way. It knows nothing of streams.
package mailbox
