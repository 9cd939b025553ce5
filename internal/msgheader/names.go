package msgheader

// The headers that mean something to a store. What they mean is that of nats-server 2.14.
const (
	// TTL is how long a message lives: see ParseTTL.
	TTL = "Nats-TTL"
	// MarkerReason is why a marker stands where a subject's last message was.
	MarkerReason = "Nats-Marker-Reason"
	// KVOperation is what an entry of a key-value bucket stands for.
	KVOperation = "KV-Operation"
	// Rollup has a message take the place of those before it: see ParseRollup.
	Rollup = "Nats-Rollup"
	// MsgID identifies a message to whoever stores it again.
	MsgID = "Nats-Msg-Id"

	// ExpectedStream and the other expectations refuse a message when they do not hold.
	ExpectedStream = "Nats-Expected-Stream"
	// ExpectedLastSequence is of the stream.
	ExpectedLastSequence = "Nats-Expected-Last-Sequence"
	// ExpectedLastSubjectSequence is of the message's subject, or of
	// ExpectedLastSubjectSequenceSubject.
	ExpectedLastSubjectSequence = "Nats-Expected-Last-Subject-Sequence"
	// ExpectedLastSubjectSequenceSubject is a subject or a filter.
	ExpectedLastSubjectSequenceSubject = "Nats-Expected-Last-Subject-Sequence-Subject"
	// ExpectedLastMsgID is the MsgID of the last message.
	ExpectedLastMsgID = "Nats-Expected-Last-Msg-Id"

	// Schedule makes a message a schedule: its pattern.
	Schedule = "Nats-Schedule"
	// ScheduleTimeZone is the name of the zone of a pattern.
	ScheduleTimeZone = "Nats-Schedule-Time-Zone"
	// ScheduleTarget is the subject of what a schedule produces.
	ScheduleTarget = "Nats-Schedule-Target"
	// ScheduleSource is the subject whose last message is produced.
	ScheduleSource = "Nats-Schedule-Source"
	// ScheduleTTL is the TTL of what a schedule produces.
	ScheduleTTL = "Nats-Schedule-TTL"
	// ScheduleRollup is the Rollup of what a schedule produces.
	ScheduleRollup = "Nats-Schedule-Rollup"
	// ScheduleNext is in a produced message: when its schedule is due next.
	ScheduleNext = "Nats-Schedule-Next"
	// Scheduler is in a produced message: the subject of its schedule.
	Scheduler = "Nats-Scheduler"
)

// Values of headers.
const (
	ReasonMaxAge  = "MaxAge" // of MarkerReason
	RollupSub     = "sub"    // of Rollup and ScheduleRollup
	RollupStream  = "all"    // of Rollup
	KVPurge       = "PURGE"  // of KVOperation
	NextPurge     = "purge"  // of ScheduleNext: the schedule is done
	TTLNeverWord  = "never"  // of TTL, in any case
	version       = "NATS/1.0"
	lineEnd       = "\r\n"
	schedulePart  = "Nats-Schedule"  // what the names about schedules begin with
	expectedPart  = "Nats-Expected-" // and those of expectations
	longestNumber = 64               // bytes of a duration or a time that are looked at
)
