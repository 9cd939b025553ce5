// Package metrics shows stores to Prometheus.
//
// A Collector reads Store.Stats when it is scraped; it keeps nothing, starts
// nothing, and costs the stores nothing between scrapes. Register one for a set
// of stores:
//
//	stores := metrics.NewCollector()
//	registry.MustRegister(stores)
//	stores.Add(store)
//
// Every series has the label stream. The two to alert on are
// millrace_store_failed (1 while writes are refused) and
// millrace_lost_messages_total.
package metrics
