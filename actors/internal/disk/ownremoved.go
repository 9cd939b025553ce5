package disk

import (
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// An index.db of ours that an opening cannot go on from, since the times of files are others, is still believed in what a
// nats-server believes of it, under the same conditions: what it has for removed is so. Of what MaxMsgsPer has removed there
// is no other trace, and whoever has touched the files may have raised that limit, so that it does not remove it again.

// readOwnIndex reads from index.db, which is one of ours, what a nats-server would.
func (r *Recovery) readOwnIndex() {
	file, err := r.Blocks.ReadStateFile()
	if err != nil || file == nil {
		return // it was read before: somebody else has removed it since
	}
	body, err := streamstate.Body(r.Blocks.Stream(), file)
	if err != nil {
		return
	}
	index, err := streamstate.DecodeBlocks(body)
	if err != nil || index.Check() != nil {
		return // what our own fields say was used, as far as it could be
	}
	r.evidence.server = serverState{index: index, own: true}
}

// keepOwn has those messages removed that an index.db of ours has for removed. Where a block is gone, those that limits had
// removed from the head of the stream would come back else, as there is room for them then.
func (r *Recovery) keepOwn(rec *engine.Recovery) {
	blocks := r.evidence.server.index.Blocks
	for i := range blocks {
		if b := &blocks[i]; b.Messages() > 0 {
			rec.Keep(kept(b))
		}
	}
}
