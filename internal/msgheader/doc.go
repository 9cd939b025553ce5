// Package msgheader reads and builds the header blocks of messages as they are on disk,
// without taking them apart into a map:
//
//	NATS/1.0\r\n
//	Name: value\r\n
//	Name: value\r\n
//	\r\n
//
// What counts is what a nats-server sees, since it may open the same files. Names are
// compared byte by byte, also in case. A name begins its line and ends at the colon; the
// value has no spaces in front and goes up to the end of its line, spaces included. Of
// headers with the same name the first counts. Lines end with \r\n and nothing else, and
// an empty one ends the block, whatever comes behind it. The first line is not looked at,
// and the last line need not have an end.
//
// A block may hold anything. Nothing here fails on one, or allocates more than the block
// is long: what cannot be understood is not there, and a value that is not one of those
// that a header can have is an error that says so. What is read out of a block is a part
// of it, and as long valid.
//
// The package has no state and reads no clock.
package msgheader
