package disk

import (
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// schedules lists the schedules among the messages in the first size bytes of a block, and the messages that
// schedules have produced, with the time zones that they name. Where its index says that there are none, the block is
// not read.
func (f *Files) schedules(id uint32, size int64) (list []engine.ScheduleRecord, zones map[string]*time.Location, err error) {
	if f.says(id, size, func(sum *blockindex.Summary) bool { return sum.Unscheduled }) {
		return nil, nil, nil
	}
	zones = make(map[string]*time.Location)
	err = f.eachRecord(id, size, func(_ int64, r *blockio.Record) {
		if r.Kind != blockio.KindMessage || len(r.Header) == 0 {
			return
		}
		var fields msgheader.Fields
		fields.Read(r.Header)
		if fields.Schedule == nil && fields.Scheduler == nil {
			return
		}
		list = append(list, engine.ScheduleRecord{
			Sequence: r.Sequence, Time: r.Time, Subject: string(r.Subject), Header: slices.Clone(r.Header),
		})
		if name := string(fields.ScheduleTimeZone); name != "" && zones[name] == nil {
			zones[name] = zone(name)
		}
	})
	return list, zones, err
}

// zone returns the time zone of a name, nil when the system knows none. The zone of this machine is none: it has no
// name that means the same on another one.
func zone(name string) *time.Location {
	if name == "Local" {
		return nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return z
}
