// Package millracestorage is a storage extension of the OpenTelemetry Collector on Millrace streams: what persistent
// queues and receivers with checkpoints keep their state in.
//
// Each client, of a component and a name of its own, has a stream with one message a key. A batch is there as a whole or
// not at all, also across a loss of power. What was deleted or overwritten gives its room back while the collector runs,
// block by block, and nothing has to be compacted by hand or at a start. A damaged file costs what was in the damaged
// part: the client starts with all else.
package millracestorage
