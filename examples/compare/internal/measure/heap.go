package measure

import "runtime"

// Heap returns how many bytes of heap objects are reachable. It collects twice: pools and weak caches
// outlive the first collection.
func Heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
