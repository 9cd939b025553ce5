package disk

import "github.com/seed-d8b58eba/millrace/blockio"

// restLast closes the file of the block that takes the next records until they come: most streams of a process that has
// many wait for long. Only after a clean stop all of it is known to be durable. A file that is closed with something to be
// written may never tell that this has failed.
func (r *Recovery) restLast(list []blockio.BlockInfo) {
	if !r.ReadOnly && r.wasStopped(list) {
		r.Blocks.RestAsFound(list[len(list)-1].ID)
	}
}
