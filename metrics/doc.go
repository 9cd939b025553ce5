// Package metrics shows stores to Prometheus.
//
// A Collector reads Store.Stats when it is scraped; it keeps no figures of its own but those of the files, and costs the
// stores nothing between scrapes. Register one for a set of stores:
//
//	stores := metrics.NewCollector()
//	registry.MustRegister(stores, metrics.NewRuntimeCollector(actors.DefaultRuntime()), metrics.NewBuildInfo())
//	stores.Add(store)
//
// Every series of a store has the label stream. The two to alert on are
// millrace_store_failed (1 while writes are refused) and
// millrace_lost_messages_total; docs/operations.md has a table of all metrics.
package metrics
