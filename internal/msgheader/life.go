package msgheader

// Life is what a block says of how long its message lives.
type Life struct {
	TTL    int64 // in seconds, or Never; 0 when there is none, or none that can be understood
	Marker bool  // the message marks that its subject was deleted
}

// LifeOf returns what a block says of how long its message lives. It does not allocate, but for a value that is
// no TTL.
func LifeOf(block []byte) (l Life) {
	var ttl, reason, operation []byte
	for walk := walk(block); walk.next(); {
		var value *[]byte
		switch string(walk.name) {
		case TTL:
			value = &ttl
		case MarkerReason:
			value = &reason
		case KVOperation:
			value = &operation
		default:
			continue
		}
		if *value == nil {
			*value = walk.value
		}
	}
	if len(ttl) > 0 {
		l.TTL, _ = ParseTTL(ttl)
	}
	f := Fields{MarkerReason: reason, KVOperation: operation}
	l.Marker = f.IsMarker()
	return l
}
