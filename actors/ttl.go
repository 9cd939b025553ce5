package actors

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// Forever is the TTL of a message that is not removed for its age, see TTL.
const Forever time.Duration = -1

// TTL has a message live for so long from its time, in whole seconds, at least one, or Forever. Then it is removed,
// wherever it stands, as if somebody had asked for that; with MaxAge it may go sooner. One that lives Forever is not
// removed for its age, and only by other limits. It takes Config.AllowMsgTTL: where that is not on, the message is
// refused with ErrBadHeader. The TTL is stored as the header Nats-TTL, in the place of one that the message has; a
// nats-server reads it.
//
// What is due is removed within about 250 ms, of many thousand messages that are due at a time a few thousand at once.
func TTL(d time.Duration) StoreOption {
	return func(o *storeOptions) { o.ttl, o.hasTTL = d, true }
}

// ttlValue returns the value of the header for a TTL.
func ttlValue(d time.Duration) (string, error) {
	switch {
	case d == Forever:
		return msgheader.TTLNeverWord, nil
	case d < time.Second:
		return "", fmt.Errorf("%w: a TTL of %v, at least 1s", ErrBadHeader, d)
	}
	value := d.Truncate(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(value, zero) {
			value = value[:len(value)-2]
		}
	}
	return value, nil
}

// mergeTTLs takes what is said about the lives of messages from the configuration where it says so, and from the meta
// file where not.
func mergeTTLs(meta *blockio.StreamMeta, c *Config) {
	if c.AllowMsgTTL != AsStored {
		meta.AllowMsgTTL = c.AllowMsgTTL == On
	}
	switch {
	case c.AllowMsgTTL == Off, c.SubjectDeleteMarkerTTL < 0:
		meta.DeleteMarkerTTL = 0
	case c.SubjectDeleteMarkerTTL > 0:
		meta.DeleteMarkerTTL = c.SubjectDeleteMarkerTTL.Truncate(time.Second)
	}
	if meta.DeleteMarkerTTL > 0 {
		meta.AllowMsgTTL, meta.AllowRollup = true, true // as a nats-server has it
	}
}
