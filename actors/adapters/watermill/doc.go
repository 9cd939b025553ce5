// Package pubsub publishes and subscribes to topics of github.com/ThreeDotsLabs/watermill in a Millrace stream.
//
// A [PubSub] stands on a stream of messages, with a subject for each topic, and on a stream of cursors: how far the
// consumer groups are. Messages stay where they are when they were consumed: limits of the stream, or a purge, remove
// them. So a new group, and a subscriber without one, gets all messages that are there.
//
// # What is promised
//
// A message is durable when Publish returns; the messages of one call are there together or not at all. Each group gets
// each message of a topic at least once, in the order in which they were published: the next one after the one before was
// acknowledged, whichever member of the group that was given to. How far a group is, is written down after an
// acknowledgement, while the next messages are on their way: what was acknowledged within the time that one sync takes may
// come again after a crash.
package pubsub
