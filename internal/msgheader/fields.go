package msgheader

// Fields are the headers of one block that mean something to a store, gathered in one
// pass. A header that is not there is nil; one without a value is empty. The values are
// parts of the block.
type Fields struct {
	TTL, MarkerReason, KVOperation, Rollup, MsgID []byte

	ExpectedStream, ExpectedLastMsgID                               []byte
	ExpectedLastSequence                                            []byte
	ExpectedLastSubjectSequence, ExpectedLastSubjectSequenceSubject []byte

	Schedule, ScheduleTimeZone, ScheduleTarget, ScheduleSource []byte
	ScheduleTTL, ScheduleRollup, ScheduleNext, Scheduler       []byte
}

// Read fills the fields from a block. It does not allocate.
func (f *Fields) Read(block []byte) {
	*f = Fields{}
	for l := walk(block); l.next(); {
		if field := f.field(l.name); field != nil && *field == nil {
			*field = l.value
		}
	}
}

// field returns where the value of a header goes, or nil when it means nothing.
func (f *Fields) field(name []byte) *[]byte {
	if name[0] != 'N' && name[0] != 'K' {
		return nil
	}
	switch string(name) {
	case TTL:
		return &f.TTL
	case MarkerReason:
		return &f.MarkerReason
	case KVOperation:
		return &f.KVOperation
	case Rollup:
		return &f.Rollup
	case MsgID:
		return &f.MsgID
	case ExpectedStream:
		return &f.ExpectedStream
	case ExpectedLastSequence:
		return &f.ExpectedLastSequence
	case ExpectedLastSubjectSequence:
		return &f.ExpectedLastSubjectSequence
	case ExpectedLastSubjectSequenceSubject:
		return &f.ExpectedLastSubjectSequenceSubject
	case ExpectedLastMsgID:
		return &f.ExpectedLastMsgID
	case Schedule:
		return &f.Schedule
	case ScheduleTimeZone:
		return &f.ScheduleTimeZone
	case ScheduleTarget:
		return &f.ScheduleTarget
	case ScheduleSource:
		return &f.ScheduleSource
	case ScheduleTTL:
		return &f.ScheduleTTL
	case ScheduleRollup:
		return &f.ScheduleRollup
	case ScheduleNext:
		return &f.ScheduleNext
	case Scheduler:
		return &f.Scheduler
	}
	return nil
}

// IsMarker reports whether a message only marks that its subject was deleted: it says for
// what reason, or it purges a key. One that deletes a key does not count.
func (f *Fields) IsMarker() bool {
	return len(f.MarkerReason) > 0 || string(f.KVOperation) == KVPurge
}
