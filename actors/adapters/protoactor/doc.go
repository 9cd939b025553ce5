// Package protoactor keeps the events and snapshots of protoactor-go's persistent actors in a Millrace stream.
//
// A [Provider] is a persistence.Provider: actors that embed persistence.Mixin and run under persistence.Using(provider)
// have their events in one stream, with a subject for each actor. An event is durable when PersistReceive returns, and
// all actors share the syncs of the stream, however many there are. An actor that starts gets its last snapshot and the
// events since then, which the indexes of the blocks find among those of all others.
//
// # Failures
//
// The methods of persistence.ProviderState return no errors. Whatever fails here is a panic with an [*Error], in the turn
// of the actor that it is about: its supervisor gets that as the reason, and no actor goes on with a state that is not
// what is stored. [Decide] is a decider for it. A disk that fails for a moment is waited for, up to [Config.Patience].
//
// # What is checked
//
// Every event has its index with it. An actor that is active twice, whose events somebody else has written, or of which
// events are missing, is told so ([ErrConflict], [ErrGap]) rather than given a wrong state.
package protoactor
