// Package schedule says when a schedule is due, from its pattern:
//
//	@at 2030-01-02T15:04:05Z   once, at a time as RFC 3339 writes it
//	@every 1m30s               at a distance of at least a second
//	0 30 4 * * 1-5             cron: second, minute, hour, day, month, day of the week
//	@hourly, @daily (or @midnight), @weekly, @monthly, @yearly (or @annually)
//
// These are the patterns of nats-server 2.14, and mean what they mean there. In particular
// cron has six fields. Each is a list, divided by commas, of numbers, spans a-b, all (* or
// ?), and steps through a span (a-b/n), through all (*/n), or from a number to the end
// (a/n). Months and days of the week may have their English names of three letters; the
// week is from 0, Sunday, to 6. When both the day of the month and that of the week are
// restricted, one of them has to match, or else both; */2 restricts, * and */1 do not.
//
// # Zones
//
// Cron may be in a time zone; without one it is in UTC. It is due at each instant at which
// a clock in the zone shows a time that matches. So a time that a zone leaves out when its
// clocks go forward does not come on that day, and one that it shows twice when they go
// back comes twice, an hour apart, as on a server. Whoever wants neither chooses UTC, or
// an hour at which the clocks of the zone do not change.
//
// Zones are given as *time.Location: loading one by its name reads files, which is left to
// the caller. The package has no state, reads no clock, and takes times as nanoseconds
// since the epoch.
package schedule
