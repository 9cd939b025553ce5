package measure

import (
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Run is what one run of one contestant gave.
type Run struct {
	Messages      int64
	Elapsed       time.Duration
	P50, P99      time.Duration // 0 where a latency makes no sense
	AllocsPerItem float64       // heap objects per message, of the whole process
	Cores         float64       // processor time (user and system) by elapsed time
	Heap          float64       // in use by the whole process at the end of the run, in MiB
	Resident      float64       // memory of the process then, in MiB; 0 when the system does not say
	Extras        []Extra       // what only this row measures, in the order of the table
}

// Extra is a figure that few rows have.
type Extra struct {
	Name  string
	Value float64
	Unit  Unit
}

// Unit is how the value of an Extra is written behind the number.
type Unit string

// The units of extras.
const (
	PerSecond    Unit = "/s"
	Times        Unit = "x"
	Each         Unit = ""
	KiB          Unit = " KiB"
	MiB          Unit = " MiB"
	MiBPerSecond Unit = " MiB/s"
	Nanoseconds  Unit = " ns"
	Microseconds Unit = " µs"
	Milliseconds Unit = " ms"
)

// Extra returns the extra figure with the given name, or 0.
func (r Run) Extra(name string) float64 { return find(r.Extras, name) }

func find(extras []Extra, name string) float64 {
	for _, extra := range extras {
		if extra.Name == name {
			return extra.Value
		}
	}
	return 0
}

// Rate is messages per second.
func (r Run) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Messages) / r.Elapsed.Seconds()
}

// Measure runs work, which returns how many messages it did, and says what that took. Garbage of
// earlier runs is collected first.
func Measure(work func() (int64, *Histogram, error)) (Run, error) {
	return MeasureWarm(func() error { return nil }, work)
}

// MeasureWarm is Measure with something that is done between the collection and the measured work.
// nats-server holds cached blocks by weak pointers, which a collection cuts: what is to be warm has
// to be warmed behind it.
func MeasureWarm(warm func() error, work func() (int64, *Histogram, error)) (Run, error) {
	runtime.GC()
	if err := warm(); err != nil {
		return Run{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore := ProcessorTime()
	start := time.Now()
	messages, latencies, err := work()
	elapsed := time.Since(start)
	cpu := ProcessorTime() - cpuBefore
	runtime.ReadMemStats(&after)
	if err != nil {
		return Run{}, err
	}
	run := Run{Messages: messages, Elapsed: elapsed, Cores: cpu.Seconds() / elapsed.Seconds(),
		Heap: float64(after.HeapInuse) / (1 << 20), Resident: float64(Resident()) / (1 << 20)}
	if messages > 0 {
		run.AllocsPerItem = float64(after.Mallocs-before.Mallocs) / float64(messages)
	}
	if latencies != nil {
		run.P50, run.P99 = latencies.Quantile(0.5), latencies.Quantile(0.99)
	}
	return run, nil
}

// ProcessorTime is what this process has used, or 0 when the system does not say.
func ProcessorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Median returns the middle of the values, the mean of the two in the middle when their number is
// even, and 0 when there are none. The values are left as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Summary is the median of each figure over the runs of one contestant.
type Summary struct {
	Rate          float64
	Elapsed       time.Duration
	P50, P99      time.Duration
	AllocsPerItem float64
	Cores         float64
	Heap          float64
	Resident      float64
	Extras        []Extra
}

// Extra returns the extra figure with the given name, or 0.
func (s Summary) Extra(name string) float64 { return find(s.Extras, name) }

// Summarize takes the medians, figure by figure. All runs have the same extras.
func Summarize(runs []Run) Summary {
	s := Summary{
		Rate:          medianOf(runs, Run.Rate),
		Elapsed:       durationOf(runs, func(r Run) time.Duration { return r.Elapsed }),
		P50:           durationOf(runs, func(r Run) time.Duration { return r.P50 }),
		P99:           durationOf(runs, func(r Run) time.Duration { return r.P99 }),
		AllocsPerItem: medianOf(runs, func(r Run) float64 { return r.AllocsPerItem }),
		Cores:         medianOf(runs, func(r Run) float64 { return r.Cores }),
		Heap:          medianOf(runs, func(r Run) float64 { return r.Heap }),
		Resident:      medianOf(runs, func(r Run) float64 { return r.Resident }),
	}
	if len(runs) > 0 {
		for _, extra := range runs[0].Extras {
			extra.Value = medianOf(runs, func(r Run) float64 { return r.Extra(extra.Name) })
			s.Extras = append(s.Extras, extra)
		}
	}
	return s
}

func medianOf(runs []Run, figure func(Run) float64) float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = figure(run)
	}
	return Median(values)
}

func durationOf(runs []Run, figure func(Run) time.Duration) time.Duration {
	return time.Duration(medianOf(runs, func(r Run) float64 { return float64(figure(r)) }))
}
