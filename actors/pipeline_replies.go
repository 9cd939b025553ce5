package actors

import "github.com/seed-d8b58eba/millrace/engine"

// pipedReplies is replies of one pipeline that its caller was told of, and whose places it has not got back. They are given back
// together: the caller looks at their number for each message that it hands over, and would have to fetch it from the
// other processor each time.
type pipedReplies struct {
	pipeline *Pipeline
	count    uint64
}

// placesAtOnce bounds how many places a caller that may wait for them gets back at once.
const placesAtOnce = 64

// tell hands out the reply of an operation of a pipeline.
func (r *pipedReplies) tell(o *op, reply *engine.Reply) {
	if o.pipeline != r.pipeline || r.count == placesAtOnce {
		r.flush()
		r.pipeline = o.pipeline
	}
	r.count++
	if o.since != 0 {
		r.pipeline.store.acknowledged(o, reply)
	}
	r.pipeline.outcome(o, *reply)
}

// flush gives back the places.
func (r *pipedReplies) flush() {
	p, n := r.pipeline, r.count
	*r = pipedReplies{}
	if n > 0 {
		p.complete(n)
	}
}
